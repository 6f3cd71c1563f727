using System;
using System.Collections.Generic;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>
/// A model's weights on a device: each is brought there at its first use and stays, as long as there is room. What
/// finds no room is brought for every use; layers are used in a circle, so dropping the least recently used would drop
/// what comes next.
/// </summary>
/// <param name="host">The device.</param>
/// <param name="workers">The threads that read.</param>
/// <param name="byteLimit">The most bytes of matrices that stay.</param>
internal sealed class DeviceConstants(KernelHost host, WorkerPool workers, long byteLimit) : IDisposable
{
    /// <summary>The slots of a layer whose experts do not all find room.</summary>
    private const int FewSlots = 16;

    private readonly Dictionary<WeightMatrix, DeviceWeight> matrices = [];
    private readonly Dictionary<object, DeviceExperts> experts = [];
    private readonly Dictionary<float[], MemoryBuffer1D<float, Stride1D.Dense>> vectors = [];
    private long held;
    private DeviceWeight? passing;

    /// <summary>The bytes of matrices that stay.</summary>
    public long HeldBytes => held;

    /// <summary>A matrix; valid until the next one is asked for.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <returns>Its numbers on the device.</returns>
    public DeviceWeight Matrix(WeightMatrix matrix)
    {
        if (matrices.TryGetValue(matrix, out DeviceWeight? weight))
        {
            return weight;
        }

        if (passing is not null)
        {
            host.Synchronize(); // kernels may still read it
            passing.Dispose();
            passing = null;
        }

        weight = DeviceWeight.Upload(host, matrix, workers);
        if (held + weight.Bytes <= byteLimit)
        {
            held += weight.Bytes;
            matrices.Add(matrix, weight);
        }
        else
        {
            passing = weight;
        }

        return weight;
    }

    /// <summary>The routed experts of a layer: all of them if there is room, else a few slots.</summary>
    /// <param name="layer">Whose experts they are.</param>
    /// <param name="count">The number of experts.</param>
    /// <param name="expert">The matrices of an expert.</param>
    /// <returns>Their room on the device.</returns>
    public DeviceExperts Experts(
        object layer, int count, Func<int, (WeightMatrix Gate, WeightMatrix Up, WeightMatrix Down)> expert)
    {
        if (!experts.TryGetValue(layer, out DeviceExperts? held))
        {
            (WeightMatrix gate, WeightMatrix up, WeightMatrix down) = expert(0);
            long one = DeviceWeight.BytesOf(gate) + DeviceWeight.BytesOf(up) + DeviceWeight.BytesOf(down);
            bool fits = this.held + (count * one) <= byteLimit;
            this.held += fits ? count * one : Math.Min(FewSlots, count) * one;
            held = new DeviceExperts(host, count, fits ? count : Math.Min(FewSlots, count), expert);
            experts.Add(layer, held);
        }

        return held;
    }

    /// <summary>A norm's weight or a bias; stays.</summary>
    /// <param name="vector">The numbers, which do not change.</param>
    /// <returns>The same on the device.</returns>
    public ArrayView<float> Vector(float[] vector)
    {
        if (vector.Length == 0)
        {
            return default;
        }

        if (!vectors.TryGetValue(vector, out MemoryBuffer1D<float, Stride1D.Dense>? buffer))
        {
            buffer = host.Accelerator.Allocate1D(vector);
            vectors.Add(vector, buffer);
        }

        return buffer.View.BaseView;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        passing?.Dispose();
        IEnumerable<IDisposable> all = [.. matrices.Values, .. experts.Values, .. vectors.Values];
        foreach (IDisposable owned in all)
        {
            owned.Dispose();
        }
    }
}
