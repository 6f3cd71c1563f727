using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Makes a tap's budget from what legal variants did on the same inputs, and holds the candidate to it. The derivation
/// is on this folder's page.
/// </summary>
internal static class BandBudget
{
    /// <summary>Of the whole tap: an L2 norm over hundreds of roundings hardly varies.</summary>
    public const double L2Factor = 3;

    /// <summary>Of one token, and of one element: maxima of samples vary more.</summary>
    public const double MaximumFactor = 4;

    /// <summary>
    /// How near a router must come to one of the legal variants, as the median token, where these are all there are:
    /// about a quarter of what rounding its logits to bfloat16 does, and above what the few roundings of the norm do
    /// that another order of a sum turns. Estimated on the folder's page.
    /// </summary>
    public const double RouterTolerance = 1.0 / (1 << 13);

    private const int HistogramSize = 20;

    /// <summary>Judges a tap.</summary>
    /// <param name="item">The tap with its variants.</param>
    /// <param name="names">The variants' names.</param>
    /// <param name="node">Where it stands in the flow of data.</param>
    /// <param name="segment">What it was computed from.</param>
    /// <param name="underBFloat16">Whether the candidate computes in bfloat16 or coarser.</param>
    /// <param name="isLeftOut">Whether a token lies behind an undecided choice.</param>
    /// <returns>The finding.</returns>
    public static TapFinding Judge(
        TapItem item,
        IReadOnlyList<string> names,
        DataFlowNode node,
        FlowSegment segment,
        bool underBFloat16,
        Func<int, bool> isLeftOut)
    {
        bool[] present = TapShape.Present(item.Tap, item.Map.Count);
        bool[] kept = [.. present.Select((value, token) => value && !isLeftOut(token))];
        TokenErrors theirs = TokenErrors.Between(item.Candidate, item.Reference, item.Map);
        double[] norms = TokenErrors.Squares(item.Reference, item.Map);
        double norm = Math.Sqrt(Sum(norms, kept));
        double largest = LargestOf(item.Reference, item.Map, kept);
        NoiseBand band = Band(item.Variants, norms, kept);
        NoiseBand budget = Budget(band, UnitRoundoff(item.Tap, underBFloat16), largest);
        double l2 = Relative(Math.Sqrt(Sum(theirs.Squared, kept)), norm);
        double perToken = WorstToken(theirs, norms, kept, out int worstToken);
        double element = Max(theirs.Largest, kept, out int elementToken);
        double over = MaxNumber(
            Ratio(l2, budget.L2Relative), Ratio(perToken, budget.TokenRelative), Ratio(element, budget.Largest));
        if (underBFloat16 && IsRouterAfterNorm(node, segment))
        {
            over = Math.Max(over, MedianFromNearest(item, norms, kept) / RouterTolerance);
        }

        int token = Ratio(perToken, budget.TokenRelative) > Ratio(element, budget.Largest) ? worstToken : elementToken;
        int nearest = Enumerable.Range(0, item.FromVariants.Count).DefaultIfEmpty(-1)
            .MinBy(index => index < 0 ? 0 : Sum(item.FromVariants[index].Squared, kept));
        bool compared = kept.Contains(true);
        return new TapFinding
        {
            Id = IdOf(node),
            Tap = node.Name,
            Layer = node.Layer,
            Blocks = segment.Blocks,
            Operators = segment.Operators,
            Inputs = segment.Inputs,
            Distance = Distance(item, kept, l2, element, largest),
            Band = band,
            Budget = budget,
            OverBudget = over,
            NearestVariant = nearest < 0 ? string.Empty : names[nearest],
            NearestL2Relative = nearest < 0
                ? 0
                : Relative(Math.Sqrt(Sum(item.FromVariants[nearest].Squared, kept)), norm),
            TokenErrors = PerToken(theirs, norms, kept),
            UlpHistogram = Histogram(item, kept),
            TokensLeftOut = present.Count(value => value) - kept.Count(value => value),
            Worst = compared ? WorstOf(item, token, kept) : null,
            Verdict = !compared ? Verdict.NotChecked : over <= 1 ? Verdict.Passed : Verdict.Failed,
            Note = compared ? string.Empty : "every token lies behind an undecided choice of experts",
        };
    }

    /// <summary>The stable name of a result: <c>layer/operator/tap</c>.</summary>
    /// <param name="node">The result.</param>
    /// <returns>The name.</returns>
    public static string IdOf(DataFlowNode node) =>
        FormattableString.Invariant($"{node.Layer?.ToString() ?? "-"}/{node.Operators.LastOrDefault()}/{node.Name}");

    /// <summary>Distance and band of a drift.</summary>
    /// <param name="item">The tap with its variants.</param>
    /// <param name="node">Where it stands.</param>
    /// <returns>The point.</returns>
    public static DriftPoint Drift(TapItem item, DataFlowNode node)
    {
        bool[] kept = TapShape.Present(item.Tap, item.Map.Count);
        TokenErrors theirs = TokenErrors.Between(item.Candidate, item.Reference, item.Map);
        double[] norms = TokenErrors.Squares(item.Reference, item.Map);
        double l2 = Relative(Math.Sqrt(Sum(theirs.Squared, kept)), Math.Sqrt(Sum(norms, kept)));
        double element = Max(theirs.Largest, kept, out _);
        return new DriftPoint(
            node.Name,
            node.Layer,
            Distance(item, kept, l2, element, LargestOf(item.Reference, item.Map, kept)),
            Band(item.Variants, norms, kept),
            PerToken(theirs, norms, kept));
    }

    // NaN is a token that was left out, so values that are none have an error without bound.
    private static double[] PerToken(TokenErrors errors, double[] norms, bool[] kept) =>
    [
        .. norms.Select((square, token) => !kept[token] ? double.NaN
            : Relative(Math.Sqrt(errors.Squared[token]), Math.Sqrt(square)) is var error && double.IsNaN(error)
                ? double.PositiveInfinity
                : error),
    ];

    private static NoiseBand Band(List<TokenErrors> variants, double[] norms, bool[] kept)
    {
        double norm = Math.Sqrt(Sum(norms, kept)), l2 = 0, token = 0, largest = 0;
        foreach (TokenErrors variant in variants)
        {
            l2 = Math.Max(l2, Relative(Math.Sqrt(Sum(variant.Squared, kept)), norm));
            token = Math.Max(token, WorstToken(variant, norms, kept, out _));
            largest = Math.Max(largest, Max(variant.Largest, kept, out _));
        }

        return new NoiseBand(l2, token, largest);
    }

    // Between known values and the router only a sum and a norm: the roundings of these are all among the variants, and
    // the router itself is float32 under every policy.
    private static bool IsRouterAfterNorm(DataFlowNode node, FlowSegment segment) =>
        node.Block == "router"
        && segment.Blocks.All(block => block is "residual" or "router and experts" or "router");

    private static double MedianFromNearest(TapItem item, double[] norms, bool[] kept)
    {
        double nearest = double.PositiveInfinity;
        foreach (TokenErrors errors in item.FromVariants)
        {
            double[] tokens = [.. Enumerable.Range(0, norms.Length).Where(token => kept[token])
                .Select(token => Relative(Math.Sqrt(errors.Squared[token]), Math.Sqrt(norms[token])))
                .Order()];
            nearest = tokens.Length == 0 ? 0 : Math.Min(nearest, tokens[tokens.Length / 2]);
        }

        return double.IsInfinity(nearest) ? 0 : nearest;
    }

    // Below one rounding of the result nothing can be told from noise, even where all variants agree to the bit.
    private static NoiseBand Budget(NoiseBand band, double unitRoundoff, double largest) => new(
        L2Factor * Math.Max(band.L2Relative, unitRoundoff / 2),
        MaximumFactor * Math.Max(band.TokenRelative, unitRoundoff / 2),
        MaximumFactor * Math.Max(band.Largest, unitRoundoff * largest));

    // The router computes in float32 whatever the model does; but what is stored in 16 bits was rounded to them.
    private static double UnitRoundoff(CandidateTap tap, bool underBFloat16) => tap.ElementType switch
    {
        ElementType.Float8E4M3 or ElementType.Float8E5M2 => 1.0 / 8,
        ElementType.BFloat16 => ErrorBudget.BFloat16Roundoff,
        _ when underBFloat16 && !tap.Name.Contains(".gate.", StringComparison.Ordinal) => ErrorBudget.BFloat16Roundoff,
        ElementType.Float16 => 1.0 / (1 << 11),
        _ => ErrorBudget.Float32Roundoff,
    };

    private static TapDistance Distance(TapItem item, bool[] kept, double l2, double element, double largest)
    {
        bool isBFloat16 = item.Tap.ElementType == ElementType.BFloat16;
        double product = 0, squares = 0, referenceSquares = 0;
        long compared = 0, ulps = 0;
        for (int index = 0; index < item.Reference.Length; index++)
        {
            if (!kept[item.Map.Of(index, item.Reference.Length)])
            {
                continue;
            }

            float a = item.Candidate[index], b = item.Reference[index];
            compared++;
            product += (double)a * b;
            squares += (double)a * a;
            referenceSquares += (double)b * b;
            ulps = Math.Max(ulps, Ulps(a, b, isBFloat16));
        }

        double cosine = squares == 0 && referenceSquares == 0 ? 1 : product / Math.Sqrt(squares * referenceSquares);
        return new TapDistance(compared, l2, element, Relative(element, largest), cosine, ulps);
    }

    private static long[] Histogram(TapItem item, bool[] kept)
    {
        bool isBFloat16 = item.Tap.ElementType == ElementType.BFloat16;
        long[] histogram = new long[HistogramSize];
        for (int index = 0; index < item.Reference.Length; index++)
        {
            if (kept[item.Map.Of(index, item.Reference.Length)])
            {
                long ulps = Ulps(item.Candidate[index], item.Reference[index], isBFloat16);
                histogram[ulps == 0 ? 0 : Math.Min(HistogramSize - 1, 1 + (int)Math.Log2(ulps))]++;
            }
        }

        return histogram;
    }

    private static long Ulps(float a, float b, bool isBFloat16) =>
        a.Equals(b) ? 0
        : !float.IsFinite(a) || !float.IsFinite(b) ? long.MaxValue
        : isBFloat16 ? UlpDistance.BetweenBFloat16(a, BFloat16.Round(b))
        : UlpDistance.Between(a, b);

    private static WorstValue? WorstOf(TapItem item, int token, bool[] kept)
    {
        int worst = -1;
        double largest = -1;
        for (int index = 0; index < item.Reference.Length; index++)
        {
            int owner = item.Map.Of(index, item.Reference.Length);
            if (!kept[owner] || (token >= 0 && owner != token))
            {
                continue;
            }

            double difference = item.Candidate[index].Equals(item.Reference[index])
                ? 0
                : Math.Abs((double)item.Candidate[index] - item.Reference[index]);
            if (double.IsNaN(difference))
            {
                worst = index;
                break;
            }

            if (difference > largest)
            {
                (worst, largest) = (index, difference);
            }
        }

        return worst < 0 ? null : new WorstValue(
            TapComparison.Place([.. item.Map.Shape.Select(axis => (long)axis)], worst),
            item.Map.Of(worst, item.Reference.Length),
            item.Candidate[worst],
            item.Reference[worst]);
    }

    private static double LargestOf(float[] values, TokenMap map, bool[] kept)
    {
        double largest = 0;
        for (int index = 0; index < values.Length; index++)
        {
            if (kept[map.Of(index, values.Length)])
            {
                largest = Math.Max(largest, Math.Abs((double)values[index]));
            }
        }

        return largest;
    }

    private static double WorstToken(TokenErrors errors, double[] norms, bool[] kept, out int worst)
    {
        double largest = 0;
        worst = -1;
        for (int token = 0; token < norms.Length; token++)
        {
            double relative = kept[token] ? Relative(Math.Sqrt(errors.Squared[token]), Math.Sqrt(norms[token])) : 0;
            if (!(relative <= largest))
            {
                (largest, worst) = (relative, token);
                if (double.IsNaN(relative))
                {
                    break; // nothing is worse, and the next token would compare as if it were
                }
            }
        }

        return largest;
    }

    private static double Max(double[] values, bool[] kept, out int worst)
    {
        double largest = 0;
        worst = -1;
        for (int token = 0; token < values.Length; token++)
        {
            if (kept[token] && !(values[token] <= largest))
            {
                (largest, worst) = (values[token], token);
                if (double.IsNaN(largest))
                {
                    break;
                }
            }
        }

        return largest;
    }

    private static double Sum(double[] values, bool[] kept) =>
        values.Where((_, token) => kept[token]).Sum();

    // 0/0 is no error; anything over nothing is without bound; NaN is worse than any number.
    private static double Relative(double error, double scale) => error == 0 ? 0 : error / scale;

    private static double Ratio(double error, double budget) =>
        error == 0 ? 0 : double.IsNaN(error) ? double.PositiveInfinity : error / budget;

    private static double MaxNumber(params ReadOnlySpan<double> ratios)
    {
        double largest = 0;
        foreach (double ratio in ratios)
        {
            largest = ratio <= largest ? largest : double.IsNaN(ratio) ? double.PositiveInfinity : ratio;
        }

        return largest;
    }
}
