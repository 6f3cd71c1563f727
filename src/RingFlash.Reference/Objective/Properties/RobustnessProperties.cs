using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P30, P31, P33 to P36, P40 and P54: nothing left, nothing finite, and the factor itself.</summary>
internal static class RobustnessProperties
{
    private const string Minus = "−∞", NotANumber = "NaN", FromTraining = "training engine",
        FromInference = "inference engine", FromBoth = "both engines";

    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss("P30", CaseKind.General, "a batch out of band has loss and gradient 0 and does not fail", AllMasked),
        Loss(
            "P31",
            CaseKind.General,
            "a batch of empty responses has loss and gradient 0 and does not fail",
            AllEmpty,
            "length 0",
            "no response"),
        Loss(
            "P33",
            CaseKind.General,
            "finite inputs give finite results, however far the engines are apart",
            Finite,
            "difference overflows",
            "policy step of 600",
            "r overflows"),
        Loss(
            "P34",
            CaseKind.General,
            "a token with −∞ or NaN from an engine is dropped alone",
            NonFinite,
            Minus,
            NotANumber,
            FromTraining,
            FromInference,
            FromBoth),
        Loss("P35", CaseKind.General, "a NaN of the policy at a kept token is not swallowed", PolicyNotANumber),
        Loss(
            "P36",
            CaseKind.General,
            "away from the ends the ratio decides as its logarithm does",
            RatioSpace,
            "inside",
            "outside"),
        Loss("P40", CaseKind.General, "zero advantages give exactly zero, even where r overflows", NoAdvantage),
        Loss(
            "P54",
            CaseKind.General,
            "it is not the binary mask, and equal to it where the engines agree",
            NotBinary,
            "factor visible"),
    ];

    private static ObjectiveProperty Loss(
        string number,
        CaseKind cases,
        string statement,
        PropertyCheck check,
        params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Loss, statement, cases, check, edges);

    private static bool AllMasked(PropertyProbe probe, PropertyCase sample)
    {
        PropertyCase masked = sample.With(EdgeInjector.AllOut);
        LossOutcome outcome = probe.Of(masked);
        RequireSilent(outcome, "everything out of band");
        if (outcome.Metrics is { } metrics && metrics.ValidTokens > 0)
        {
            Require(
                metrics.ClipFraction == 1 && metrics.EffectiveSampleFraction == 0,
                $"everything out of band: clip share {metrics.ClipFraction}, effective samples "
                    + $"{metrics.EffectiveSampleFraction}");
        }

        return sample.Tokens > 0;
    }

    private static bool AllEmpty(PropertyProbe probe, PropertyCase sample)
    {
        PropertyCase empty = sample.With(copy =>
        {
            Array.Clear(copy.Mask);
            EdgeInjector.PoisonPadding(copy, sample.Random);
        });
        PropertyCase withoutTokens = sample.Arrange(PropertyCase.Upto(sample.Rollouts), []);
        probe.Edge("length 0");
        foreach (PropertyCase nothing in new PropertyCase[] { empty, withoutTokens })
        {
            LossOutcome outcome = probe.Of(nothing);
            RequireSilent(outcome, "only empty responses");
            if (outcome.Metrics is { } metrics)
            {
                double all = metrics.ClipFraction + metrics.MeanAbsoluteDifference + metrics.EffectiveSampleFraction
                    + metrics.PolicyClipFraction + metrics.K1InferenceTraining + metrics.K3InferenceTraining;
                Require(all == 0, $"only empty responses: {metrics}");
            }
        }

        probe.Edge("no response");
        LossOutcome? none = probe.OfOrRefused(sample.Rows()); // refusing a batch without responses is allowed
        if (none is not null)
        {
            RequireSilent(none, "no response at all");
        }

        return true;
    }

    private static bool Finite(PropertyProbe probe, PropertyCase sample)
    {
        // The differences of float32 overflow at other numbers than those of float64, and so does e^(ℓ − o)·β·Â.
        CaseRandom random = sample.Random;
        (double huge, double step) = probe.SinglePrecision ? ((double)(float)3e38, 40) : (1e308, 600);
        PropertyCase extreme = sample.With(copy =>
        {
            copy.Beta = Math.Min(copy.Beta, 1e6);
            for (int i = 0; i < copy.Tokens; i++)
            {
                copy.Old[i] = random.Pick(copy.Old[i], -huge, huge, -1000, -1e17);
                copy.Inference[i] = random.Pick(copy.Inference[i], -huge, huge, copy.Old[i], copy.Old[i] - 2);
                copy.Current[i] = probe.Number(copy.Old[i] + random.Pick(0, step, -step, random.Normal(1)));
                bool overflows = !double.IsFinite(probe.Number(copy.LogRatio(i)));
                probe.Edge("difference overflows", copy.Valid(i) && overflows);
                probe.Edge("policy step of 600", copy.Kept(i) && Math.Abs(copy.Current[i] - copy.Old[i]) == step);
            }
        });
        // Beyond e^709.78 the loss of a bad token is truly +∞, or what a clamp makes of it; NaN it is not.
        (double loss, double slope) = probe.Single(PropertyCase.Token(0, 800, -1));
        probe.Edge("r overflows");
        Require(loss > 1 && slope >= 0, $"log r 800 with advantage −1: loss {loss}, gradient {slope}");
        LossOutcome outcome = probe.Of(extreme);
        foreach ((LossAggregationKind kind, double value) in outcome.Loss)
        {
            Require(double.IsFinite(value), $"finite inputs: loss {kind.Word()} is {value}");
            for (int i = 0; i < extreme.Tokens; i++)
            {
                double gradient = outcome.Gradient[kind][i];
                Require(double.IsFinite(gradient), $"finite inputs: gradient {kind.Word()}[{i}] is {gradient}");
                Require(
                    double.IsFinite(probe.Number(extreme.LogRatio(i))) || gradient == 0,
                    $"token {i} whose log ratio overflows has gradient {kind.Word()} {gradient}");
            }
        }

        return sample.Tokens > 0;
    }

    private static bool NonFinite(PropertyProbe probe, PropertyCase sample)
    {
        int valid = Array.FindAll(sample.Mask, flag => flag != 0).Length;
        if (valid == 0)
        {
            return false;
        }

        CaseRandom random = sample.Random;
        int token = random.Below(sample.Tokens);
        while (!sample.Valid(token))
        {
            token = (token + 1) % sample.Tokens;
        }

        // The comparison is the same batch with that token dropped by a difference of −2000 in any band but the open
        // one, where it weighs e^−2000 = 0.
        PropertyCase poisoned = sample.With(copy =>
            EdgeInjector.PoisonToken(copy, random, token));
        PropertyCase dropped = sample.With(copy => copy.Inference[token] = copy.Old[token] + 2000);
        bool training = !double.IsFinite(poisoned.Old[token]), inference = !double.IsFinite(poisoned.Inference[token]);
        probe.Edge(training && inference ? FromBoth : training ? FromTraining : FromInference);
        probe.Edge(
            double.IsNaN(poisoned.Old[token]) || double.IsNaN(poisoned.Inference[token]) ? NotANumber : Minus);
        LossOutcome outcome = probe.Of(poisoned);
        probe.RequireSame(
            probe.Of(dropped),
            outcome,
            dropped,
            $"token {token} at {poisoned.Old[token]} and {poisoned.Inference[token]}");
        Require(outcome.Keep is null || outcome.Keep[token] == 0, $"token {token} without a finite log ratio is kept");
        Require(
            outcome.Weight is null || outcome.Weight[token] == 0,
            $"token {token} without a finite log ratio has weight {outcome.Weight?[token]}");
        Require(
            outcome.Metrics is null || outcome.Metrics.NonFiniteLogRatio == 1,
            $"one token without a finite log ratio, {outcome.Metrics?.NonFiniteLogRatio} counted");

        // Alone, in every band, from either side.
        double[] bad = [double.NegativeInfinity, double.NaN];
        foreach (double poison in bad)
        {
            double[] weights = probe.Weights(
                [poison, -1, poison, -1], [-1, poison, poison, -1], sample.Alpha, sample.Beta);
            Require(
                weights[0] == 0 && weights[1] == 0 && weights[2] == 0,
                $"{poison} from the engines has weights {weights[0]}, {weights[1]}, {weights[2]}");
            Require(
                weights[3] == 1 || sample.Alpha > 1 || sample.Beta < 1,
                $"beside a token at {poison} a token with equal engines has weight {weights[3]}");
        }

        return true;
    }

    private static bool PolicyNotANumber(PropertyProbe probe, PropertyCase sample)
    {
        // A weight that underflows to 0 is no longer that of a kept token: nothing tells it from a dropped one, which
        // by P11 must be silent. The rule of the band keeps e^−745 under α = 0; floating point does not.
        int token = Array.FindIndex(
            PropertyCase.Upto(sample.Tokens),
            i => sample.Kept(i) && !sample.NearEnd(i) && Math.Exp(sample.LogRatio(i)) > probe.Smallest);
        if (token < 0)
        {
            return false;
        }

        PropertyCase poisoned = sample.With(copy =>
        {
            copy.Current[token] = double.NaN;
            copy.Advantages[token / copy.Length] = sample.Random.Pick(1, -1);
        });
        if (probe.OfOrRefused(poisoned) is not { } outcome)
        {
            return true; // an exception is as loud as a NaN
        }

        foreach ((LossAggregationKind kind, double value) in outcome.Loss)
        {
            Require(double.IsNaN(value), $"the policy is NaN at kept token {token} and loss {kind.Word()} is {value}");
        }

        return true;
    }

    private static bool RatioSpace(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = MaskProperties.LogRatios(probe, sample);
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta), unit = 2 * probe.Unit;
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        for (int i = 0; i < weights.Length; i++)
        {
            double ratio = Math.Exp(logRatios[i]);
            bool normal = ratio > probe.Smallest && double.IsFinite(probe.Number(ratio));
            bool away = Away(logRatios[i], low, unit) && Away(logRatios[i], high, unit) && normal;
            bool inside = ratio >= sample.Alpha && ratio <= sample.Beta;
            probe.Edge(inside ? "inside" : "outside", away);
            Require(
                !away || inside == (weights[i] != 0),
                $"ratio {ratio} in [{sample.Alpha}, {sample.Beta}] has weight {weights[i]}");
        }

        return true;
    }

    internal static bool Away(double logRatio, double logBound, double unit) =>
        double.IsInfinity(logBound) || Math.Abs(logRatio - logBound) > 8 * unit * Math.Max(1, Math.Abs(logBound));

    private static bool NoAdvantage(PropertyProbe probe, PropertyCase sample)
    {
        PropertyCase flat = sample.With(copy =>
        {
            Array.Clear(copy.Advantages);
            for (int i = 0; i < copy.Tokens; i++)
            {
                copy.Current[i] = copy.Old[i] + sample.Random.Pick(0, 1, 800, -800);
            }
        });
        RequireSilent(probe.Of(flat), "zero advantages");

        // Token for token: a first response without an advantage leaves a second one as it is.
        double step = probe.Number(sample.Random.Normal(0.1));
        PropertyCase two = new()
        {
            Rollouts = 2,
            Length = 1,
            Current = [800, step],
            Old = [0, 0],
            Inference = [0, 0],
            Advantages = [0, -1],
            Mask = [1, 1],
        };
        LossOutcome beside = probe.Of(two);
        (double loss, double alone) = probe.Single(PropertyCase.Token(0, step, -1));
        foreach ((LossAggregationKind kind, double[] gradient) in beside.Gradient)
        {
            Require(gradient[0] == 0, $"no advantage, log r 800: gradient {kind.Word()} {gradient[0]}");
            double expected = two.Coefficients(kind)[1] * alone;
            Require(
                probe.Close(expected, gradient[1]),
                $"beside a response without an advantage gradient {kind.Word()} is {gradient[1]}, not {expected}");
            probe.RequireClose(
                two.Coefficients(kind)[1] * loss,
                beside.Loss[kind],
                0,
                $"beside a response without an advantage loss {kind.Word()}");
        }

        return true;
    }

    private static bool NotBinary(PropertyProbe probe, PropertyCase sample)
    {
        double low = Math.Max(Math.Log(sample.Alpha), -3), high = Math.Min(Math.Log(sample.Beta), 3);
        double difference = probe.Number(sample.Random.Uniform(low, high));
        if (probe.SinglePrecision && SinglePrecisionCase.NearEnd(difference, 0, sample.Alpha, sample.Beta))
        {
            return false;
        }

        probe.Edge("factor visible", Math.Abs(difference) >= 1e-4);
        double[] weights = probe.Weights([difference, 0], sample.Alpha, sample.Beta);
        Require(weights[1] == 1, $"equal engines have weight {weights[1]}");
        Require(
            Math.Abs(difference) < 1e-4 || Math.Abs(weights[0] - 1) > 5e-5,
            $"log ratio {difference} has weight {weights[0]}: the factor k is missing");
        return true;
    }
}
