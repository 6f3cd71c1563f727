using System.Collections.Generic;

namespace RingFlash.Reference.Comparison;

/// <summary>What another program computed, in our names and axes, with what could not be brought there.</summary>
public sealed class Candidate
{
    /// <summary>The path as given.</summary>
    public required string Description { get; init; }

    /// <summary>By tap name.</summary>
    public required IReadOnlyDictionary<string, CandidateTap> Taps { get; init; }

    /// <summary>Names of the dump that no map knows.</summary>
    public IReadOnlyList<string> Unmapped { get; init; } = [];

    /// <summary>Taps that two or more tensors of the dump claim, with their names; none of them is used.</summary>
    public IReadOnlyList<string> Doubles { get; init; } = [];

    /// <summary>What the reader should know beside: files not read, layouts applied.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
