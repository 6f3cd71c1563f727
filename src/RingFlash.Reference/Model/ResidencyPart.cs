using System;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <summary>Matrices that come into memory and leave it together: an expert, or what is dense of a layer.</summary>
internal sealed class ResidencyPart
{
    private readonly WeightMatrix[] matrices;
    private readonly AlignedBuffer?[] buffers;
    private Task? reading;

    /// <summary>Names the matrices; reads nothing.</summary>
    /// <param name="matrices">The matrices.</param>
    public ResidencyPart(WeightMatrix[] matrices)
    {
        this.matrices = matrices;
        buffers = new AlignedBuffer?[matrices.Length];
        foreach (WeightMatrix matrix in matrices)
        {
            ByteCount += matrix.PackedBytes;
        }
    }

    /// <summary>The bytes that the matrices take in memory.</summary>
    public long ByteCount { get; }

    /// <summary>Whether the part stays once it is read.</summary>
    public bool IsKept { get; set; }

    /// <summary>Whether the part is in memory.</summary>
    public bool IsHere => reading is { IsCompletedSuccessfully: true };

    /// <summary>Orders the part to be read behind what was ordered before; does nothing when it was, unless that
    /// failed.</summary>
    /// <param name="memory">Where to. A matrix that gets no room stays where it is and is read as it is used.</param>
    /// <param name="readers">Who reads.</param>
    /// <param name="tail">What was ordered last; becomes this.</param>
    /// <returns>Whether it had to be ordered.</returns>
    public bool Read(PanelMemory memory, WorkerPool readers, ref Task tail)
    {
        if (reading is { IsFaulted: false })
        {
            return false;
        }

        for (int index = 0; index < matrices.Length; index++)
        {
            buffers[index] ??= memory.Take(matrices[index].PackedBytes);
        }

        tail = reading = tail.ContinueWith(
            _ => Pack(readers), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return true;
    }

    /// <summary>Waits until the part is there.</summary>
    /// <exception cref="EnvironmentException">It cannot be read.</exception>
    public void Wait() => reading!.GetAwaiter().GetResult();

    /// <summary>Gives the memory back. No product with the part may be running.</summary>
    /// <param name="memory">Where it came from.</param>
    public void Release(PanelMemory memory)
    {
        if (reading is null)
        {
            return;
        }

        Task.WaitAny(reading); // unlike Wait, this leaves a failure to whoever wants the part
        reading = null;
        for (int index = 0; index < matrices.Length; index++)
        {
            if (buffers[index] is AlignedBuffer buffer)
            {
                matrices[index].Unpack();
                memory.GiveBack(buffer);
                buffers[index] = null;
            }
        }
    }

    private void Pack(WorkerPool readers)
    {
        for (int index = 0; index < matrices.Length; index++)
        {
            if (buffers[index] is AlignedBuffer buffer)
            {
                matrices[index].PackInto(buffer, readers);
            }
        }
    }
}
