using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P19, P20 and P23: the clip of the policy ratio.</summary>
internal static class ClipProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss(
            "P19",
            CaseKind.General,
            "every branch of the clip is that of the table",
            Branches,
            "upper bound met exactly",
            "lower bound met exactly"),
        Loss(
            "P20",
            CaseKind.General,
            "the clip never lowers the loss",
            Pessimism,
            GradientProperties.Clipped,
            "no clip"),
        Loss(
            "P23",
            CaseKind.General,
            "without the clip the loss is odd in the advantages, with it it is not",
            Odd,
            "counterexample with the clip"),
    ];

    private static ObjectiveProperty Loss(
        string number,
        CaseKind cases,
        string statement,
        PropertyCheck check,
        params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Loss, statement, cases, check, edges);

    private static bool Branches(PropertyProbe probe, PropertyCase sample)
    {
        // e^0 is 1 in every library, so where a width is 0 r meets its bound to the bit; elsewhere the last bit of an
        // exponential is the library's own, and steps keep away from the bounds.
        CaseRandom random = sample.Random;
        double up = random.Chance(0.3) ? 0 : random.Between(100, 600) / 1024.0;
        double down = random.Chance(0.3) ? 0 : -random.Between(100, 600) / 1024.0;
        double epsilonHigh = Math.Exp(up) - 1, epsilonLow = 1 - Math.Exp(down);
        (double low, double high) = random.Pick((0.5, 5.0), (0.2, 3.0), (0.5, 2.0));
        double inside = CaseRandom.Dyadic(random.Uniform(Math.Log(low) + 0.01, Math.Log(high) - 0.01));
        double size = probe.Number(random.Pick(1, 0.5, 2, random.Uniform(0.1, 3)));
        double[] steps = [down - 0.25, down + 0.0625, 0, up + 0.25, up - 0.0625, 1.5, 0.875];
        probe.Edge("upper bound met exactly", up == 0);
        probe.Edge("lower bound met exactly", down == 0);
        double[] differences =
            [inside, CaseRandom.Dyadic(Math.Log(low) - 0.5), CaseRandom.Dyadic(Math.Log(high) + 0.5)];

        // Every branch in one batch of three responses, then one of them alone.
        PropertyCase batch = Table(steps, differences, [size, -size, 0], low, high);
        (batch.EpsilonLow, batch.EpsilonHigh) = (epsilonLow, epsilonHigh);
        LossOutcome outcome = probe.Of(batch);
        int alone = random.Below(batch.Tokens);
        PropertyCase token = PropertyCase.Token(
            batch.LogRatio(alone), batch.Current[alone] - batch.Old[alone], batch.Advantage(alone));
        (token.Alpha, token.Beta, token.EpsilonLow, token.EpsilonHigh) = (low, high, epsilonLow, epsilonHigh);
        foreach ((LossAggregationKind kind, double[] gradient) in outcome.Gradient)
        {
            double[] coefficients = batch.Coefficients(kind);
            double sum = 0;
            for (int i = 0; i < batch.Tokens; i++)
            {
                (double contribution, double slope) = Expected(batch, i, inside, up, down);
                double coefficient = coefficients[i / batch.Length];
                sum += coefficient * contribution;
                Require(
                    probe.Close(coefficient * slope, gradient[i]),
                    $"log k {batch.LogRatio(i)} log r {batch.Current[i] - batch.Old[i]} Â {batch.Advantage(i)} band "
                        + $"[{low}, {high}] clip {epsilonLow}/{epsilonHigh}: gradient {kind.Word()} {gradient[i]}, not "
                        + $"{coefficient * slope}");
            }

            Require(
                probe.Close(sum, outcome.Loss[kind], batch.Gauge(kind)),
                $"all branches together: loss {kind.Word()} {outcome.Loss[kind]}, not {sum}");
        }

        (double loss, double single) = probe.Single(token);
        (double value, double derivative) = Expected(token, 0, inside, up, down);
        Require(
            probe.Close(value, loss) && probe.Close(derivative, single),
            $"log k {token.LogRatio(0)} log r {token.Current[0] - token.Old[0]} Â {token.Advantages[0]} band "
                + $"[{low}, {high}] clip {epsilonLow}/{epsilonHigh}: loss {loss} gradient {single}, not {value} and "
                + $"{derivative}");
        return true;
    }

    /// <summary>Every step with every difference, once for each advantage.</summary>
    private static PropertyCase Table(
        double[] steps, double[] differences, double[] advantages, double low, double high)
    {
        int length = steps.Length * differences.Length, tokens = advantages.Length * length;
        PropertyCase batch = new()
        {
            Rollouts = advantages.Length,
            Length = length,
            Current = new double[tokens],
            Old = new double[tokens],
            Inference = new double[tokens],
            Advantages = advantages,
            Mask = PackedRows.Ones(tokens),
            Alpha = low,
            Beta = high,
        };
        for (int i = 0; i < tokens; i++)
        {
            batch.Current[i] = steps[i % length / differences.Length];
            batch.Inference[i] = -differences[i % differences.Length];
        }

        return batch;
    }

    /// <summary>Contribution and derivative by the table, without exponentiating a bound.</summary>
    private static (double Contribution, double Derivative) Expected(
        PropertyCase batch, int i, double inside, double up, double down)
    {
        double advantage = batch.Advantage(i), step = batch.Current[i] - batch.Old[i];
        if (batch.LogRatio(i) != inside || advantage == 0)
        {
            return (0, 0);
        }

        bool clipped = (advantage > 0 && step > up) || (advantage < 0 && step < down);
        double ratio = clipped ? advantage > 0 ? 1 + batch.EpsilonHigh : 1 - batch.EpsilonLow : Math.Exp(step);
        double contribution = -Math.Exp(inside) * ratio * advantage;
        return (contribution, clipped ? 0 : contribution);
    }

    private static bool Pessimism(PropertyProbe probe, PropertyCase sample)
    {
        LossOutcome clipped = probe.Of(sample), free = probe.Of(sample.WithoutClip());
        foreach ((LossAggregationKind kind, double value) in clipped.Loss)
        {
            double slack = probe.Relative * (sample.WithoutClip().Gauge(kind) + sample.Gauge(kind));
            Require(
                value >= free.Loss[kind] - slack,
                $"loss {kind.Word()} is {value} with the clip and {free.Loss[kind]} without");
        }

        CaseRandom random = sample.Random;
        for (int trial = 0; trial < 3; trial++)
        {
            double step = probe.Number(random.Normal(1)), advantage = random.Pick(1, -1);
            double difference = trial == 0 || sample.Tokens == 0 ? 0 : sample.LogRatio(random.Below(sample.Tokens));
            PropertyCase token = PropertyCase.Token(difference, step, advantage);
            (token.Alpha, token.Beta) = (sample.Alpha, sample.Beta);
            (double one, double unlimited) = (probe.Single(token).Loss, probe.Single(token.WithoutClip()).Loss);
            probe.Edge("no clip");
            probe.Edge(GradientProperties.Clipped, GradientProperties.State(token, 0) == GradientProperties.Clipped);
            Require(
                one >= unlimited - (probe.Relative * Math.Abs(unlimited)),
                $"log k {difference} log r {step} Â {advantage}: loss {one} with the clip is below {unlimited}");
            Require(
                trial > 0 || probe.Close(-Math.Exp(step) * advantage, unlimited),
                $"without clip, log r {step} Â {advantage}: loss is {unlimited}, not {-Math.Exp(step) * advantage}");
        }

        return true;
    }

    private static bool Odd(PropertyProbe probe, PropertyCase sample)
    {
        foreach (PropertyCase unclipped in new PropertyCase[] { sample.WithoutClip(), sample.Online() })
        {
            LossOutcome before = probe.Of(unclipped);
            LossOutcome after = probe.Of(unclipped.With(copy => GradientProperties.Scale(copy.Advantages, -1)));
            foreach ((LossAggregationKind kind, double value) in before.Loss)
            {
                double gauge = unclipped.Gauge(kind);
                probe.RequireSame(-value, after.Loss[kind], gauge, $"advantages negated: loss {kind.Word()}");
                double[] negated = Array.ConvertAll(before.Gradient[kind], entry => -entry);
                probe.RequireSame(negated, after.Gradient[kind], gauge, $"advantages negated: gradient {kind.Word()}");
            }
        }

        double step = probe.Number(sample.Random.Uniform(0.3, 1));
        probe.Edge("counterexample with the clip");
        double good = probe.Single(PropertyCase.Token(0, step, 1)).Loss;
        double bad = probe.Single(PropertyCase.Token(0, step, -1)).Loss;
        Require(
            !probe.Close(-good, bad),
            $"log r {step}: with a clip of 0.2 losses {good} and {bad} of opposite advantages are still opposite");
        return true;
    }
}
