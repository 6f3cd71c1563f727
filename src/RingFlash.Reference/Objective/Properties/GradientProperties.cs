using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P15, P17, P18, P21, P22 and P24: the gradient and its relation to the value.</summary>
internal static class GradientProperties
{
    internal const string Clipped = "clipped", Live = "live", Masked = "masked", NoAdvantage = "no advantage";

    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss(
            "P15",
            CaseKind.Smooth,
            "the gradient is the derivative",
            FiniteDifferences,
            Clipped,
            Live,
            Masked,
            NoAdvantage),
        Loss("P17", CaseKind.General, "on-policy the gradient is −c·k·Â once, not twice", NoSecondFactor, Live),
        Loss(
            "P18",
            CaseKind.General,
            "a live token's gradient is its contribution, any other's is 0",
            Link,
            Live,
            Clipped,
            Masked,
            NoAdvantage),
        Loss(
            "P21",
            CaseKind.General,
            "raising a good token's probability never raises the loss",
            Monotone,
            Live,
            Masked),
        Loss(
            "P22",
            CaseKind.General,
            "scaling the advantages scales the loss",
            Homogeneous,
            "power of two",
            "any factor"),
        Loss(
            "P24",
            CaseKind.General,
            "an offset of the inference engine rescales a token or drops it",
            EngineOffset,
            "small offset",
            "to an end of the band",
            "out of the band"),
    ];

    private static ObjectiveProperty Loss(
        string number,
        CaseKind cases,
        string statement,
        PropertyCheck check,
        params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Loss, statement, cases, check, edges);

    private static bool FiniteDifferences(PropertyProbe probe, PropertyCase sample)
    {
        const double Step = 1e-6;
        if (sample.Tokens == 0 || probe.SinglePrecision)
        {
            return false; // a difference of 1e-6 is lost in float32
        }

        LossOutcome outcome = probe.Of(sample);
        CaseRandom random = sample.Random;
        for (int trial = 0; trial < 3; trial++)
        {
            int token = random.Below(sample.Tokens);
            double ratio = sample.PolicyRatio(token);
            if (Math.Abs(ratio - 1 - sample.EpsilonHigh) < 1e-4 || Math.Abs(ratio - 1 + sample.EpsilonLow) < 1e-4)
            {
                continue;
            }

            probe.Edge(State(sample, token));
            LossOutcome above = probe.Of(sample.With(copy => copy.Current[token] += Step));
            LossOutcome below = probe.Of(sample.With(copy => copy.Current[token] -= Step));
            foreach ((LossAggregationKind kind, double[] gradient) in outcome.Gradient)
            {
                double slope = (above.Loss[kind] - below.Loss[kind]) / (2 * Step);
                double allowed = (1e-6 * Math.Max(1, Math.Abs(gradient[token]))) + 1e-8 + (1e-9 * sample.Gauge(kind));
                Require(
                    Math.Abs(slope - gradient[token]) <= allowed,
                    $"gradient {kind.Word()}[{token}] is {gradient[token]}, the slope of the loss {slope}");
            }
        }

        return true;
    }

    private static bool NoSecondFactor(PropertyProbe probe, PropertyCase sample)
    {
        PropertyCase online = sample.Online();
        LossOutcome outcome = probe.Of(online);
        foreach ((LossAggregationKind kind, double[] gradient) in outcome.Gradient)
        {
            double[] coefficients = online.Coefficients(kind);
            double sum = 0;
            for (int i = 0; i < online.Tokens; i++)
            {
                sum += gradient[i];
                double weight = online.Kept(i) ? Math.Exp(online.LogRatio(i)) : 0;
                double expected = -coefficients[i / online.Length] * weight * online.Advantage(i);
                probe.Edge(Live, expected != 0);
                Require(
                    online.NearEnd(i) || probe.Close(expected, gradient[i], 0, probe.Relative * 4),
                    $"on-policy gradient {kind.Word()}[{i}] is {gradient[i]}, −c·k·Â is {expected}");
            }

            double gauge = online.Gauge(kind);
            Require(
                probe.Close(sum, outcome.Loss[kind], gauge, probe.Relative * 4),
                $"on-policy gradients {kind.Word()} add up to {sum}, the loss is {outcome.Loss[kind]}");
        }

        return online.Tokens > 0;
    }

    /// <summary>What a token is to the loss.</summary>
    internal static string State(PropertyCase sample, int token)
    {
        double ratio = sample.PolicyRatio(token), advantage = sample.Advantage(token);
        bool clipped = (advantage > 0 && ratio > 1 + sample.EpsilonHigh)
            || (advantage < 0 && ratio < 1 - sample.EpsilonLow);
        return !sample.Kept(token) ? Masked : advantage == 0 ? NoAdvantage : clipped ? Clipped : Live;
    }

    private static bool Link(PropertyProbe probe, PropertyCase sample)
    {
        const int Most = 6;
        int looked = 0;
        foreach (int i in sample.Random.Order(sample.Tokens))
        {
            if (!sample.Valid(i) || sample.NearEnd(i) || looked == Most)
            {
                continue;
            }

            looked++;
            PropertyCase token = PropertyCase.Row(
                [sample.Old[i]], [sample.Inference[i]], [sample.Current[i]], sample.Advantage(i));
            (token.Alpha, token.Beta) = (sample.Alpha, sample.Beta);
            (token.EpsilonLow, token.EpsilonHigh) = (sample.EpsilonLow, sample.EpsilonHigh);
            (double loss, double gradient) = probe.Single(token);
            double ratio = token.PolicyRatio(0);
            bool nearClip = Math.Abs(ratio - (1 + token.EpsilonHigh)) < 1e-9
                || Math.Abs(1 - token.EpsilonLow - ratio) < 1e-9;
            string state = State(token, 0);
            probe.Edge(state);
            bool holds = state == Live ? probe.Close(loss, gradient) : gradient == 0 && (loss == 0 || state == Clipped);
            Require(
                holds || (nearClip && (gradient == 0 || probe.Close(loss, gradient))),
                $"alone, token {i} has loss {loss} and gradient {gradient}; it is {state}");
        }

        return looked > 0;
    }

    private static bool Monotone(PropertyProbe probe, PropertyCase sample)
    {
        if (sample.Tokens == 0)
        {
            return false;
        }

        CaseRandom random = sample.Random;
        LossOutcome before = probe.Of(sample);
        for (int trial = 0; trial < 3; trial++)
        {
            int token = random.Below(sample.Tokens);
            double rise = Math.Abs(random.Normal(random.Pick(0.01, 1)));
            PropertyCase raised = sample.With(copy => copy.Current[token] = probe.Number(copy.Current[token] + rise));
            bool silent = sample.Valid(token) && !sample.Kept(token) && !sample.NearEnd(token);
            probe.Edge(State(sample, token) == Live ? Live : Masked);
            LossOutcome after = probe.Of(raised);
            foreach ((LossAggregationKind kind, double value) in before.Loss)
            {
                double change = after.Loss[kind] - value;
                double slack = probe.Relative * (sample.Gauge(kind) + raised.Gauge(kind));
                bool right = sample.Advantage(token) switch
                {
                    > 0 => change <= slack,
                    < 0 => change >= -slack,
                    _ => Math.Abs(change) <= slack,
                };
                Require(
                    right && (!silent || probe.Same(value, after.Loss[kind], sample.Gauge(kind))),
                    $"raising token {token} by {rise} with advantage {sample.Advantage(token)} changes loss "
                        + $"{kind.Word()} by {change}");
            }
        }

        return true;
    }

    private static bool Homogeneous(PropertyProbe probe, PropertyCase sample)
    {
        // A power of two scales every intermediate number exactly, as long as none is subnormal before or after.
        double power = Math.ScaleB(1, sample.Random.Between(-20, 20));
        double any = probe.Number(sample.Random.Uniform(0.1, 10));
        bool exact = !probe.SinglePrecision;
        for (int i = 0; i < sample.Tokens; i++)
        {
            exact &= !sample.Kept(i) || sample.Advantage(i) == 0
                || Math.Exp(sample.LogRatio(i)) * Math.Min(1, Math.Abs(sample.Advantage(i))) > 1e-280;
        }

        LossOutcome before = probe.Of(sample);
        foreach (double factor in new double[] { power, any })
        {
            LossOutcome after = probe.Of(sample.With(copy => Scale(copy.Advantages, factor)));
            bool bits = factor == power && exact;
            probe.Edge(factor == power ? "power of two" : "any factor", factor != power || bits);
            foreach ((LossAggregationKind kind, double value) in before.Loss)
            {
                double gauge = factor * sample.Gauge(kind), expected = factor * value;
                Require(
                    bits
                        ? probe.Same(expected, after.Loss[kind], gauge)
                        : probe.Close(expected, after.Loss[kind], gauge),
                    $"advantages times {factor}: loss {kind.Word()} is {after.Loss[kind]}, not {expected}");
                for (int i = 0; i < sample.Tokens; i++)
                {
                    double wanted = factor * before.Gradient[kind][i], found = after.Gradient[kind][i];
                    Require(
                        bits ? probe.Same(wanted, found) : probe.Close(wanted, found),
                        $"advantages times {factor}: gradient {kind.Word()}[{i}] is {found}, not {wanted}");
                }
            }
        }

        return true;
    }

    private static bool EngineOffset(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double alpha = Math.Max(sample.Alpha, 0.05), beta = Math.Min(sample.Beta, 20);
        double low = Math.Log(alpha), high = Math.Log(beta);

        // A library's logarithm of an end may differ in its last bit; 0 is exact in all.
        double inset = low == high ? 0 : 8 * probe.Unit * Math.Max(1, Math.Max(-low, high));
        double Within(double difference) => Math.Clamp(probe.Number(difference), low + inset, high - inset);
        int choice = random.Below(4);
        double from = Within(random.Uniform(low, high));
        double to = choice switch
        {
            0 => Within(from + random.Normal(1e-6)),
            1 => Within(random.Pick(low, high)),
            _ => Within(random.Uniform(low, high)),
        };
        (from, to) = (probe.Number(from), probe.Number(to));
        probe.Edge("small offset", choice == 0);
        probe.Edge("to an end of the band", choice == 1);
        (double first, _) = probe.Single(PropertyCase.Token(from, 0, 1).WithBand(alpha, beta));
        (double second, double gradient) = probe.Single(PropertyCase.Token(to, 0, 1).WithBand(alpha, beta));
        double expected = first * Math.Exp(to - from);
        double outside = random.Chance(0.5) ? high + random.Uniform(0.01, 2) : low - random.Uniform(0.01, 2);
        (double third, double none) = probe.Single(PropertyCase.Token(outside, 0, 1).WithBand(alpha, beta));
        probe.Edge("out of the band");
        Require(
            first != 0 && probe.Close(expected, second, 0, probe.Relative * 4) && probe.Close(second, gradient),
            $"an engine offset of {from - to} from {from} in [{alpha}, {beta}]: {first} becomes {second}, "
                + $"not {expected}");
        Require(
            third == 0 && none == 0,
            $"log ratio {outside} has left [{alpha}, {beta}] with loss {third} gradient {none}");
        return true;
    }

    internal static void Scale(double[] values, double factor)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] *= factor;
        }
    }
}
