using System;

namespace RingFlash.Reference.Objective.Theory;

/// <summary>The per-token factors that the toys compare; k is the ratio train over inference of a token.</summary>
public enum TheoryOperator
{
    /// <summary>1: the difference between the engines is ignored (GRPO).</summary>
    Uncorrected,

    /// <summary>k: plain importance sampling, unbiased and heavy-tailed.</summary>
    ImportanceSampling,

    /// <summary>min(k, C): truncated importance sampling, TIS.</summary>
    TruncatedImportanceSampling,

    /// <summary>k inside [α, β], 0 outside: IcePop.</summary>
    IcePop,

    /// <summary>1 inside [α, β], 0 outside. <em>Not</em> IcePop: the factor k is missing.</summary>
    BinaryMask,
}

/// <summary>The factors of <see cref="TheoryOperator"/> for one token, in float64 and in ratio space.</summary>
/// <remarks>
/// A toy enumerates probabilities, so its ratios are finite and its band is decided on the ratio itself. The objective
/// decides on logarithms (rule N1), which matters only for tokens within a few ulps of an end.
/// </remarks>
/// <param name="Alpha">The lower end of the band, kept.</param>
/// <param name="Beta">The upper end of the band, kept.</param>
/// <param name="Cap">C of TIS.</param>
public sealed record EngineWeights(double Alpha, double Beta, double Cap)
{
    /// <summary>The report's band 0.5 … 5 and the usual cap 2.</summary>
    public static EngineWeights Default { get; } = new(0.5, 5, 2);

    /// <summary>Whether the closed band holds a ratio; false for NaN.</summary>
    /// <param name="ratio">k.</param>
    /// <returns>α ≤ k ≤ β.</returns>
    public bool InBand(double ratio) => ratio >= Alpha && ratio <= Beta;

    /// <summary>The factor on the token's surrogate.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="ratio">k, finite.</param>
    /// <returns>The factor.</returns>
    public double Weight(TheoryOperator kind, double ratio) => kind switch
    {
        TheoryOperator.Uncorrected => 1,
        TheoryOperator.ImportanceSampling => ratio,
        TheoryOperator.TruncatedImportanceSampling => Math.Min(ratio, Cap),
        TheoryOperator.IcePop => InBand(ratio) ? ratio : 0,
        TheoryOperator.BinaryMask => InBand(ratio) ? 1 : 0,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such operator"),
    };

    /// <summary>The name that a legend shows.</summary>
    /// <param name="kind">Which.</param>
    /// <returns>E.g. <c>IcePop</c>.</returns>
    public static string Name(TheoryOperator kind) => kind switch
    {
        TheoryOperator.Uncorrected => "GRPO (no correction)",
        TheoryOperator.ImportanceSampling => "importance sampling",
        TheoryOperator.TruncatedImportanceSampling => "TIS",
        TheoryOperator.IcePop => "IcePop",
        TheoryOperator.BinaryMask => "binary mask",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such operator"),
    };
}
