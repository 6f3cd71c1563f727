using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>No factor: GRPO and PPO, which ignore that the sampler is another engine.</summary>
public sealed record NoCorrection : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => "grpo";

    /// <inheritdoc/>
    public override string Formula => "1";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => false;

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        for (int t = 0; t < row.Weights.Length; t++)
        {
            row.Weights[t] = T.One; // the caller zeroes what is not kept
        }
    }
}

/// <summary>Plain importance sampling: unbiased, with a heavy tail.</summary>
public sealed record ImportanceSamplingCorrection : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => "importance-sampling";

    /// <inheritdoc/>
    public override string Formula => "k";

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row) => row.Ratios.CopyTo(row.Weights);
}

/// <summary>IcePop: k inside the closed band, nothing outside.</summary>
/// <param name="Alpha">The lower end, ≥ 0.</param>
/// <param name="Beta">The upper end, ≥ Alpha; +∞ allowed.</param>
public sealed record IcePopCorrection(double Alpha, double Beta) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => "icepop";

    /// <inheritdoc/>
    public override string Formula => "k · 1[α ≤ k ≤ β]";

    /// <inheritdoc/>
    public override void Require() => IcePopMask.RequireBand(Alpha, Beta);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row) =>
        TokenBand.Decide(row, Alpha, Beta, timesRatio: true);
}

/// <summary>TIS, truncated importance sampling: min(k, C).</summary>
/// <param name="Cap">C > 0; 2 is usual.</param>
public sealed record TruncatedCorrection(double Cap) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => "tis";

    /// <inheritdoc/>
    public override string Formula => "min(k, C)";

    /// <inheritdoc/>
    public override void Require() => Require(Cap > 0, "The cap must be above 0", Cap);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        T cap = T.CreateSaturating(Cap);
        for (int t = 0; t < row.Weights.Length; t++)
        {
            row.Weights[t] = row.Ratios[t] > cap ? cap : row.Ratios[t];
        }
    }
}

/// <summary>A clamp from both sides, slime's "vanilla" TIS: a small k is raised.</summary>
/// <param name="Lowest">The smallest weight, ≥ 0.</param>
/// <param name="Highest">The largest weight.</param>
public sealed record TwoSidedClampCorrection(double Lowest, double Highest) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => "two-sided-clamp";

    /// <inheritdoc/>
    public override string Formula => "min(max(k, lo), hi)";

    /// <inheritdoc/>
    public override void Require() => IcePopMask.RequireBand(Lowest, Highest);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        T lowest = T.CreateSaturating(Lowest), highest = T.CreateSaturating(Highest);
        for (int t = 0; t < row.Weights.Length; t++)
        {
            T ratio = row.Ratios[t];
            row.Weights[t] = ratio < lowest ? lowest : ratio > highest ? highest : ratio;
        }
    }
}

/// <summary>MIS per token, masked above only: k · 1[k ≤ C]. Two-sided it would be IcePop.</summary>
/// <param name="Cap">C > 0.</param>
public sealed record MaskedTokenCorrection(double Cap) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => "mis-token";

    /// <inheritdoc/>
    public override string Formula => "k · 1[k ≤ C]";

    /// <inheritdoc/>
    public override void Require() => IcePopMask.RequireBand(0, Cap);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row) =>
        TokenBand.Decide(row, 0, Cap, timesRatio: true);
}

/// <summary>The band as a filter without the factor: often called IcePop, and not IcePop.</summary>
/// <param name="Alpha">The lower end, ≥ 0.</param>
/// <param name="Beta">The upper end.</param>
/// <param name="InverseDirection">The band is applied to inference over training, 1/k, as verl's rejection
/// does.</param>
public sealed record BinaryMaskCorrection(double Alpha, double Beta, bool InverseDirection = false) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => InverseDirection ? "binary-mask-inverse" : "binary-mask";

    /// <inheritdoc/>
    public override string Formula => InverseDirection ? "1[α ≤ 1/k ≤ β]" : "1[α ≤ k ≤ β]";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => false;

    /// <inheritdoc/>
    public override void Require() => IcePopMask.RequireBand(Alpha, Beta);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        if (!InverseDirection)
        {
            TokenBand.Decide(row, Alpha, Beta, timesRatio: false);
            return;
        }

        for (int t = 0; t < row.Weights.Length; t++)
        {
            if (row.Decisions[t] == TokenDecision.Kept)
            {
                TokenDecision mirrored = row.Band(-row.LogRatios[t], T.One / row.Ratios[t], Alpha, Beta);
                row.Decisions[t] = mirrored switch
                {
                    TokenDecision.MaskedLow => TokenDecision.MaskedHigh, // low and high always speak of k
                    TokenDecision.MaskedHigh => TokenDecision.MaskedLow,
                    _ => mirrored,
                };
                row.Weights[t] = T.One;
            }
        }
    }
}

/// <summary>What the token bands share.</summary>
internal static class TokenBand
{
    public static void Decide<T>(CorrectionRow<T> row, double lowest, double highest, bool timesRatio)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        for (int t = 0; t < row.Weights.Length; t++)
        {
            if (row.Decisions[t] == TokenDecision.Kept)
            {
                row.Decisions[t] = row.Band(row.LogRatios[t], row.Ratios[t], lowest, highest);
                row.Weights[t] = timesRatio ? row.Ratios[t] : T.One;
            }
        }
    }
}
