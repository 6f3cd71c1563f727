using System;
using System.Collections.Generic;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>One tensor of a dump, row-major.</summary>
public abstract class DumpTensor
{
    /// <summary>The name that the writer gave it.</summary>
    public abstract string Name { get; }

    /// <summary>File and place within it, for messages.</summary>
    public abstract string Place { get; }

    /// <summary>How an element is stored.</summary>
    public abstract ElementType ElementType { get; }

    /// <summary>The axes.</summary>
    public abstract IReadOnlyList<long> Shape { get; }

    /// <summary>What the writer says beside the values: step, rank, dims, …; may be empty.</summary>
    public abstract IReadOnlyDictionary<string, string> Attributes { get; }

    /// <summary>
    /// Reads consecutive elements as float32; exact for all types but float64 and wide integers.
    /// </summary>
    /// <param name="first">The flat index of the first.</param>
    /// <param name="destination">As many as wanted.</param>
    public abstract void ReadSingle(long first, Span<float> destination);

    /// <summary>Reads consecutive elements of an integer or Boolean type.</summary>
    /// <param name="first">The flat index of the first.</param>
    /// <param name="destination">As many as wanted.</param>
    /// <exception cref="InvalidInputException">The tensor holds no integers.</exception>
    public abstract void ReadInt64(long first, Span<long> destination);
}
