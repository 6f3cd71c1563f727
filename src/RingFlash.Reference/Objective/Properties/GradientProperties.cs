using System;
using System.Collections.Generic;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P15 and P17 to P24: the gradient and its relation to the value.</summary>
internal static class GradientProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss("P15", CaseKind.Smooth, "the gradient is the derivative", FiniteDifferences),
        Loss("P17", CaseKind.General, "on-policy the gradient is −c·k·Â once, not twice", NoSecondFactor),
        Loss("P18", CaseKind.General, "a live token's gradient is its contribution, any other's is 0", Link),
        Loss("P19", CaseKind.General, "every branch of the clip is that of the table", Branches),
        Loss("P20", CaseKind.General, "the clip never lowers the loss", Pessimism),
        Loss("P21", CaseKind.General, "raising a good token's probability never raises the loss", Monotone),
        Loss("P22", CaseKind.General, "scaling the advantages scales the loss", Homogeneous),
        Loss("P23", CaseKind.General, "without the clip the loss is odd in the advantages, with it it is not", Odd),
        Loss("P24", CaseKind.General, "an offset of the inference engine rescales a token or drops it", EngineOffset),
    ];

    private static ObjectiveProperty Loss(string number, CaseKind cases, string statement, PropertyCheck check) =>
        new(number, PropertySubject.Loss, statement, cases, check);

    private static bool FiniteDifferences(PropertyProbe probe, PropertyCase sample)
    {
        const double Step = 1e-6;
        if (sample.Tokens == 0 || probe.Relative > 1e-9)
        {
            return false;
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

    private static bool Link(PropertyProbe probe, PropertyCase sample)
    {
        bool reached = false;
        for (int i = 0; i < sample.Tokens; i++)
        {
            if (!sample.Valid(i) || sample.NearEnd(i))
            {
                continue;
            }

            reached = true;
            PropertyCase token = PropertyCase.Row(
                [sample.Old[i]], [sample.Inference[i]], [sample.Current[i]], sample.Advantage(i));
            (token.Alpha, token.Beta) = (sample.Alpha, sample.Beta);
            (token.EpsilonLow, token.EpsilonHigh) = (sample.EpsilonLow, sample.EpsilonHigh);
            (double loss, double gradient) = probe.Single(token);
            double ratio = token.PolicyRatio(0), advantage = token.Advantages[0];
            double above = ratio - (1 + token.EpsilonHigh), below = 1 - token.EpsilonLow - ratio;
            bool nearClip = Math.Abs(above) < 1e-9 || Math.Abs(below) < 1e-9;
            bool clipped = (advantage > 0 && above > 0) || (advantage < 0 && below > 0);
            bool live = token.Kept(0) && !clipped;
            Require(
                (nearClip && gradient == 0) || probe.Close(live ? loss : 0, gradient),
                $"alone, token {i} has loss {loss} and gradient {gradient}; it is {(live ? "live" : "not live")}");
        }

        return reached;
    }

    private static bool Branches(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;

        // exp(x) − 1 and 1 − exp(−x) are exact here, so that r meets its bounds to the bit.
        double up = random.Between(100, 600) / 1024.0, down = -random.Between(100, 600) / 1024.0;
        double epsilonHigh = Math.Exp(up) - 1, epsilonLow = 1 - Math.Exp(down);
        (double low, double high) = random.Pick((0.5, 5.0), (0.2, 3.0), (0.5, 2.0));
        double inside = CaseRandom.Dyadic(random.Uniform(Math.Log(low) + 0.01, Math.Log(high) - 0.01));
        double size = random.Pick(1, 0.5, 2, random.Uniform(0.1, 3));
        double[] steps = [down, down - 0.25, down + 0.0625, 0, up, up + 0.25, up - 0.0625, 1.5, 0.875];
        foreach (double step in steps)
        {
            foreach (double difference in new double[] { inside, Math.Log(low) - 0.5, Math.Log(high) + 0.5 })
            {
                foreach (double advantage in new double[] { size, -size, 0 })
                {
                    PropertyCase token = PropertyCase.Token(difference, step, advantage).WithBand(low, high);
                    (token.EpsilonLow, token.EpsilonHigh) = (epsilonLow, epsilonHigh);
                    bool kept = difference == inside && advantage != 0;
                    bool clipped = (advantage > 0 && step > up) || (advantage < 0 && step < down);
                    double ratio = clipped ? advantage > 0 ? 1 + epsilonHigh : 1 - epsilonLow : Math.Exp(step);
                    double expected = kept ? -Math.Exp(difference) * ratio * advantage : 0;
                    (double loss, double gradient) = probe.Single(token);
                    Require(
                        probe.Close(expected, loss) && probe.Close(clipped ? 0 : expected, gradient),
                        $"log k {difference} log r {step} Â {advantage} band [{low}, {high}] clip "
                            + $"{epsilonLow}/{epsilonHigh}: loss {loss} gradient {gradient}, not {expected} and "
                            + $"{(clipped ? 0 : expected)}");
                }
            }
        }

        return true;
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

        double step = sample.Random.Normal(1), advantage = sample.Random.Pick(1, -1);
        PropertyCase token = PropertyCase.Token(0, step, advantage);
        (double one, double unlimited) = (probe.Single(token).Loss, probe.Single(token.WithoutClip()).Loss);
        Require(
            one >= unlimited - (probe.Relative * Math.Abs(unlimited)),
            $"log r {step} Â {advantage}: loss {one} with the clip is below {unlimited}");
        probe.RequireClose(
            -Math.Exp(step) * advantage, unlimited, 0, $"without clip, log r {step} Â {advantage}: loss");
        return true;
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
            PropertyCase raised = sample.With(copy => copy.Current[token] += rise);
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
                    right,
                    $"raising token {token} by {rise} with advantage {sample.Advantage(token)} changes loss "
                        + $"{kind.Word()} by {change}");
            }
        }

        return true;
    }

    private static bool Homogeneous(PropertyProbe probe, PropertyCase sample)
    {
        double power = Math.ScaleB(1, sample.Random.Between(-20, 20)), any = sample.Random.Uniform(0.1, 10);
        LossOutcome before = probe.Of(sample);
        foreach (double factor in new double[] { power, any })
        {
            LossOutcome after = probe.Of(sample.With(copy => Scale(copy.Advantages, factor)));
            foreach ((LossAggregationKind kind, double value) in before.Loss)
            {
                double gauge = factor * sample.Gauge(kind);
                double expected = factor * value;
                bool bits = factor == power && Math.Abs(value) > 1e-290;
                Require(
                    bits
                        ? probe.Same(expected, after.Loss[kind], gauge)
                        : probe.Close(expected, after.Loss[kind], gauge + 1e-300),
                    $"advantages times {factor}: loss {kind.Word()} is {after.Loss[kind]}, not {expected}");
                for (int i = 0; i < sample.Tokens; i++)
                {
                    double wanted = factor * before.Gradient[kind][i], found = after.Gradient[kind][i];
                    Require(
                        probe.Close(wanted, found, 1e-290),
                        $"advantages times {factor}: gradient {kind.Word()}[{i}] is {found}, not {wanted}");
                }
            }
        }

        return true;
    }

    private static bool Odd(PropertyProbe probe, PropertyCase sample)
    {
        foreach (PropertyCase unclipped in new PropertyCase[] { sample.WithoutClip(), sample.Online() })
        {
            LossOutcome before = probe.Of(unclipped);
            LossOutcome after = probe.Of(unclipped.With(copy => Scale(copy.Advantages, -1)));
            foreach ((LossAggregationKind kind, double value) in before.Loss)
            {
                double gauge = unclipped.Gauge(kind);
                probe.RequireSame(-value, after.Loss[kind], gauge, $"advantages negated: loss {kind.Word()}");
                double[] negated = Array.ConvertAll(before.Gradient[kind], entry => -entry);
                probe.RequireSame(negated, after.Gradient[kind], gauge, $"advantages negated: gradient {kind.Word()}");
            }
        }

        double step = sample.Random.Uniform(0.3, 1);
        double good = probe.Single(PropertyCase.Token(0, step, 1)).Loss;
        double bad = probe.Single(PropertyCase.Token(0, step, -1)).Loss;
        Require(
            !probe.Close(-good, bad),
            $"log r {step}: with a clip of 0.2 losses {good} and {bad} of opposite advantages are still opposite");
        return true;
    }

    private static bool EngineOffset(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double alpha = Math.Max(sample.Alpha, 0.05), beta = Math.Min(sample.Beta, 20);
        double low = Math.Log(alpha), high = Math.Log(beta);
        double from = random.Uniform(low, high), to = random.Uniform(low, high);
        (double first, _) = probe.Single(PropertyCase.Token(from, 0, 1).WithBand(alpha, beta));
        (double second, double gradient) = probe.Single(PropertyCase.Token(to, 0, 1).WithBand(alpha, beta));
        double expected = first * Math.Exp(to - from);
        double outside = random.Chance(0.5) ? high + random.Uniform(0.01, 2) : low - random.Uniform(0.01, 2);
        (double third, double none) = probe.Single(PropertyCase.Token(outside, 0, 1).WithBand(alpha, beta));
        Require(
            first != 0 && probe.Close(expected, second, 0, probe.Relative * 4) && probe.Close(second, gradient),
            $"an engine offset of {from - to} from {from} in [{alpha}, {beta}]: {first} becomes {second}, "
                + $"not {expected}");
        Require(
            third == 0 && none == 0,
            $"log ratio {outside} has left [{alpha}, {beta}] with loss {third} gradient {none}");
        return true;
    }

    private static void Scale(double[] values, double factor)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] *= factor;
        }
    }
}
