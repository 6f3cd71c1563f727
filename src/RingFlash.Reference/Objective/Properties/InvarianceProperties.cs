using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P9 to P14: what must not change a loss.</summary>
internal static class InvarianceProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss(
            "P9",
            CaseKind.Dyadic,
            "a constant added to all three log-probabilities of a token changes nothing",
            Shift,
            "large shift"),
        Loss(
            "P10",
            CaseKind.General,
            "with equal engines and 1 in the band it is clipped GRPO",
            EqualEngines,
            "clipped token",
            "band without 1"),
        Loss(
            "P11",
            CaseKind.General,
            "the policy at a masked token may be anything, NaN included",
            MaskedIsSilent,
            "masked and clipped at once",
            "NaN at a masked token"),
        Loss(
            "P12",
            CaseKind.General,
            "padding may hold anything and be of any width",
            Padding,
            "row of padding only",
            "hole in a row"),
        Loss(
            "P13",
            CaseKind.General,
            "permuting responses permutes the gradient and keeps the loss",
            RowOrder,
            "duplicate rows",
            "empty row"),
        Loss("P14", CaseKind.General, "permuting tokens inside responses keeps the loss", TokenOrder, "hole in a row"),
    ];

    private static ObjectiveProperty Loss(
        string number,
        CaseKind cases,
        string statement,
        PropertyCheck check,
        params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Loss, statement, cases, check, edges);

    private static bool Shift(PropertyProbe probe, PropertyCase sample)
    {
        // On the grid of 2^−20 all sums are exact, up to 2^31 and so for large shifts too; float32 has 24 bits for
        // a grid of 2^−10.
        CaseRandom random = sample.Random;
        double scale = !probe.SinglePrecision && random.Chance(0.3) ? 65536 : 1;
        probe.Edge("large shift", scale > 1 || probe.SinglePrecision);
        PropertyCase shifted = sample.With(copy =>
        {
            for (int i = 0; i < copy.Tokens; i++)
            {
                double shift = random.Between(-16384, 16384) / 1024.0 * scale;
                copy.Current[i] += shift;
                copy.Old[i] += shift;
                copy.Inference[i] += shift;
            }
        });
        probe.RequireSame(probe.Of(sample), probe.Of(shifted), sample, "shifted tokens");
        return true;
    }

    private static bool EqualEngines(PropertyProbe probe, PropertyCase sample)
    {
        PropertyCase equal = sample.With(copy => copy.Old.CopyTo(copy.Inference, 0));
        LossOutcome outcome = probe.Of(equal);
        probe.RequireSame(outcome, probe.Of(equal.WithBand(1, 1)), equal, "equal engines, band [1, 1]");
        foreach (LossAggregationKind kind in outcome.Loss.Keys)
        {
            double[] coefficients = equal.Coefficients(kind);
            double loss = 0;
            for (int i = 0; i < equal.Tokens; i++)
            {
                if (equal.Valid(i))
                {
                    double ratio = equal.PolicyRatio(i), advantage = equal.Advantage(i);
                    double limited = Math.Clamp(ratio, 1 - equal.EpsilonLow, 1 + equal.EpsilonHigh);
                    double surrogate = Math.Min(ratio * advantage, limited * advantage);
                    double coefficient = coefficients[i / equal.Length];
                    double gradient = surrogate < ratio * advantage ? 0 : -coefficient * ratio * advantage;
                    double found = outcome.Gradient[kind][i];
                    loss -= coefficient * surrogate;
                    bool atKink = Math.Abs(ratio - limited) < 1e-12 * ratio && ratio != 1;
                    probe.Edge("clipped token", surrogate < ratio * advantage);
                    Require(
                        atKink || probe.Close(gradient, found),
                        $"equal engines: gradient {kind.Word()}[{i}] is {found}, GRPO's {gradient}");
                }
            }

            probe.RequireClose(loss, outcome.Loss[kind], equal.Gauge(kind), $"equal engines: loss {kind.Word()}");
        }

        probe.Edge("band without 1");
        RequireSilent(probe.Of(equal.WithBand(1.5, 2)), "equal engines, band [1.5, 2]");
        return true;
    }

    private static bool MaskedIsSilent(PropertyProbe probe, PropertyCase sample)
    {
        if (sample.Tokens == 0)
        {
            return false;
        }

        CaseRandom random = sample.Random;
        int forced = random.Below(sample.Tokens);
        PropertyCase masked = sample.With(copy => EdgeInjector.Out(copy, forced));
        List<int> overwritten = [];
        PropertyCase other = masked.With(copy =>
        {
            for (int i = 0; i < copy.Tokens; i++)
            {
                if (copy.Valid(i) && !copy.Kept(i) && !copy.NearEnd(i))
                {
                    copy.Current[i] = random.Pick(
                        random.Normal(50), double.NaN, double.NegativeInfinity, double.PositiveInfinity);
                    overwritten.Add(i);
                    probe.Edge("NaN at a masked token", double.IsNaN(copy.Current[i]));
                    probe.Edge(
                        "masked and clipped at once",
                        copy.Advantage(i) > 0 && copy.PolicyRatio(i) > 1 + copy.EpsilonHigh);
                }
            }
        });
        LossOutcome outcome = probe.Of(other);
        probe.RequireSame(probe.Of(masked), outcome, masked, "policy overwritten at masked tokens");
        foreach ((LossAggregationKind kind, double[] values) in outcome.Gradient)
        {
            foreach (int i in overwritten)
            {
                Require(values[i] == 0, $"masked token {i} has gradient {kind.Word()} {values[i]}");
            }
        }

        return overwritten.Count > 0;
    }

    private static bool Padding(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        LossOutcome before = probe.Of(sample);
        probe.Edge("row of padding only", Array.IndexOf(sample.Counts(), 0) >= 0);
        probe.Edge("hole in a row", sample.HasHole);
        int[] columns = new int[sample.Length + random.Between(1, 5)];
        Array.Fill(columns, -1);
        PropertyCase.Upto(sample.Length).CopyTo(columns, 0);
        PropertyCase wide = sample.Arrange(PropertyCase.Upto(sample.Rollouts), columns);
        EdgeInjector.PoisonPadding(wide, random);
        LossOutcome after = probe.Of(wide);
        foreach ((LossAggregationKind kind, double value) in before.Loss)
        {
            double gauge = sample.Gauge(kind);
            Require(
                probe.Close(value, after.Loss[kind], gauge, Math.Max(probe.Relative / 100, 1e-14)),
                $"more padding: loss {kind.Word()} is {after.Loss[kind]}, not {value}");
            for (int i = 0; i < wide.Tokens; i++)
            {
                int column = i % wide.Length;
                double actual = after.Gradient[kind][i];
                Require(wide.Valid(i) || actual == 0, $"padding {i} has gradient {kind.Word()} {actual}");
                double expected = wide.Valid(i) ? before.Gradient[kind][(i / wide.Length * sample.Length) + column] : 0;
                probe.RequireSame(expected, actual, gauge, "more padding: gradient");
            }
        }

        PropertyCase poisoned = sample.With(copy => EdgeInjector.PoisonPadding(copy, random));
        probe.RequireSame(before, probe.Of(poisoned), sample, "poisoned padding");
        return true;
    }

    private static bool RowOrder(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        bool twice = random.Chance(0.3);
        int[] rows = PropertyCase.Upto(sample.Rollouts);
        PropertyCase batch = twice ? sample.Rows([.. rows, .. rows]) : sample;
        int[] order = random.Order(batch.Rollouts);
        probe.Edge("duplicate rows", twice);
        probe.Edge("empty row", Array.IndexOf(batch.Counts(), 0) >= 0);
        RequirePermuted(
            probe, batch, batch.Rows(order), i => (order[i / batch.Length] * batch.Length) + (i % batch.Length));
        return batch.Rollouts > 1;
    }

    private static bool TokenOrder(PropertyProbe probe, PropertyCase sample)
    {
        int[] order = sample.Random.Order(sample.Length);
        probe.Edge("hole in a row", sample.HasHole);
        PropertyCase permuted = sample.Arrange(PropertyCase.Upto(sample.Rollouts), order);
        RequirePermuted(probe, sample, permuted, i => i - (i % sample.Length) + order[i % sample.Length]);
        return sample.Length > 1;
    }

    private static void RequirePermuted(
        PropertyProbe probe, PropertyCase sample, PropertyCase permuted, Func<int, int> origin)
    {
        LossOutcome before = probe.Of(sample), after = probe.Of(permuted);
        foreach ((LossAggregationKind kind, double value) in before.Loss)
        {
            double gauge = sample.Gauge(kind);
            probe.RequireClose(value, after.Loss[kind], gauge, $"permuted: loss {kind.Word()}");
            for (int i = 0; i < sample.Tokens; i++)
            {
                probe.RequireSame(
                    before.Gradient[kind][origin(i)], after.Gradient[kind][i], gauge, "permuted: gradient");
            }
        }
    }
}
