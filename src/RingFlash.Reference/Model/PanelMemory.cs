using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <summary>
/// Memory for weights that come and go, never more than a limit. A buffer that comes back waits for the next weight of
/// its size: layers are alike, so after the first of them nothing is allocated. For one thread.
/// </summary>
internal sealed class PanelMemory : IDisposable
{
    private readonly long limit;
    private readonly Dictionary<long, Stack<AlignedBuffer>> idle = [];

    /// <summary>Takes nothing yet.</summary>
    /// <param name="limit">The most bytes to hold, idle ones included.</param>
    public PanelMemory(long limit) => this.limit = limit;

    /// <summary>The bytes held, in use or idle.</summary>
    public long HeldBytes { get; private set; }

    /// <summary>The most bytes that were ever held.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>A buffer with undefined contents.</summary>
    /// <param name="bytes">Its size, a multiple of 4.</param>
    /// <returns>The buffer; null when it does not fit under the limit.</returns>
    public AlignedBuffer? Take(long bytes)
    {
        if (idle.TryGetValue(bytes, out Stack<AlignedBuffer>? sameSize) && sameSize.Count > 0)
        {
            return sameSize.Pop();
        }

        while (HeldBytes + bytes > limit
            && idle.Values.FirstOrDefault(stack => stack.Count > 0) is Stack<AlignedBuffer> otherSize)
        {
            Free(otherSize.Pop());
        }

        if (HeldBytes + bytes > limit)
        {
            return null;
        }

        HeldBytes += bytes;
        PeakBytes = Math.Max(PeakBytes, HeldBytes);
        return new AlignedBuffer(bytes / sizeof(float));
    }

    /// <summary>Takes a buffer back; nobody may be reading it.</summary>
    /// <param name="buffer">From <see cref="Take"/>.</param>
    public void GiveBack(AlignedBuffer buffer)
    {
        long bytes = buffer.Length * sizeof(float);
        if (!idle.TryGetValue(bytes, out Stack<AlignedBuffer>? sameSize))
        {
            idle[bytes] = sameSize = [];
        }

        sameSize.Push(buffer);
    }

    /// <summary>Frees the idle buffers; those in use have to come back first.</summary>
    public void Dispose()
    {
        foreach (AlignedBuffer buffer in idle.Values.SelectMany(stack => stack))
        {
            Free(buffer);
        }

        idle.Clear();
    }

    private void Free(AlignedBuffer buffer)
    {
        HeldBytes -= buffer.Length * sizeof(float);
        buffer.Dispose();
    }
}
