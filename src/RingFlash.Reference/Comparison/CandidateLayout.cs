namespace RingFlash.Reference.Comparison;

/// <summary>What the user declares of a dump that its tensors do not say themselves.</summary>
public sealed record CandidateLayout
{
    /// <summary>
    /// Which step of a dump of several is compared: the <c>step</c> of SGLang's dumper; null where there is one.
    /// </summary>
    public int? Step { get; init; }

    /// <summary>
    /// On which side the candidate's shorter sequences are padded; null: as the reference's, or as the
    /// <c>attention_mask</c> in the dump says.
    /// </summary>
    public PaddingSide? Padding { get; init; }

    /// <summary>The ranks of tensor parallelism; null: as the dump's attributes say, or one.</summary>
    public int? TensorParallelSize { get; init; }
}

/// <summary>Where padding tokens stand.</summary>
public enum PaddingSide
{
    /// <summary>Before the sequence.</summary>
    Left,

    /// <summary>Behind it.</summary>
    Right,
}
