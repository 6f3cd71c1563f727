using System;
using System.Collections.Generic;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// One result of the candidate under our name and in our axes (those of the golden format's taps), whatever its
/// writer called it and however it laid it out.
/// </summary>
/// <param name="Name">The tap, e.g. <c>model.layers.0.mlp.output</c>.</param>
/// <param name="Source">Where it comes from: the writer's names and files, for messages.</param>
/// <param name="ElementType">How the candidate stored it: what it was rounded to.</param>
/// <param name="Shape">The axes of the tap.</param>
public abstract record CandidateTap(string Name, string Source, ElementType ElementType, IReadOnlyList<long> Shape)
{
    /// <summary>
    /// Which rows b·T + t of the reference the candidate has, ascending; null for all. When given, the tap's axes are
    /// [1, rows, …] for [b, t, …], [rows, …] for [n, …] and [1, heads, rows, head_dim] for [b, heads, t, head_dim]:
    /// logits of the last token only, or a packed batch without its padding.
    /// </summary>
    public IReadOnlyList<int>? Rows { get; init; }

    /// <summary>The number of elements.</summary>
    public long ElementCount => new TensorInfo(Name, ElementType, Shape).ElementCount;

    /// <summary>Reads consecutive elements as float32.</summary>
    /// <param name="first">The flat index of the first, in our axes.</param>
    /// <param name="destination">As many as wanted.</param>
    public abstract void ReadSingle(long first, Span<float> destination);

    /// <summary>Reads all elements as integers: expert indices, token ids.</summary>
    /// <returns>The values.</returns>
    public abstract long[] ReadInt64();
}
