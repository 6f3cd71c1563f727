using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Operators;
using Aggregation = RingFlash.Reference.Operators.LossAggregationKind;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P25 to P29 and P32: how tokens become one number, and how large it can be.</summary>
internal static class AggregationProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss("P25", "sums and means differ by their counts", Counts, "no token at all"),
        Loss(
            "P26", "the mean over responses is the mean of the losses of single responses", Additive, "empty row"),
        Loss("P27", "a batch repeated keeps its mean losses and halves its gradients", Duplicates),
        Loss(
            "P28",
            "a masked token stays in the denominators, a removed one does not",
            OriginalDenominators,
            "only token",
            "one of several"),
        Loss("P29", "micro-batches under the counts of the whole add up to the whole", MicroBatches, "empty part"),
        Loss(
            "P32", "loss and gradient are bounded by the upper end of the band", Bounds, "positive", "negative"),
    ];

    private static ObjectiveProperty Loss(
        string number, string statement, PropertyCheck check, params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Loss, statement, CaseKind.General, check, edges);

    private static bool Counts(PropertyProbe probe, PropertyCase sample)
    {
        LossOutcome outcome = probe.Of(sample);
        LossDenominators counts = LossDenominators.Count(sample.Counts());
        probe.Edge("no token at all", counts.Tokens == 0);
        bool first = RequireRatio(
            probe, sample, outcome, Aggregation.TokenSum, Aggregation.TokenMean, Math.Max(counts.Tokens, 1));
        bool second = RequireRatio(
            probe, sample, outcome, Aggregation.TokenSum, Aggregation.SequenceMeanTokenSum, sample.Rollouts);
        if (sample.Length == 0)
        {
            return first || second;
        }

        PropertyCase full = sample.With(copy => Array.Fill(copy.Mask, (byte)1));
        LossOutcome even = probe.Of(full);
        bool third = RequireRatio(
            probe, full, even, Aggregation.SequenceMeanTokenMean, Aggregation.TokenMean, 1);
        bool fourth = RequireRatio(
            probe, full, even, Aggregation.SequenceMeanTokenMean, Aggregation.SequenceMeanTokenMeanNonEmpty, 1);
        return first || second || third || fourth;
    }

    /// <summary>One aggregation is a multiple of another, in loss and gradient; false where one is not
    /// offered.</summary>
    private static bool RequireRatio(
        PropertyProbe probe,
        PropertyCase sample,
        LossOutcome outcome,
        Aggregation whole,
        Aggregation part,
        double factor)
    {
        if (!outcome.Loss.TryGetValue(whole, out double value) || !outcome.Loss.TryGetValue(part, out double mean))
        {
            return false;
        }

        double gauge = sample.Gauge(whole);
        probe.RequireClose(value, factor * mean, gauge, $"{factor} times {part.Word()} against {whole.Word()}: loss");
        for (int i = 0; i < sample.Tokens; i++)
        {
            Require(
                probe.Close(outcome.Gradient[whole][i], factor * outcome.Gradient[part][i]),
                $"gradient[{i}] {whole.Word()} is {outcome.Gradient[whole][i]}, {part.Word()} "
                    + $"{outcome.Gradient[part][i]}, not 1/{factor} of it");
        }

        return true;
    }

    private static bool Additive(PropertyProbe probe, PropertyCase sample)
    {
        LossOutcome whole = probe.Of(sample);
        int[] counts = sample.Counts();
        probe.Edge("empty row", Array.IndexOf(counts, 0) >= 0);
        LossOutcome[] alone = Array.ConvertAll(
            PropertyCase.Upto(sample.Rollouts), row => probe.Of(sample.Rows(row)));
        foreach ((Aggregation kind, double value) in whole.Loss)
        {
            double[] coefficients = sample.Coefficients(kind);
            double sum = 0;
            for (int row = 0; row < sample.Rollouts; row++)
            {
                PropertyCase single = sample.Rows(row);
                double share = counts[row] == 0 ? 0 : coefficients[row] / single.Coefficients(kind)[0];
                sum += share * alone[row].Loss[kind];
            }

            double gauge = sample.Gauge(kind);
            Require(
                probe.Close(sum, value, gauge, probe.Relative * 4),
                $"loss {kind.Word()} is {value}, its responses alone give {sum}");
        }

        return true;
    }

    private static bool Duplicates(PropertyProbe probe, PropertyCase sample)
    {
        int[] twice = [.. PropertyCase.Upto(sample.Rollouts), .. PropertyCase.Upto(sample.Rollouts)];
        LossOutcome before = probe.Of(sample), after = probe.Of(sample.Rows(twice));
        foreach ((Aggregation kind, double value) in before.Loss)
        {
            double factor = kind == Aggregation.TokenSum ? 2 : 1;
            probe.RequireClose(
                factor * value, after.Loss[kind], sample.Gauge(kind), $"batch twice: loss {kind.Word()}");
            for (int i = 0; i < 2 * sample.Tokens; i++)
            {
                double expected = before.Gradient[kind][i % sample.Tokens] * factor / 2;
                Require(
                    probe.Close(expected, after.Gradient[kind][i]),
                    $"batch twice: gradient {kind.Word()}[{i}] is {after.Gradient[kind][i]}, not {expected}");
            }
        }

        return true;
    }

    private static bool OriginalDenominators(PropertyProbe probe, PropertyCase sample)
    {
        // One response, so that its own count is the only one; Δ = 0 elsewhere makes the loss far from 0.
        CaseRandom random = sample.Random;
        int count = random.Between(1, 7), dropped = random.Below(count);
        double[] old = new double[count];
        probe.Edge(count == 1 ? "only token" : "one of several");
        double advantage = probe.Number(random.Pick(1, -1, random.Uniform(0.1, 2)));
        PropertyCase row = PropertyCase.Row(old, [.. old], null, advantage);
        (row.Alpha, row.Beta) = (Math.Min(sample.Alpha, 1), sample.Beta);
        LossOutcome masked = probe.Of(row.With(copy => EdgeInjector.Out(copy, dropped)));
        LossOutcome removed = probe.Of(row.With(copy => copy.Mask[dropped] = 0));
        foreach ((Aggregation kind, double value) in masked.Loss)
        {
            bool isMean = kind is not (Aggregation.TokenSum or Aggregation.SequenceMeanTokenSum);
            double factor = isMean && count > 1 ? count / (count - 1.0) : 1;
            Require(
                probe.Close(value * factor, removed.Loss[kind], 0),
                $"one of {count} tokens masked: loss {kind.Word()} {value}; removed: {removed.Loss[kind]}, "
                    + $"not {factor} times");
            Require(count > 1 || (value == 0 && removed.Loss[kind] == 0), $"the only token gone: loss {value}");
            for (int i = 0; i < count; i++)
            {
                Require(
                    probe.Close(masked.Gradient[kind][i] * factor, removed.Gradient[kind][i]),
                    $"one of {count} tokens masked: gradient {kind.Word()}[{i}] {masked.Gradient[kind][i]}; removed: "
                        + $"{removed.Gradient[kind][i]}, not {factor} times");
            }
        }

        return true;
    }

    private static bool MicroBatches(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        List<int>[] parts = [[], [], []];
        for (int row = 0; row < sample.Rollouts; row++)
        {
            parts[random.Below(3)].Add(row);
        }

        LossOutcome whole = probe.Of(sample);
        PropertyCase[] micro = Array.ConvertAll(parts, part => sample.Rows([.. part]));
        int[] filled = Array.ConvertAll(micro, part => Array.FindIndex(part.Counts(), count => count > 0));
        LossOutcome?[] outcomes = new LossOutcome?[parts.Length];
        for (int p = 0; p < parts.Length; p++)
        {
            // An all-empty part contributes nothing under any denominators; P31 says so.
            outcomes[p] = filled[p] < 0 ? null : probe.Of(micro[p]);
            probe.Edge("empty part", filled[p] < 0);
        }

        foreach ((Aggregation kind, double value) in whole.Loss)
        {
            double sum = 0;
            double[] coefficients = sample.Coefficients(kind);
            for (int p = 0; p < parts.Length; p++)
            {
                if (outcomes[p] is not { } outcome)
                {
                    continue;
                }

                // A loss that only knows its own counts becomes the part of the whole by the ratio of coefficients.
                double scale = coefficients[parts[p][filled[p]]] / micro[p].Coefficients(kind)[filled[p]];
                sum += scale * outcome.Loss[kind];
                for (int i = 0; i < micro[p].Tokens; i++)
                {
                    int origin = (parts[p][i / sample.Length] * sample.Length) + (i % sample.Length);
                    double expected = whole.Gradient[kind][origin], found = scale * outcome.Gradient[kind][i];
                    Require(
                        probe.Close(expected, found),
                        $"part gradient {kind.Word()}[{i}] times {scale} is {found}, the whole's {expected}");
                }
            }

            Require(
                probe.Close(sum, value, sample.Gauge(kind), probe.Relative * 4),
                $"loss {kind.Word()} is {value}, its micro-batches add up to {sum}");
        }

        return true;
    }

    private static bool Bounds(PropertyProbe probe, PropertyCase sample)
    {
        if (double.IsPositiveInfinity(sample.Beta))
        {
            return false;
        }

        LossOutcome outcome = probe.Of(sample);
        foreach ((Aggregation kind, double[] gradient) in outcome.Gradient)
        {
            double[] coefficients = sample.Coefficients(kind);
            double lowest = 0;
            for (int i = 0; i < sample.Tokens; i++)
            {
                double advantage = sample.Advantage(i), scale = coefficients[i / sample.Length] * sample.Beta;
                double limit = advantage > 0
                    ? Math.Min(sample.PolicyRatio(i), 1 + sample.EpsilonHigh)
                    : sample.PolicyRatio(i);
                double bound = sample.Valid(i) ? scale * Math.Abs(advantage) * limit : 0;
                probe.Edge(advantage > 0 ? "positive" : "negative", advantage != 0 && gradient[i] != 0);
                lowest -= sample.Valid(i) ? scale * (1 + sample.EpsilonHigh) * Math.Max(advantage, 0) : 0;
                Require(
                    Math.Abs(gradient[i]) <= bound * (1 + probe.Relative),
                    $"gradient {kind.Word()}[{i}] is {gradient[i]}, bounded by {bound}");
            }

            Require(
                outcome.Loss[kind] >= lowest * (1 + probe.Relative) - (probe.Relative * sample.Gauge(kind)),
                $"loss {kind.Word()} is {outcome.Loss[kind]}, bounded below by {lowest}");
        }

        return sample.Tokens > 0;
    }
}
