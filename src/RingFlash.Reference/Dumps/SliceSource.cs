using System;

namespace RingFlash.Reference.Dumps;

/// <summary>A range of another source; the caller has checked that it lies within.</summary>
/// <param name="source">The whole.</param>
/// <param name="name">The part, for messages.</param>
/// <param name="start">The first byte.</param>
/// <param name="length">The number of bytes.</param>
internal sealed class SliceSource(ByteSource source, string name, long start, long length) : ByteSource
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override long Length => length;

    /// <inheritdoc/>
    public override void ReadExactly(long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, length - destination.Length);
        source.ReadExactly(start + offset, destination);
    }
}
