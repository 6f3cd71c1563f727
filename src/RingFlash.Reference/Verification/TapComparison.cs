using System;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>The numbers that say how far one tensor is from the reference's.</summary>
internal static class TapComparison
{
    /// <summary>What applies to a tap.</summary>
    /// <param name="IsBFloat16">Whether the tap is stored in bfloat16.</param>
    /// <param name="UnderBFloat16">Whether the case ran in bfloat16: what reaches a float32 tap is then bfloat16
    /// noise.</param>
    /// <param name="Scale">What the largest difference is relative to; null for max |golden|.</param>
    public readonly record struct Terms(bool IsBFloat16, bool UnderBFloat16, double? Scale = null);

    /// <summary>Compares.</summary>
    /// <param name="tap">The tap's name.</param>
    /// <param name="ours">Our values.</param>
    /// <param name="golden">The reference's values.</param>
    /// <param name="shape">The axes of the tap in the case.</param>
    /// <param name="tokenOf">The token of a flat index, or −1.</param>
    /// <param name="skip">Whether a token lies behind a near tie.</param>
    /// <param name="origin">Where ours comes from.</param>
    /// <param name="terms">What applies.</param>
    /// <returns>The result.</returns>
    public static TapResult Compare(
        string tap,
        ReadOnlySpan<float> ours,
        ReadOnlySpan<float> golden,
        ReadOnlySpan<long> shape,
        Func<int, int> tokenOf,
        Func<int, bool> skip,
        Origin origin,
        Terms terms)
    {
        if (ours.Length != golden.Length)
        {
            string axes = TensorInfo.FormatShape(shape.ToArray());
            return Failure(tap, origin, $"ours has {ours.Length} elements, the case {golden.Length} ({axes})");
        }

        float[]? gauge = origin.Gauge?.Invoke().Values;
        bool oneStep = origin.PathLength <= 1;
        Totals totals = default;
        double unitRoundoff = terms.IsBFloat16 ? ErrorBudget.BFloat16Roundoff : ErrorBudget.Float32Roundoff;
        string nonFinite = string.Empty;
        int worst = -1, worstUnits = -1;
        for (int index = 0; index < golden.Length; index++)
        {
            int token = tokenOf(index);
            if (token >= 0 && skip(token))
            {
                totals.Skipped++;
                continue;
            }

            totals.Compared++;
            float a = ours[index], b = golden[index];
            if (!float.IsFinite(a) || !float.IsFinite(b))
            {
                totals.NotFinite++;
                if (nonFinite.Length == 0 && !a.Equals(b))
                {
                    nonFinite = $"{Place(shape, index)} is {Number(a)} where the reference has {Number(b)}";
                    worst = index;
                }

                continue;
            }

            double difference = Math.Abs((double)a - b);
            totals.SquaredError += difference * difference;
            totals.SquaredGolden += (double)b * b;
            totals.LargestGolden = Math.Max(totals.LargestGolden, Math.Abs((double)b));
            long ulps = terms.IsBFloat16 ? UlpDistance.BetweenBFloat16(a, b) : UlpDistance.Between(a, b);
            totals.Ulps = Math.Max(totals.Ulps, ulps);
            if (difference > totals.LargestError || worst < 0)
            {
                totals.LargestError = difference;
                worst = nonFinite.Length == 0 ? index : worst;
            }

            if (gauge is not null && difference > 0)
            {
                double units = difference / (unitRoundoff * ElementGauge(gauge[index], b, origin, terms));
                if (!(units <= totals.Units))
                {
                    // A NaN, from a gauge that is none, stays and fails: what cannot be judged is not within budget.
                    totals.Units = units;
                    worstUnits = index;
                }
            }
        }

        Sides sides = new(ours, golden, shape);
        return Judge(
            tap, origin, terms, totals, gauge is not null, oneStep, nonFinite, sides, worst, worstUnits, tokenOf);
    }

    /// <summary>A tap that could not be compared at all.</summary>
    /// <param name="tap">The tap's name.</param>
    /// <param name="origin">Where ours comes from.</param>
    /// <param name="note">Why.</param>
    /// <returns>A failed result.</returns>
    public static TapResult Failure(string tap, Origin origin, string note) => new()
    {
        Tap = tap,
        Operator = origin.Operator,
        Path = origin.Path,
        Compared = 0,
        OverBudget = double.PositiveInfinity,
        Verdict = Verdict.Failed,
        Note = note,
    };

    /// <summary>A flat index as text in the axes of a tensor.</summary>
    /// <param name="shape">The axes.</param>
    /// <param name="index">The flat index.</param>
    /// <returns>E.g. <c>[0, 3, 17]</c>.</returns>
    public static string Place(ReadOnlySpan<long> shape, long index)
    {
        long[] place = new long[shape.Length];
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            place[axis] = index % shape[axis];
            index /= shape[axis];
        }

        return TensorInfo.FormatShape(place);
    }

    /// <summary>A value in a message.</summary>
    /// <param name="value">The value.</param>
    /// <returns>Up to nine digits.</returns>
    public static string Number(double value) => value.ToString("G9", CultureInfo.InvariantCulture);

    /// <summary>
    /// Under bfloat16 the last rounding is relative to the value, and float32 noise below it is worth its own gauge
    /// times 2⁻¹⁶ of the larger unit.
    /// </summary>
    private static double ElementGauge(float gauge, float golden, Origin origin, Terms terms)
    {
        double smallest = terms.IsBFloat16 ? BFloat16.Round(float.Epsilon * 65536) : float.Epsilon;
        double value = terms.IsBFloat16
            ? Math.Abs((double)golden)
                + (origin.UnitsBudget * gauge * ErrorBudget.Float32Roundoff / ErrorBudget.BFloat16Roundoff)
            : gauge;
        return Math.Max(value, smallest / ErrorBudget.Float32Roundoff);
    }

    private static TapResult Judge(
        string tap,
        Origin origin,
        Terms terms,
        Totals totals,
        bool hasGauge,
        bool oneStep,
        string nonFinite,
        Sides sides,
        int worst,
        int worstUnits,
        Func<int, int> tokenOf)
    {
        double scale = terms.Scale ?? totals.LargestGolden;
        double largest = totals.LargestError == 0 ? 0 : totals.LargestError / scale;
        double l2 = totals.SquaredError == 0 ? 0 : Math.Sqrt(totals.SquaredError / totals.SquaredGolden);
        bool exactInput = oneStep && !terms.IsBFloat16; // a float32 operator fed the reference's own values
        bool bfloat16Noise = terms.IsBFloat16 || (terms.UnderBFloat16 && !exactInput);
        double l2Budget = bfloat16Noise ? ErrorBudget.BFloat16L2 : ErrorBudget.L2(origin.Operations);
        double largestBudget = bfloat16Noise
            ? ErrorBudget.BFloat16LargestElement(scale)
            : ErrorBudget.LargestElement(origin.Operations);
        if (terms.Scale is not null)
        {
            // Differences of near-equal numbers have no meaningful L2 error of their own.
            l2Budget = double.PositiveInfinity;
        }

        double? unitsBudget = !hasGauge || !oneStep ? null
            : terms.IsBFloat16 ? (origin.RoundingPoints > 0 ? 2.0 * origin.RoundingPoints : null)
            : origin.UnitsBudget;
        double overUnits = unitsBudget is double budget ? Ratio(totals.Units, budget) : 0;
        double over = nonFinite.Length > 0 ? double.PositiveInfinity
            : Math.Max(overUnits, Math.Max(Ratio(l2, l2Budget), Ratio(largest, largestBudget)));
        int shown = overUnits >= over && worstUnits >= 0 && over > 0 ? worstUnits : worst;
        return new TapResult
        {
            Tap = tap,
            Operator = origin.Operator,
            Path = origin.Path,
            Compared = totals.Compared,
            BehindNearTie = totals.Skipped,
            MaxAbsolute = totals.LargestError,
            MaxRelative = largest,
            L2Relative = l2,
            MaxUlps = totals.Ulps,
            MaxUnits = hasGauge ? totals.Units : null,
            MaxRelativeBudget = largestBudget,
            L2Budget = l2Budget,
            UnitsBudget = unitsBudget,
            OverBudget = over,
            Worst = shown < 0 ? null : new WorstElement(
                Place(sides.Shape, shown), tokenOf(shown), sides.Ours[shown], sides.Golden[shown]),
            Verdict = totals.Compared == 0 ? Verdict.NotChecked : over <= 1 ? Verdict.Passed : Verdict.Failed,
            Note = totals.Skipped > 0 && totals.Compared == 0 ? "every token lies behind a near tie"
                : totals.Compared == 0 ? "the tap is empty"
                : nonFinite.Length == 0 && totals.NotFinite > 0
                    ? $"{totals.NotFinite} values are NaN or infinite on both sides alike"
                : nonFinite,
        };
    }

    private static double Ratio(double error, double budget) => error == 0 ? 0 : error / budget;

    private readonly ref struct Sides(ReadOnlySpan<float> ours, ReadOnlySpan<float> golden, ReadOnlySpan<long> shape)
    {
        public readonly ReadOnlySpan<float> Ours = ours;
        public readonly ReadOnlySpan<float> Golden = golden;
        public readonly ReadOnlySpan<long> Shape = shape;
    }

    private struct Totals
    {
        public long Compared;
        public long Skipped;
        public long NotFinite;
        public double SquaredError;
        public double SquaredGolden;
        public double LargestGolden;
        public double LargestError;
        public double Units;
        public long Ulps;
    }
}
