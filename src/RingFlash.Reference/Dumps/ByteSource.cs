using System;

namespace RingFlash.Reference.Dumps;

/// <summary>Bytes that are read by offset: a file, or an entry of an archive. Threads may read at once.</summary>
internal abstract class ByteSource
{
    /// <summary>The file, and the entry within it; for messages.</summary>
    public abstract string Name { get; }

    /// <summary>The number of bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Reads a range that lies within <see cref="Length"/>.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="destination">[count], bytes, written.</param>
    /// <exception cref="Numerics.EnvironmentException">The file shrank, changed or cannot be read.</exception>
    /// <exception cref="Numerics.InvalidInputException">A compressed entry is damaged.</exception>
    public abstract void ReadExactly(long offset, Span<byte> destination);
}
