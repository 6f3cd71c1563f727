using System;

namespace RingFlash.Reference.Dumps;

/// <summary>Bytes in memory: values that a file spells out as text.</summary>
/// <param name="name">Where they come from, for messages.</param>
/// <param name="bytes">The bytes.</param>
internal sealed class MemorySource(string name, byte[] bytes) : ByteSource
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override long Length => bytes.Length;

    /// <inheritdoc/>
    public override void ReadExactly(long offset, Span<byte> destination) =>
        bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
}
