using System;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>MIS per response: the product K of the token ratios, on every token, while it lies in the band.</summary>
/// <param name="Lowest">The lower end, ≥ 0.</param>
/// <param name="Highest">The upper end.</param>
public sealed record MaskedSequenceCorrection(double Lowest, double Highest) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => "mis-sequence";

    /// <inheritdoc/>
    public override string Formula => "K · 1[lo ≤ K ≤ hi], K = Π k";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => false;

    /// <inheritdoc/>
    public override void Require() => IcePopMask.RequireBand(Lowest, Highest);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        T sum = ResponseBand.SumOfLogRatios<T, TArithmetic>(row, out _); // the product stays in log space
        T product = TArithmetic.Exp(sum);
        ResponseBand.Apply(row, row.Band(sum, product, Lowest, Highest), product);
    }
}

/// <summary>A response is kept while the geometric mean of its token ratios lies in the band.</summary>
/// <param name="Lowest">The lower end, ≥ 0.</param>
/// <param name="Highest">The upper end.</param>
/// <param name="TimesRatio">Kept tokens get their k; else 1.</param>
public sealed record GeometricMaskCorrection(double Lowest, double Highest, bool TimesRatio) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => TimesRatio ? "geometric-mask-k" : "geometric-mask";

    /// <inheritdoc/>
    public override string Formula => (TimesRatio ? "k · " : string.Empty) + "1[lo ≤ exp(mean Δ) ≤ hi]";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => TimesRatio;

    /// <inheritdoc/>
    public override void Require() => IcePopMask.RequireBand(Lowest, Highest);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        T sum = ResponseBand.SumOfLogRatios<T, TArithmetic>(row, out int count);
        T mean = count == 0 ? T.Zero : sum / T.CreateChecked(count);
        ResponseBand.Apply(
            row, row.Band(mean, TArithmetic.Exp(mean), Lowest, Highest), TimesRatio ? null : T.One);
    }
}

/// <summary>A response is dropped whole when any of its tokens leaves the band.</summary>
/// <param name="Lowest">The lower end, ≥ 0.</param>
/// <param name="Highest">The upper end.</param>
/// <param name="TimesRatio">Kept tokens get their k; else 1.</param>
public sealed record VetoCorrection(double Lowest, double Highest, bool TimesRatio) : EngineCorrection
{
    /// <inheritdoc/>
    public override string Name => TimesRatio ? "veto-k" : "veto";

    /// <inheritdoc/>
    public override string Formula => (TimesRatio ? "k · " : string.Empty) + "1[lo ≤ min k, max k ≤ hi]";

    /// <inheritdoc/>
    public override bool FollowsTokenRatio => TimesRatio;

    /// <inheritdoc/>
    public override void Require() => IcePopMask.RequireBand(Lowest, Highest);

    internal override void Decide<T, TArithmetic>(CorrectionRow<T> row)
    {
        TokenBand.Decide(row, Lowest, Highest, TimesRatio);
        bool vetoed =
            row.Decisions.Contains(TokenDecision.MaskedLow) || row.Decisions.Contains(TokenDecision.MaskedHigh);
        for (int t = 0; t < row.Weights.Length; t++)
        {
            if (vetoed && row.Decisions[t] == TokenDecision.Kept)
            {
                row.Decisions[t] = TokenDecision.Dropped;
            }
        }
    }
}

/// <summary>What the response-level masks share. Tokens that are not finite are left out and stay dropped.</summary>
internal static class ResponseBand
{
    public static T SumOfLogRatios<T, TArithmetic>(CorrectionRow<T> row, out int count)
        where T : struct, IBinaryFloatingPointIeee754<T>
        where TArithmetic : struct, IRowArithmetic<T>
    {
        count = 0;
        for (int t = 0; t < row.Weights.Length; t++)
        {
            bool kept = row.Decisions[t] == TokenDecision.Kept;
            row.Weights[t] = kept ? row.LogRatios[t] : T.Zero; // scratch until the verdict
            count += kept ? 1 : 0;
        }

        return TArithmetic.Sum(row.Weights);
    }

    public static void Apply<T>(CorrectionRow<T> row, TokenDecision verdict, T? weight)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        for (int t = 0; t < row.Weights.Length; t++)
        {
            if (row.Decisions[t] == TokenDecision.Kept)
            {
                row.Decisions[t] = verdict;
                row.Weights[t] = weight ?? row.Ratios[t];
            }
        }
    }
}
