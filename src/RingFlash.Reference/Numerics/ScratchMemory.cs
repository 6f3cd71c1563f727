using System;

namespace RingFlash.Reference.Numerics;

/// <summary>Memory that is kept from call to call and grows to the largest wish. For one user at a time.</summary>
internal sealed unsafe class ScratchMemory : IDisposable
{
    private const int Granularity = 16; // floats of a cache line
    private readonly AlignedBuffer buffer = new(0);

    /// <summary>Memory with undefined contents; what was handed out before is no longer valid.</summary>
    /// <param name="length">The number of floats.</param>
    /// <returns>The first of them, on a 64-byte border.</returns>
    public float* Reserve(long length)
    {
        if (buffer.Length < length)
        {
            buffer.Replace(RoundUp(length + (length / 4))); // a little more, so that growth is rare
        }

        return buffer.Pointer;
    }

    /// <summary>A length that keeps what follows on a 64-byte border.</summary>
    /// <param name="length">The number of floats.</param>
    /// <returns>The next multiple of sixteen.</returns>
    public static long RoundUp(long length) => (length + Granularity - 1) / Granularity * Granularity;

    /// <inheritdoc/>
    public void Dispose() => buffer.Dispose();
}
