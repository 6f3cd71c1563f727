using System.Collections.Generic;

namespace RingFlash.Reference.Comparison;

/// <summary>What another program computed, in our names and axes, with what could not be brought there.</summary>
public sealed class Candidate
{
    /// <summary>The path as given.</summary>
    public required string Description { get; init; }

    /// <summary>By tap name.</summary>
    public required IReadOnlyDictionary<string, CandidateTap> Taps { get; init; }

    /// <summary>
    /// What the candidate says it was fed, by our name (<c>input_ids</c>, <c>position_ids</c>, <c>attention_mask</c>,
    /// <c>labels</c>), in its own axes.
    /// </summary>
    public IReadOnlyDictionary<string, CandidateTap> Inputs { get; init; } = new Dictionary<string, CandidateTap>();

    /// <summary>Weights as it loaded them, by checkpoint name, in the checkpoint's axes where these fit.</summary>
    public IReadOnlyDictionary<string, CandidateTap> Weights { get; init; } = new Dictionary<string, CandidateTap>();

    /// <summary>Names of the dump that no map knows.</summary>
    public IReadOnlyList<string> Unmapped { get; init; } = [];

    /// <summary>Taps that two or more tensors of the dump claim, with their names; none of them is used.</summary>
    public IReadOnlyList<string> Doubles { get; init; } = [];

    /// <summary>Tensors of a known name whose axes are not those of their tap, and why; none of them is used.</summary>
    public IReadOnlyList<string> Misfits { get; init; } = [];

    /// <summary>What the reader should know beside: files not read, layouts applied.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
