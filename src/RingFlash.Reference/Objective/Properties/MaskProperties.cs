using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P1 to P8, as any loss shows them: weights are read off the gradient.</summary>
internal static class MaskProperties
{
    private const string LowerEnd = "lower end", UpperEnd = "upper end", Inside = "inside", Outside = "outside";

    private const string OnePoint = "band of one point", Open = "open band";

    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss("P1", "a weight is 0 or lies in the band", Range, Inside, Outside),
        Loss("P2", "inside the band the weight is the ratio train over infer itself", Identity, Inside, OnePoint),
        Loss("P3", "calibrating a calibrated weight changes nothing", Idempotent, Inside, Open),
        Loss(
            "P4",
            "both ends of the band belong to it, the next number outside does not",
            ClosedEnds,
            LowerEnd,
            UpperEnd,
            OnePoint),
        Loss(
            "P5", "a wider band keeps more and leaves the gradients of what was kept alone", Nesting, "equal bands"),
        Loss("P6", "the band 0 to infinity is plain importance sampling", Limit, "infinite difference"),
        Loss(
            "P7", "swapping the engines is inverting the band", Direction, "band that is its inverse", "other band"),
        Loss(
            "P8", "the weight is that of truncation inside the band, and 0 above it", Truncation, Inside, "just above"),
    ];

    private static ObjectiveProperty Loss(
        string number, string statement, PropertyCheck check, params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Loss, statement, CaseKind.General, check, edges);

    /// <summary>Eight log-ratios around and far from the band; in float32 none that it may decide otherwise.</summary>
    internal static double[] LogRatios(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        double finiteLow = double.IsFinite(low) ? low : -3, finiteHigh = double.IsFinite(high) ? high : 3;
        double[] all = new double[8];
        for (int i = 0; i < all.Length; i++)
        {
            all[i] = random.Below(5) switch
            {
                0 => random.Pick(low, high, Math.BitIncrement(high), Math.BitDecrement(low)),
                1 => random.Pick(20, 88.7, 104, 709.7, -745.2, -20, -1000, 1000),
                2 => 0,
                _ => random.Uniform(finiteLow - 1, finiteHigh + 1),
            };
            all[i] = double.IsFinite(all[i]) ? all[i] : 0.25;
            all[i] = double.IsPositiveInfinity(high) ? Math.Min(all[i], 700) : all[i];
            if (probe.SinglePrecision)
            {
                all[i] = (float)all[i];
                bool outOfRange = all[i] >= low && all[i] <= high && Math.Abs(all[i]) > 80;
                all[i] = outOfRange || SinglePrecisionCase.NearEnd(all[i], 0, sample.Alpha, sample.Beta) ? 0 : all[i];
            }
        }

        return all;
    }

    private static bool Range(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = LogRatios(probe, sample);
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        for (int i = 0; i < weights.Length; i++)
        {
            bool inside = weights[i] >= sample.Alpha * (1 - probe.Rounding)
                && weights[i] <= sample.Beta * (1 + probe.Rounding);
            probe.Edge(weights[i] == 0 ? Outside : Inside);
            Require(
                weights[i] == 0 || inside,
                $"log ratio {logRatios[i]} has weight {weights[i]}, band [{sample.Alpha}, {sample.Beta}]");
        }

        return true;
    }

    private static bool Identity(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = LogRatios(probe, sample);
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        for (int i = 0; i < weights.Length; i++)
        {
            double expected = logRatios[i] >= low && logRatios[i] <= high ? Math.Exp(logRatios[i]) : 0;
            Require(
                NearEnds(logRatios[i], low, high)
                    || probe.Close(expected, weights[i], 0, probe.ExponentialRounding(logRatios[i])),
                $"log ratio {logRatios[i]} has weight {weights[i]}, not {expected}");
            probe.Edge(Inside, expected != 0);
        }

        RequirePointBand(probe, sample);
        return true;
    }

    /// <summary>A band of one point keeps equality only, even where e^Δ rounds to 1; −0 is equality.</summary>
    private static void RequirePointBand(PropertyProbe probe, PropertyCase sample)
    {
        double tiny = Math.ScaleB(1, -sample.Random.Between(54, 70));
        double[] point = probe.Weights([0, -tiny, tiny, 0], [0, 0, 0, double.NegativeZero], 1, 1);
        probe.Edge(OnePoint);
        Require(
            point[0] == 1 && point[3] == 1,
            $"equal engines have weight {point[0]} and {point[3]} in the band [1, 1]");
        Require(
            point[1] == 0 && point[2] == 0,
            $"log ratio ±{tiny} has weight {point[1]} or {point[2]} in [1, 1]: decided from the rounded ratio");
    }

    private static bool Idempotent(PropertyProbe probe, PropertyCase sample)
    {
        double[] once = probe.Weights(LogRatios(probe, sample), sample.Alpha, sample.Beta);
        double[] logarithms = Array.ConvertAll(once, weight => weight > 0 ? Math.Log(weight) : -2000);
        double[] twice = probe.Weights(logarithms, sample.Alpha, sample.Beta);
        double slack = probe.SinglePrecision ? 1e-5 : 1e-12;
        for (int i = 0; i < once.Length; i++)
        {
            bool nearEnd = NearEnds(logarithms[i], Math.Log(sample.Alpha), Math.Log(sample.Beta), slack);
            double relative = probe.Rounding * (4 + Math.Abs(logarithms[i]));
            probe.Edge(Inside, once[i] != 0 && !nearEnd);
            probe.Edge(Open, sample.Alpha == 0);
            Require(
                nearEnd || probe.Close(once[i], twice[i], 0, relative),
                $"weight {once[i]} becomes {twice[i]} the second time");
        }

        return true;
    }

    private static bool ClosedEnds(PropertyProbe probe, PropertyCase sample)
    {
        // The last bit of log α and log β is the library's own, so those ends are approached; log 1 = 0 is everybody's,
        // so that end is met. For this library's own logarithm the operators' P4 meets all of them.
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        bool hasLow = double.IsFinite(low), hasHigh = double.IsFinite(high);
        if (hasLow && hasHigh)
        {
            double reach = 8 * probe.Unit * Math.Max(1, Math.Max(-low, high)), inset = low == high ? 0 : reach;
            double[] logRatios = [low + inset, high - inset, low - reach, high + reach];
            double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
            probe.Edge(LowerEnd);
            probe.Edge(UpperEnd);
            Require(weights[0] != 0, $"log ratio {logRatios[0]}, at the lower end, is dropped");
            Require(weights[1] != 0, $"log ratio {logRatios[1]}, at the upper end, is dropped");
            Require(weights[2] == 0, $"log ratio {logRatios[2]}, just below the band, has weight {weights[2]}");
            Require(weights[3] == 0, $"log ratio {logRatios[3]}, just above the band, has weight {weights[3]}");
        }

        double below = probe.Weights([0], Math.Min(sample.Alpha, 1), 1)[0];
        double above = probe.Weights([0], 1, Math.Max(sample.Beta, 1))[0];
        probe.Edge(OnePoint);
        Require(below == 1, $"equal engines have weight {below} in the band [{sample.Alpha}, 1]: its end is closed");
        Require(above == 1, $"equal engines have weight {above} in the band [1, {sample.Beta}]: its end is closed");
        RequirePointBand(probe, sample);
        return true;
    }

    private static bool Nesting(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        PropertyCase narrow = random.Chance(0.5) ? sample : sample.Online();
        double alpha = sample.Alpha * random.Pick(1, random.Unit());
        double beta = sample.Beta * random.Pick(1, 1 + random.Unit());
        probe.Edge("equal bands", alpha == sample.Alpha && beta == sample.Beta);
        LossOutcome first = probe.Of(narrow), second = probe.Of(narrow.WithBand(alpha, beta));
        foreach ((LossAggregationKind kind, double[] values) in first.Gradient)
        {
            for (int i = 0; i < values.Length; i++)
            {
                double wider = second.Gradient[kind][i];
                Require(
                    values[i] == 0 || probe.Same(values[i], wider, probe.Relative * 10 * narrow.Gauge(kind)),
                    $"gradient {kind.Word()}[{i}] {values[i]} becomes {wider} in the wider band [{alpha}, {beta}]");
            }
        }

        for (int i = 0; i < sample.Tokens && first.Keep is not null && second.Keep is not null; i++)
        {
            Require(first.Keep[i] <= second.Keep[i], $"token {i} is kept in the narrow band and not in the wide one");
        }

        Require(
            first.Metrics is null || second.Metrics is null
                || second.Metrics.ClipFraction <= first.Metrics.ClipFraction,
            $"the wider band masks {second.Metrics?.ClipFraction}, the narrow {first.Metrics?.ClipFraction}");

        return sample.Tokens > 0;
    }

    private static bool Limit(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double widest = probe.SinglePrecision ? 80 : 700, vanishing = probe.SinglePrecision ? -70 : -745.2;
        double[] logRatios =
        [
            probe.Number(random.Normal(1)), probe.Number(random.Uniform(-widest, widest)), vanishing,
            double.NegativeInfinity, double.PositiveInfinity,
        ];
        double[] weights = probe.Weights(logRatios, 0, double.PositiveInfinity);
        for (int i = 0; i < weights.Length; i++)
        {
            double expected = double.IsFinite(logRatios[i]) ? Math.Exp(logRatios[i]) : 0;
            double relative = probe.Rounding * (4 + Math.Abs(logRatios[i]));
            probe.Edge("infinite difference", double.IsInfinity(logRatios[i]));
            Require(
                double.IsFinite(logRatios[i]) ? probe.Close(expected, weights[i], 0, relative) : weights[i] == 0,
                $"log ratio {logRatios[i]} has weight {weights[i]}, not {expected}, without a band");
        }

        return true;
    }

    private static bool Direction(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = LogRatios(probe, sample);
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        double[] forward = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        double[] mirrored = probe.Weights(
            Array.ConvertAll(logRatios, difference => -difference), 1 / sample.Beta, 1 / sample.Alpha);
        for (int i = 0; i < logRatios.Length; i++)
        {
            // At e^∓745 one of the two weights is below the smallest number.
            bool comparable = !NearEnds(logRatios[i], low, high) && Math.Abs(logRatios[i]) < 700;
            Require(
                !comparable || (forward[i] != 0) == (mirrored[i] != 0),
                $"log ratio {logRatios[i]}: weight {forward[i]}, and {mirrored[i]} with engines and band turned round");
        }

        double reach = Math.Abs(high) - Math.Abs(low);
        probe.Edge("band that is its inverse", 1 / sample.Beta == sample.Alpha);
        if (!double.IsFinite(low) || !double.IsFinite(high) || Math.Abs(reach) < 1e-6 || low > 0 || high < 0)
        {
            return true;
        }

        probe.Edge("other band");
        double between = (Math.Abs(high) + Math.Abs(low)) / 2 * (reach > 0 ? 1 : -1);
        double[] pair = probe.Weights([between, -between], sample.Alpha, sample.Beta);
        Require(
            pair[0] != 0 && pair[1] == 0,
            $"log ratio {between} lies in the band and {-between} does not: weights {pair[0]} and {pair[1]}");
        return true;
    }

    private static bool Truncation(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = LogRatios(probe, sample);
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        for (int i = 0; i < weights.Length; i++)
        {
            double truncated = Math.Min(Math.Exp(logRatios[i]), sample.Beta);
            double relative = probe.Rounding * (4 + Math.Abs(logRatios[i]));
            probe.Edge(Inside, weights[i] != 0);
            Require(
                weights[i] == 0 || probe.Close(truncated, weights[i], 0, relative),
                $"log ratio {logRatios[i]}: weight {weights[i]} is neither 0 nor the truncated {truncated}");
        }

        if (double.IsFinite(sample.Beta))
        {
            double above = Math.Log(sample.Beta) + (probe.SinglePrecision ? 1e-5 : 1e-6);
            probe.Edge("just above");
            double weight = probe.Weights([above], sample.Alpha, sample.Beta)[0];
            Require(
                weight == 0,
                $"log ratio {above}, above the band, has weight {weight}; truncation gives {sample.Beta}");
        }

        return true;
    }

    private static bool NearEnds(double logRatio, double low, double high, double slack = 1e-12) =>
        Math.Abs(logRatio - low) < slack * Math.Max(1, Math.Abs(low))
        || Math.Abs(logRatio - high) < slack * Math.Max(1, Math.Abs(high));
}
