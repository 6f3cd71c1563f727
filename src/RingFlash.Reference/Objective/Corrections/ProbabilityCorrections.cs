using System;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// KPop: a token is kept while both divergences between the two engines' views of it, as a coin that shows this token
/// or not, are small. Whether its authors multiply by k is not established.
/// </summary>
/// <param name="Threshold">φ ≥ 0; values seen are 0.1 to 2.</param>
/// <param name="TimesRatio">Kept tokens get their k (AReaL); else 1 (the report's indicator).</param>
/// <param name="ProbabilityClamp">The smallest probability of the token and of its complement, which may be 0.</param>
public sealed record KPopCorrection(double Threshold, bool TimesRatio, double ProbabilityClamp = 1e-8)
    : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => TimesRatio ? "kpop-k" : "kpop";

    /// <inheritdoc/>
    public override string Formula => (TimesRatio ? "k · " : string.Empty) + "1[D(p‖q) ≤ φ and D(q‖p) ≤ φ]";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => TimesRatio;

    /// <inheritdoc/>
    public override bool NeedsProbabilities => true;

    /// <inheritdoc/>
    public override void Require()
    {
        Require(Threshold >= 0, "The threshold must be at least 0", Threshold);
        Require(
            ProbabilityClamp > 0 && ProbabilityClamp < 0.5, "The clamp must be between 0 and 0.5", ProbabilityClamp);
    }

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        T threshold = T.CreateSaturating(Threshold);
        for (int t = 0; t < row.Weights.Length; t++)
        {
            if (row.Decisions[t] == TokenDecision.Kept)
            {
                (T p, T notP) = Coin<T, TArithmetic>(row.Training[t]);
                (T q, T notQ) = Coin<T, TArithmetic>(row.Inference[t]);
                T logOdds = TArithmetic.Log(p / q), logComplement = TArithmetic.Log(notP / notQ);
                T forward = (p * logOdds) + (notP * logComplement);
                T backward = -((q * logOdds) + (notQ * logComplement));

                // Rounding may leave a tiny divergence of different coins at or below 0; a threshold of 0 keeps equals
                // only.
                bool near = forward <= threshold && backward <= threshold && (Threshold > 0 || p == q);
                row.Decisions[t] = near ? TokenDecision.Kept : ProbabilityGap.Side(row.LogRatios[t]);
                row.Weights[t] = TimesRatio ? row.Ratios[t] : T.One;
            }
        }
    }

    private (T Probability, T Complement) Coin<T, TArithmetic>(T logProbability)
        where T : struct, IBinaryFloatingPointIeee754<T>
        where TArithmetic : struct, IRowArithmetic<T>
    {
        T clamp = T.CreateSaturating(ProbabilityClamp);
        T probability = TArithmetic.Exp(logProbability);
        T complement = T.One - probability;
        probability = probability < clamp ? clamp : probability > T.One - clamp ? T.One - clamp : probability;
        return (probability, complement < clamp ? clamp : complement > T.One - clamp ? T.One - clamp : complement);
    }
}

/// <summary>prime-rl's IPO: a token is kept while the two probabilities differ by no more than ε.</summary>
/// <param name="Width">ε ≥ 0.</param>
/// <param name="TimesRatio">Kept tokens get their k; else 1.</param>
public sealed record ProbabilityGapCorrection(double Width, bool TimesRatio) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => TimesRatio ? "ipo-k" : "ipo";

    /// <inheritdoc/>
    public override string Formula => (TimesRatio ? "k · " : string.Empty) + "1[|p − q| ≤ ε]";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => TimesRatio;

    /// <inheritdoc/>
    public override bool NeedsProbabilities => true;

    /// <inheritdoc/>
    public override void Require() => Require(Width >= 0, "The width must be at least 0", Width);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        T width = T.CreateSaturating(Width);
        for (int t = 0; t < row.Weights.Length; t++)
        {
            if (row.Decisions[t] == TokenDecision.Kept)
            {
                T gap = ProbabilityGap.Of<T, TArithmetic>(row, t);
                row.Decisions[t] = T.Abs(gap) > width ? ProbabilityGap.Side(row.LogRatios[t]) : TokenDecision.Kept;
                row.Weights[t] = TimesRatio ? row.Ratios[t] : T.One;
            }
        }
    }
}

/// <summary>
/// DPPO (arXiv 2602.04879): a token is dropped when its probability has already moved too far in the direction in which
/// the update pushes it, up for a positive advantage, down for a negative one.
/// </summary>
/// <param name="Width">The largest move; prime-rl uses 0.2.</param>
/// <param name="TimesRatio">Kept tokens get their k; else 1.</param>
public sealed record DirectedGapCorrection(double Width, bool TimesRatio) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => TimesRatio ? "dppo-k" : "dppo";

    /// <inheritdoc/>
    public override string Formula => (TimesRatio ? "k · " : string.Empty) + "1[not (sign Â · (p − q) > δ)]";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => TimesRatio;

    /// <inheritdoc/>
    public override bool NeedsProbabilities => true;

    /// <inheritdoc/>
    public override void Require() => Require(Width >= 0, "The width must be at least 0", Width);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        T width = T.CreateSaturating(Width);
        for (int t = 0; t < row.Weights.Length; t++)
        {
            if (row.Decisions[t] == TokenDecision.Kept)
            {
                T gap = ProbabilityGap.Of<T, TArithmetic>(row, t);
                bool tooFar = row.Advantage > T.Zero ? gap > width : row.Advantage < T.Zero && gap < -width;
                row.Decisions[t] = tooFar ? ProbabilityGap.Side(row.LogRatios[t]) : TokenDecision.Kept;
                row.Weights[t] = TimesRatio ? row.Ratios[t] : T.One;
            }
        }
    }
}

/// <summary>A factor and a filter of different methods: the first one's weight where both keep (ROLL, SkyRL,
/// xtuner).</summary>
/// <param name="Factor">Gives the weight.</param>
/// <param name="Filter">Only decides.</param>
public sealed record CombinedCorrection(EngineCorrection Factor, EngineCorrection Filter) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => $"{Factor.Name}+{Filter.Name}";

    /// <inheritdoc/>
    public override string Formula => $"({Factor.Formula}) where both keep with ({Filter.Formula})";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => Factor.FollowsTokenRatio;

    /// <inheritdoc/>
    public override bool NeedsProbabilities => Factor.NeedsProbabilities || Filter.NeedsProbabilities;

    /// <inheritdoc/>
    public override void Require()
    {
        Factor.Require();
        Filter.Require();
    }

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        TokenDecision[] before = row.Decisions.ToArray();
        Filter.Decide<T, TArithmetic>(row);
        TokenDecision[] filtered = row.Decisions.ToArray();
        before.AsSpan().CopyTo(row.Decisions); // the factor sees all tokens, as if the filter did not exist
        row.Weights.Clear();
        Factor.Decide<T, TArithmetic>(row);
        for (int t = 0; t < filtered.Length; t++)
        {
            row.Decisions[t] = row.Decisions[t] == TokenDecision.Kept ? filtered[t] : row.Decisions[t];
        }
    }
}

/// <summary>What the masks over probabilities share.</summary>
internal static class ProbabilityGap
{
    public static T Of<T, TArithmetic>(CorrectionRow<T> row, int t)
        where T : struct, IBinaryFloatingPointIeee754<T>
        where TArithmetic : struct, IRowArithmetic<T> =>
        TArithmetic.Exp(row.Training[t]) - TArithmetic.Exp(row.Inference[t]);

    public static TokenDecision Side<T>(T logRatio)
        where T : struct, IBinaryFloatingPointIeee754<T> =>
        logRatio < T.Zero ? TokenDecision.MaskedLow : TokenDecision.MaskedHigh;
}
