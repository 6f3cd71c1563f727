using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P16, P38 and P45: what the band, a call and the policy term have nothing to do with.</summary>
internal static class IndependenceProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Loss(
            "P16",
            CaseKind.General,
            "what is kept, and its weight, do not depend on the current policy; the loss is continuous in it",
            BandIsFixed,
            "step over an end of the band",
            "step over a bound of the clip"),
        Loss("P38", CaseKind.Edges, "inputs stay as they are and a second call gives the same", Purity),
        Loss(
            "P45", CaseKind.General, "without a KL term the reference log-probabilities are not read", NoReference),
    ];

    private static ObjectiveProperty Loss(
        string number,
        CaseKind cases,
        string statement,
        PropertyCheck check,
        params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Loss, statement, cases, check, edges);

    private static bool BandIsFixed(PropertyProbe probe, PropertyCase sample)
    {
        if (sample.Tokens == 0)
        {
            return false;
        }

        CaseRandom random = sample.Random;
        PropertyCase moved = sample.With(copy =>
        {
            for (int i = 0; i < copy.Tokens; i++)
            {
                copy.Current[i] = probe.Number(copy.Old[i] + random.Normal(1));
            }
        });
        LossOutcome first = probe.Of(sample), second = probe.Of(moved);
        for (int i = 0; i < sample.Tokens; i++)
        {
            Require(
                first.Keep is null || second.Keep is null || first.Keep[i] == second.Keep[i],
                $"token {i} is kept or not depending on the current policy");
            Require(
                first.Weight is null || second.Weight is null || probe.Same(first.Weight[i], second.Weight[i]),
                $"token {i}: weight {first.Weight?[i]} becomes {second.Weight?[i]} with another current policy");
        }

        // A policy step that would cross an end of the band, were it measured from the current policy, changes nothing
        // but r; inside an unlimited clip the gradient is −k·r.
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        double from = double.IsFinite(high) ? high - 0.1 : double.IsFinite(low) ? low + 0.1 : 0.5;
        from = from >= low && from <= high ? from : (low + high) / 2;
        from = probe.Number(from);
        foreach (double step in new double[] { 0.25, -0.25, probe.Number(random.Normal(1)) })
        {
            PropertyCase token = PropertyCase.Token(from, step, 1).WithBand(sample.Alpha, sample.Beta).WithoutClip();
            probe.Edge("step over an end of the band", from + step < low || from + step > high);
            (double loss, double gradient) = probe.Single(token);
            double expected = -Math.Exp(token.LogRatio(0)) * Math.Exp(step);
            Require(
                probe.Close(expected, gradient) && probe.Close(expected, loss),
                $"log ratio {from} in [{sample.Alpha}, {sample.Beta}], policy step {step}: loss {loss}, "
                    + $"gradient {gradient}, not {expected}");
        }

        RequireContinuous(probe, sample, random);
        return true;
    }

    /// <summary>A small step of the policy, over a bound of the clip too, changes the loss by no more than the slope
    /// k·r·|Â| allows.</summary>
    private static void RequireContinuous(PropertyProbe probe, PropertyCase sample, CaseRandom random)
    {
        double step = probe.SinglePrecision ? 1.0 / 1024 : 1.0 / (1 << 20), advantage = random.Pick(1, -1);
        double kink = advantage > 0 ? Math.Log(1 + sample.EpsilonHigh) : Math.Log(1 - sample.EpsilonLow);
        double from = probe.Number((double.IsFinite(kink) ? kink : 0) - (step / 2));
        PropertyCase before = PropertyCase.Token(0, from, advantage).WithBand(sample.Alpha, sample.Beta);
        (before.EpsilonLow, before.EpsilonHigh) = (sample.EpsilonLow, sample.EpsilonHigh);
        PropertyCase after = before.With(copy => copy.Current[0] += step);
        double change = Math.Abs(probe.Single(after).Loss - probe.Single(before).Loss);
        probe.Edge("step over a bound of the clip");
        double slope = 2 * Math.Exp(from);
        Require(
            change <= slope * (step + (8 * probe.Unit)),
            $"a policy step of {step} at log r {from} with advantage {advantage} changes the loss by {change}");
    }

    private static bool Purity(PropertyProbe probe, PropertyCase sample)
    {
        PropertyCase copy = sample.Copy();
        LossOutcome first = probe.Of(copy), second = probe.Of(copy);
        foreach ((LossAggregationKind kind, double value) in first.Loss)
        {
            Require(
                value.Equals(second.Loss[kind]),
                $"a second call gives loss {kind.Word()} {second.Loss[kind]}, not {value}");
            Require(
                first.Gradient[kind].AsSpan().SequenceEqual(second.Gradient[kind]),
                $"a second call gives another gradient {kind.Word()}");
        }

        bool untouched = sample.Current.AsSpan().SequenceEqual(copy.Current)
            && sample.Old.AsSpan().SequenceEqual(copy.Old)
            && sample.Inference.AsSpan().SequenceEqual(copy.Inference)
            && sample.Advantages.AsSpan().SequenceEqual(copy.Advantages)
            && sample.Mask.AsSpan().SequenceEqual(copy.Mask);
        Require(untouched, $"the loss writes to its inputs");
        return true;
    }

    private static bool NoReference(PropertyProbe probe, PropertyCase sample)
    {
        double[] reference = new double[sample.Tokens];
        Array.Fill(reference, double.NaN);
        RolloutBatch batch = new(
            sample.Rollouts,
            sample.Length,
            sample.Current,
            sample.Old,
            sample.Inference,
            sample.Advantages,
            sample.Mask,
            reference);
        LossOutcome outcome = probe.Of(batch, sample.Options);
        probe.RequireSame(probe.Of(sample), outcome, sample, "reference log-probabilities of NaN");
        return true;
    }
}
