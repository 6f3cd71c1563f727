using System;
using System.Collections.Generic;
using System.Linq;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>
/// The routed experts of a layer on a device: in slots, filled when a token is first routed to them. With a slot for
/// every expert they stay; with fewer the slots are used in turns.
/// </summary>
internal sealed class DeviceExperts : IDisposable
{
    private readonly KernelHost host;
    private readonly Func<int, (WeightMatrix Gate, WeightMatrix Up, WeightMatrix Down)> expert;
    private readonly MemoryBuffer1D<int, Stride1D.Dense> table;
    private readonly int[] slots; // of every expert, −1 where it is not there
    private readonly int slotCount;

    /// <summary>Makes room; brings nothing yet.</summary>
    /// <param name="host">The device.</param>
    /// <param name="expertCount">The experts of the layer.</param>
    /// <param name="slotCount">The slots.</param>
    /// <param name="expert">The matrices of an expert.</param>
    public DeviceExperts(
        KernelHost host,
        int expertCount,
        int slotCount,
        Func<int, (WeightMatrix Gate, WeightMatrix Up, WeightMatrix Down)> expert)
    {
        this.host = host;
        this.expert = expert;
        this.slotCount = slotCount;
        slots = new int[expertCount];
        Array.Fill(slots, -1);
        table = host.Accelerator.Allocate1D(slots);
        Allocate(null);
    }

    /// <summary>[slots, intermediate, hidden].</summary>
    public DeviceWeight Gate { get; private set; } = null!;

    /// <summary>[slots, intermediate, hidden].</summary>
    public DeviceWeight Up { get; private set; } = null!;

    /// <summary>[slots, hidden, intermediate].</summary>
    public DeviceWeight Down { get; private set; } = null!;

    /// <summary>[experts], the slot of each, −1 for those that are not there.</summary>
    public ArrayView<int> Table => table.View.BaseView;

    /// <summary>Whether all experts are there, so that nobody has to ask which are wanted.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Whether there is a slot for every expert.</summary>
    public bool HasRoomForAll => slotCount == slots.Length;

    /// <summary>Brings experts, as many as there are slots at a time; each batch lasts until the next.</summary>
    /// <param name="wanted">The experts that tokens were routed to.</param>
    /// <param name="workers">The threads that read.</param>
    /// <returns>Once per batch.</returns>
    public IEnumerable<DeviceExperts> Batches(IEnumerable<int> wanted, WorkerPool workers)
    {
        int[] distinct = [.. wanted.Distinct().Order()];
        if (HasRoomForAll)
        {
            Bring([.. distinct.Where(index => slots[index] < 0)], keep: true, workers);
            yield return this;
            yield break;
        }

        foreach (int[] batch in distinct.Chunk(slotCount))
        {
            host.Synchronize(); // kernels may still read the last batch
            Bring(batch, keep: false, workers);
            yield return this;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        table.Dispose();
        Gate.Dispose();
        Up.Dispose();
        Down.Dispose();
    }

    private void Bring(int[] experts, bool keep, WorkerPool workers)
    {
        if (experts.Length == 0)
        {
            return;
        }

        if (!keep)
        {
            Array.Fill(slots, -1);
        }

        for (int place = 0; place < experts.Length; place++)
        {
            int slot = keep ? experts[place] : place;
            (WeightMatrix gate, WeightMatrix up, WeightMatrix down) = expert(experts[place]);
            if (!(Gate.Fill(slot, gate, workers) && Up.Fill(slot, up, workers) && Down.Fill(slot, down, workers)))
            {
                // An expert with numbers that the promised format cannot hold: all of the layer are held in full.
                int[] again = [.. Enumerable.Range(0, slots.Length).Where(index => slots[index] >= 0), .. experts];
                Array.Fill(slots, -1);
                Allocate(PanelFormat.Float32);
                Bring([.. again.Distinct()], keep, workers);
                return;
            }

            slots[experts[place]] = slot;
        }

        Table.Bring(slots);
        IsComplete = !slots.Contains(-1);
    }

    private void Allocate(PanelFormat? format)
    {
        Gate?.Dispose();
        Up?.Dispose();
        Down?.Dispose();
        (WeightMatrix gate, WeightMatrix up, WeightMatrix down) = expert(0);
        Gate = DeviceWeight.Allocate(host, gate, slotCount, format);
        Up = DeviceWeight.Allocate(host, up, slotCount, format);
        Down = DeviceWeight.Allocate(host, down, slotCount, format);
        if (Gate.Format != Up.Format || Gate.Format != Down.Format)
        {
            Allocate(PanelFormat.Float32); // kernels take the three in one format
        }
    }
}
