using System;
using System.Collections.Generic;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P30, P31, P33 to P36, P40, P47, P48 and P54: nothing left, nothing finite, and what is counted.</summary>
internal static class RobustnessProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss("P30", CaseKind.General, "a batch out of band has loss and gradient 0 and does not fail", AllMasked),
        Loss("P31", CaseKind.General, "a batch of empty responses has loss and gradient 0 and does not fail", AllEmpty),
        Loss("P33", CaseKind.General, "finite inputs give finite results, however far the engines are apart", Finite),
        Loss("P34", CaseKind.General, "a token with −∞ or NaN from an engine is dropped alone", NonFinite),
        Loss("P35", CaseKind.General, "a NaN of the policy at a kept token is not swallowed", PolicyNotANumber),
        Loss("P36", CaseKind.General, "away from the ends the ratio decides as its logarithm does", RatioSpace),
        Loss("P40", CaseKind.General, "zero advantages give exactly zero, even where r overflows", NoAdvantage),
        Loss("P47", CaseKind.Edges, "low, high and non-finite add up to what is dropped", CountsAddUp),
        Loss("P48", CaseKind.Edges, "mismatch statistics respect their inequalities", Statistics),
        Loss("P54", CaseKind.General, "it is not the binary mask, and equal to it where the engines agree", NotBinary),
    ];

    private static ObjectiveProperty Loss(string number, CaseKind cases, string statement, PropertyCheck check) =>
        new(number, PropertySubject.Loss, statement, cases, check);

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

        try
        {
            RequireSilent(probe.Of(sample.Rows()), "no response at all");
        }
        catch (ArgumentException)
        {
            // refusing a batch without responses is allowed
        }

        return true;
    }

    private static bool Finite(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        PropertyCase extreme = sample.With(copy =>
        {
            copy.Beta = Math.Min(copy.Beta, 1e6);
            for (int i = 0; i < copy.Tokens; i++)
            {
                copy.Old[i] = random.Pick(copy.Old[i], -1e308, 1e308, -1000, -1e17);
                copy.Inference[i] = random.Pick(copy.Inference[i], -1e308, 1e308, copy.Old[i], copy.Old[i] - 2);
                copy.Current[i] = copy.Old[i] + random.Pick(0, 600, -600, random.Normal(1));
            }
        });
        LossOutcome outcome = probe.Of(extreme);
        foreach ((LossAggregationKind kind, double value) in outcome.Loss)
        {
            Require(double.IsFinite(value), $"finite inputs: loss {kind.Word()} is {value}");
            for (int i = 0; i < extreme.Tokens; i++)
            {
                double gradient = outcome.Gradient[kind][i];
                Require(double.IsFinite(gradient), $"finite inputs: gradient {kind.Word()}[{i}] is {gradient}");
                Require(
                    double.IsFinite(extreme.LogRatio(i)) || gradient == 0,
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
        // one,
        // where it weighs e^−2000 = 0.
        PropertyCase poisoned = sample.With(copy =>
            EdgeInjector.PoisonToken(copy, random, token));
        PropertyCase dropped = sample.With(copy => copy.Inference[token] = copy.Old[token] + 2000);
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
        int token = Array.FindIndex(PropertyCase.Upto(sample.Tokens), i => sample.Kept(i) && !sample.NearEnd(i));
        if (token < 0)
        {
            return false;
        }

        PropertyCase poisoned = sample.With(copy =>
        {
            copy.Current[token] = double.NaN;
            copy.Advantages[token / copy.Length] = sample.Random.Pick(1, -1);
        });
        LossOutcome outcome;
        try
        {
            outcome = probe.Of(poisoned);
        }
        catch (Exception exception) when (exception is not PropertyFailure)
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
        double[] logRatios = MaskProperties.LogRatios(sample, sample.Random);
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        double[] weights = probe.Weights(logRatios, sample.Alpha, sample.Beta);
        for (int i = 0; i < weights.Length; i++)
        {
            double ratio = Math.Exp(logRatios[i]);
            bool away = Away(logRatios[i], low) && Away(logRatios[i], high) && double.IsNormal(ratio);
            bool inside = ratio >= sample.Alpha && ratio <= sample.Beta;
            Require(
                !away || inside == (weights[i] != 0),
                $"ratio {ratio} in [{sample.Alpha}, {sample.Beta}] has weight {weights[i]}");
        }

        return true;
    }

    internal static bool Away(double logRatio, double logBound, double unit = 1.0 / (1L << 52)) =>
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
        double step = sample.Random.Normal(0.1);
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
        foreach ((LossAggregationKind kind, double[] gradient) in probe.Of(two).Gradient)
        {
            Require(gradient[0] == 0, $"no advantage, log r 800: gradient {kind.Word()} {gradient[0]}");
        }

        return true;
    }

    private static bool CountsAddUp(PropertyProbe probe, PropertyCase sample)
    {
        if (probe.Of(sample).Metrics is not { } metrics)
        {
            return false;
        }

        long valid = 0, kept = 0, low = 0, high = 0, nonFinite = 0;
        for (int i = 0; i < sample.Tokens; i++)
        {
            bool counts = sample.Valid(i);
            double difference = sample.LogRatio(i);
            valid += counts ? 1 : 0;
            kept += sample.Kept(i) ? 1 : 0;
            nonFinite += counts && !double.IsFinite(difference) ? 1 : 0;
            low += counts && double.IsFinite(difference) && difference < Math.Log(sample.Alpha) ? 1 : 0;
            high += counts && double.IsFinite(difference) && difference > Math.Log(sample.Beta) ? 1 : 0;
        }

        bool right = metrics.ValidTokens == valid && metrics.KeptTokens == kept && metrics.MaskedLow == low
            && metrics.MaskedHigh == high && metrics.NonFiniteLogRatio == nonFinite
            && low + high + nonFinite == valid - kept;
        Require(
            right,
            $"{metrics}; counted here: valid {valid}, kept {kept}, low {low}, high {high}, non-finite {nonFinite}");
        double share = valid == 0 ? 0 : (valid - kept) / (double)valid;
        Require(
            metrics.ClipFraction is >= 0 and <= 1 && probe.Close(share, metrics.ClipFraction),
            $"clip share {metrics.ClipFraction}, not {share}");
        return true;
    }

    private static bool Statistics(PropertyProbe probe, PropertyCase sample)
    {
        LossOutcome outcome = probe.Of(sample);
        if (outcome.Metrics is not { } metrics)
        {
            return false;
        }

        double slack = 1 + 1e-12;
        double keptShare = metrics.ValidTokens == 0 ? 0 : metrics.KeptTokens / (double)metrics.ValidTokens;
        Require(
            metrics.MeanAbsoluteDifference <= metrics.MaximumAbsoluteDifference * slack
                && metrics.K3InferenceTraining >= 0,
            $"mean |Δ| {metrics.MeanAbsoluteDifference}, largest {metrics.MaximumAbsoluteDifference}, k3 "
                + $"{metrics.K3InferenceTraining}");
        Require(
            Math.Abs(metrics.K1InferenceTraining) <= metrics.MeanAbsoluteDifference * slack,
            $"k1 {metrics.K1InferenceTraining} beyond mean |Δ| {metrics.MeanAbsoluteDifference}");
        Require(
            metrics.EffectiveSampleFraction >= 0 && keptShare <= 1
                && metrics.EffectiveSampleFraction <= keptShare * slack,
            $"effective samples {metrics.EffectiveSampleFraction}, kept share {keptShare}");
        double smallest = double.PositiveInfinity, largest = 0;
        for (int i = 0; i < sample.Tokens; i++)
        {
            smallest = sample.Kept(i) ? Math.Min(smallest, Math.Exp(sample.LogRatio(i))) : smallest;
            largest = sample.Kept(i) ? Math.Max(largest, Math.Exp(sample.LogRatio(i))) : largest;
        }

        bool equal = smallest == largest && largest > 0, apart = smallest < largest * 0.99;
        Require(
            !equal || probe.Close(keptShare, metrics.EffectiveSampleFraction),
            $"equal weights: effective samples {metrics.EffectiveSampleFraction}, kept share {keptShare}");
        Require(
            !apart || metrics.EffectiveSampleFraction < keptShare,
            $"unequal weights: effective samples {metrics.EffectiveSampleFraction} equal the kept share");
        return true;
    }

    private static bool NotBinary(PropertyProbe probe, PropertyCase sample)
    {
        double low = Math.Max(Math.Log(sample.Alpha), -3), high = Math.Min(Math.Log(sample.Beta), 3);
        double difference = sample.Random.Uniform(low, high);
        double[] weights = probe.Weights([difference, 0], sample.Alpha, sample.Beta);
        Require(weights[1] == 1, $"equal engines have weight {weights[1]}");
        Require(
            Math.Abs(difference) < 1e-4 || Math.Abs(weights[0] - 1) > 5e-5,
            $"log ratio {difference} has weight {weights[0]}: the factor k is missing");
        return true;
    }
}
