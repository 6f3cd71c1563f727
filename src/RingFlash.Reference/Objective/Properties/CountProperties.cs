using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P47 and P48: what a loss that reports metrics says about them.</summary>
internal static class CountProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss(
            "P47",
            CaseKind.Edges,
            "low, high and non-finite add up to what is dropped",
            CountsAddUp,
            "low",
            "high",
            "not finite",
            "no token at all"),
        Loss(
            "P48",
            CaseKind.Edges,
            "mismatch statistics respect their inequalities",
            Statistics,
            "equal weights",
            "unequal weights",
            "all masked"),
    ];

    private static ObjectiveProperty Loss(
        string number,
        CaseKind cases,
        string statement,
        PropertyCheck check,
        params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Loss, statement, cases, check, edges);

    private static bool CountsAddUp(PropertyProbe probe, PropertyCase sample)
    {
        if (probe.Of(sample).Metrics is not { } metrics)
        {
            return false;
        }

        // Beside an end of the band the last bit of a library's logarithm decides.
        long valid = 0, kept = 0, low = 0, high = 0, nonFinite = 0, open = 0;
        for (int i = 0; i < sample.Tokens; i++)
        {
            bool counts = sample.Valid(i);
            double difference = sample.LogRatio(i);
            valid += counts ? 1 : 0;
            open += counts && sample.NearEnd(i) && difference != 0 ? 1 : 0;
            kept += sample.Kept(i) ? 1 : 0;
            nonFinite += counts && !double.IsFinite(difference) ? 1 : 0;
            low += counts && double.IsFinite(difference) && difference < Math.Log(sample.Alpha) ? 1 : 0;
            high += counts && double.IsFinite(difference) && difference > Math.Log(sample.Beta) ? 1 : 0;
        }

        probe.Edge("low", low > 0);
        probe.Edge("high", high > 0);
        probe.Edge("not finite", nonFinite > 0);
        probe.Edge("no token at all", valid == 0);
        bool Near(long expected, long actual) => Math.Abs(expected - actual) <= open;
        bool right = metrics.ValidTokens == valid && Near(kept, metrics.KeptTokens) && Near(low, metrics.MaskedLow)
            && Near(high, metrics.MaskedHigh) && metrics.NonFiniteLogRatio == nonFinite
            && metrics.MaskedLow + metrics.MaskedHigh + metrics.NonFiniteLogRatio == valid - metrics.KeptTokens;
        Require(
            right,
            $"{metrics}; counted here: valid {valid}, kept {kept}, low {low}, high {high}, non-finite {nonFinite}");
        double share = valid == 0 ? 0 : (valid - metrics.KeptTokens) / (double)valid;
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

        double slack = 1 + probe.Relative;
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
        bool decided = true;
        for (int i = 0; i < sample.Tokens; i++)
        {
            decided &= !sample.Valid(i) || !sample.NearEnd(i) || sample.LogRatio(i) == 0;
            smallest = sample.Kept(i) ? Math.Min(smallest, Math.Exp(sample.LogRatio(i))) : smallest;
            largest = sample.Kept(i) ? Math.Max(largest, Math.Exp(sample.LogRatio(i))) : largest;
        }

        bool equal = decided && smallest == largest && largest > 0, apart = decided && smallest < largest * 0.99;
        probe.Edge("equal weights", equal);
        probe.Edge("unequal weights", apart);
        probe.Edge("all masked", metrics.ValidTokens > 0 && metrics.KeptTokens == 0);
        Require(
            !equal || probe.Close(keptShare, metrics.EffectiveSampleFraction),
            $"equal weights: effective samples {metrics.EffectiveSampleFraction}, kept share {keptShare}");
        Require(
            !apart || metrics.EffectiveSampleFraction < keptShare,
            $"unequal weights: effective samples {metrics.EffectiveSampleFraction} equal the kept share");
        return true;
    }
}
