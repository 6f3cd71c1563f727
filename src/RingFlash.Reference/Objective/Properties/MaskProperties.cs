using System;
using System.Collections.Generic;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P1 to P8, as any loss shows them: weights are read off the gradient.</summary>
internal static class MaskProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss("P1", "a weight is 0 or lies in the band", Range),
        Loss("P2", "inside the band the weight is the ratio train over infer itself", Identity),
        Loss("P3", "calibrating a calibrated weight changes nothing", Idempotent),
        Loss("P4", "both ends of the band belong to it, the next number outside does not", ClosedEnds),
        Loss("P5", "a wider band keeps more and leaves the gradients of what was kept alone", Nesting),
        Loss("P6", "the band 0 to infinity is plain importance sampling", Limit),
        Loss("P7", "swapping the engines is inverting the band", Direction),
        Loss("P8", "the weight is that of truncation inside the band, and 0 above it", Truncation),
    ];

    private static ObjectiveProperty Loss(string number, string statement, PropertyCheck check) =>
        new(number, PropertySubject.Loss, statement, CaseKind.General, check);

    /// <summary>Eight log-ratios around and far from the band.</summary>
    internal static double[] LogRatios(PropertyCase sample, CaseRandom random)
    {
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
        }

        return all;
    }

    private static bool Range(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = LogRatios(sample, sample.Random);
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        for (int i = 0; i < weights.Length; i++)
        {
            bool inside = weights[i] >= sample.Alpha * (1 - probe.Rounding)
                && weights[i] <= sample.Beta * (1 + probe.Rounding);
            Require(
                weights[i] == 0 || inside,
                $"log ratio {logRatios[i]} has weight {weights[i]}, band [{sample.Alpha}, {sample.Beta}]");
        }

        return true;
    }

    private static bool Identity(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = LogRatios(sample, sample.Random);
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        for (int i = 0; i < weights.Length; i++)
        {
            double expected = logRatios[i] >= low && logRatios[i] <= high ? Math.Exp(logRatios[i]) : 0;
            Require(
                NearEnds(logRatios[i], low, high) || probe.Close(expected, weights[i], 0, probe.Rounding * 4),
                $"log ratio {logRatios[i]} has weight {weights[i]}, not {expected}");
        }

        return true;
    }

    private static bool Idempotent(PropertyProbe probe, PropertyCase sample)
    {
        double[] once = probe.Weights(LogRatios(sample, sample.Random), sample.Alpha, sample.Beta);
        double[] logarithms = Array.ConvertAll(once, weight => weight > 0 ? Math.Log(weight) : -2000);
        double[] twice = probe.Weights(logarithms, sample.Alpha, sample.Beta);
        for (int i = 0; i < once.Length; i++)
        {
            bool nearEnd = NearEnds(logarithms[i], Math.Log(sample.Alpha), Math.Log(sample.Beta));
            double relative = probe.Rounding * (4 + Math.Abs(logarithms[i]));
            Require(
                nearEnd || probe.Close(once[i], twice[i], 0, relative),
                $"weight {once[i]} becomes {twice[i]} the second time");
        }

        return true;
    }

    private static bool ClosedEnds(PropertyProbe probe, PropertyCase sample)
    {
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        bool hasLow = double.IsFinite(low), hasHigh = double.IsFinite(high);
        double inside = hasHigh ? high : low;
        double[] logRatios =
        [
            hasLow ? low : inside,
            hasHigh ? high : inside,
            hasLow ? Math.BitDecrement(low) : -1000,
            hasHigh ? Math.BitIncrement(high) : double.PositiveInfinity,
        ];
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        Require(!hasLow || weights[0] != 0, $"log ratio {low}, the lower end itself, is dropped");
        Require(!hasHigh || weights[1] != 0, $"log ratio {high}, the upper end itself, is dropped");
        Require(!hasLow || weights[2] == 0, $"log ratio {logRatios[2]}, just below the band, has weight {weights[2]}");
        Require(weights[3] == 0, $"log ratio {logRatios[3]}, just above the band, has weight {weights[3]}");

        // A band of one point keeps equality only, even where e^Δ rounds to 1; −0 is equality.
        double tiny = Math.ScaleB(1, -sample.Random.Between(54, 70));
        double[] point = probe.Weights([0, -tiny, tiny, 0], [0, 0, 0, double.NegativeZero], 1, 1);
        Require(
            point[0] == 1 && point[3] == 1,
            $"equal engines have weight {point[0]} and {point[3]} in the band [1, 1]");
        Require(point[1] == 0 && point[2] == 0, $"log ratio {tiny} has weight {point[1]} or {point[2]} in [1, 1]");
        return true;
    }

    private static bool Nesting(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        PropertyCase narrow = random.Chance(0.5) ? sample : sample.Online();
        double alpha = sample.Alpha * random.Pick(1, random.Unit());
        double beta = sample.Beta * random.Pick(1, 1 + random.Unit());
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

        return sample.Tokens > 0;
    }

    private static bool Limit(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double[] logRatios =
            [random.Normal(1), random.Uniform(-700, 700), -745.2, double.NegativeInfinity, double.PositiveInfinity];
        double[] weights = probe.Weights(logRatios, 0, double.PositiveInfinity);
        for (int i = 0; i < weights.Length; i++)
        {
            double expected = double.IsFinite(logRatios[i]) ? Math.Exp(logRatios[i]) : 0;
            double relative = probe.Rounding * (4 + Math.Abs(logRatios[i]));
            bool same = double.IsFinite(logRatios[i])
                ? Math.Abs(weights[i] - expected) <= (relative * expected) + 1e-320
                : weights[i] == 0;
            Require(same, $"log ratio {logRatios[i]} has weight {weights[i]}, not {expected}, without a band");
        }

        return true;
    }

    private static bool Direction(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = LogRatios(sample, sample.Random);
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
        if (!double.IsFinite(low) || !double.IsFinite(high) || Math.Abs(reach) < 1e-6 || low > 0 || high < 0)
        {
            return true;
        }

        double between = (Math.Abs(high) + Math.Abs(low)) / 2 * (reach > 0 ? 1 : -1);
        double[] pair = probe.Weights([between, -between], sample.Alpha, sample.Beta);
        Require(
            pair[0] != 0 && pair[1] == 0,
            $"log ratio {between} lies in the band and {-between} does not: weights {pair[0]} and {pair[1]}");
        return true;
    }

    private static bool Truncation(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = LogRatios(sample, sample.Random);
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        for (int i = 0; i < weights.Length; i++)
        {
            double truncated = Math.Min(Math.Exp(logRatios[i]), sample.Beta);
            double slack = 1 + (probe.Rounding * (4 + Math.Abs(logRatios[i])));
            Require(
                weights[i] == 0 || (weights[i] <= truncated * slack && weights[i] >= truncated / slack),
                $"log ratio {logRatios[i]}: weight {weights[i]} is neither 0 nor the truncated {truncated}");
        }

        if (double.IsFinite(sample.Beta))
        {
            double above = Math.Log(sample.Beta) + 1e-6;
            double weight = probe.Weights([above], sample.Alpha, sample.Beta)[0];
            Require(
                weight == 0,
                $"log ratio {above}, above the band, has weight {weight}; truncation gives {sample.Beta}");
        }

        return true;
    }

    private static bool NearEnds(double logRatio, double low, double high) =>
        Math.Abs(logRatio - low) < 1e-12 * Math.Max(1, Math.Abs(low))
        || Math.Abs(logRatio - high) < 1e-12 * Math.Max(1, Math.Abs(high));
}
