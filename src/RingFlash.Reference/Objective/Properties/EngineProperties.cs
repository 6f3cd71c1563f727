using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P37 and P38 of this library's engines, P45 and P46 of its KL term.</summary>
internal static class EngineProperties
{
    private const double SingleUnit = 1.0 / (1 << 24);

    public static IEnumerable<ObjectiveProperty> All =>
    [
        Of("P37", CaseKind.General, "float32 weights are within their bound of float64", Precision, "kept", "masked"),
        Of("P38", CaseKind.Edges, "threads and engines change no bit", Threads),
        Of(
            "P45",
            CaseKind.Smooth,
            "the KL term adds its own gradient, at masked tokens as well",
            Divergence,
            "masked token",
            "overflow"),
        Of(
            "P46",
            CaseKind.General,
            "the three estimators of a divergence are related as they should",
            Estimators,
            "equal policies",
            "cancellation"),
    ];

    private static ObjectiveProperty Of(
        string number,
        CaseKind cases,
        string statement,
        PropertyCheck check,
        params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Operators, statement, cases, check, edges);

    private static bool Precision(PropertyProbe probe, PropertyCase sample)
    {
        RolloutBatchSingle single = sample.Batch.ToSingle();
        PropertyCase rounded = sample.With(copy =>
        {
            for (int i = 0; i < copy.Tokens; i++)
            {
                copy.Old[i] = (float)copy.Old[i];
                copy.Inference[i] = (float)copy.Inference[i];
                copy.Current[i] = (float)copy.Current[i];
            }
        });
        double[] exact = PolicyObjective.Evaluate(rounded.Batch, sample.Options).Weights;
        double[] narrow = PolicyObjective.Evaluate(ExecutionEngine.Vector512, single, sample.Options).Weights;
        double low = Math.Log(sample.Alpha), high = Math.Log(sample.Beta);
        for (int i = 0; i < exact.Length; i++)
        {
            double difference = rounded.LogRatio(i);
            double size = Math.Abs(rounded.Old[i]) + Math.Abs(rounded.Inference[i]) + Math.Abs(difference) + 4;
            double reach = size * SingleUnit;
            bool nearEnd = Math.Abs(difference - low) <= reach || Math.Abs(difference - high) <= reach;
            if (nearEnd || Math.Abs(difference) > 80)
            {
                continue; // the ends by the property's own exception; e^±80 is where float32 begins to leave its range
            }

            probe.Edge(exact[i] != 0 ? "kept" : "masked");
            Require(
                (exact[i] != 0) == (narrow[i] != 0),
                $"log ratio {difference}: weight {exact[i]} in float64, {narrow[i]} in float32");
            Require(
                Math.Abs(exact[i] - narrow[i]) <= size * SingleUnit * exact[i],
                $"log ratio {difference}: float32 weight {narrow[i]} is further than its bound from {exact[i]}");
        }

        return sample.Tokens > 0;
    }

    private static bool Threads(PropertyProbe probe, PropertyCase sample)
    {
        LossOutcome plain = ObjectivePropertySuite.Reference(sample.Batch, sample.Options);
        lock (Workers)
        {
            ObjectiveResult threaded = PolicyObjective.Evaluate(sample.Batch, sample.Options, null, Workers);
            probe.RequireSame(plain, ObjectivePropertySuite.OutcomeOf(threaded), sample, "two threads");
        }

        RolloutBatchSingle single = sample.Batch.ToSingle();
        ObjectiveResult scalar = PolicyObjective.Evaluate(ExecutionEngine.Scalar, single, sample.Options);
        ObjectiveResult vectors = PolicyObjective.Evaluate(ExecutionEngine.Vector512, single, sample.Options);
        LossOutcome vectorised = ObjectivePropertySuite.OutcomeOf(vectors);
        probe.RequireSame(ObjectivePropertySuite.OutcomeOf(scalar), vectorised, sample, "Vector512");
        return true;
    }

    private static readonly WorkerPool Workers = new(2);

    private static bool Divergence(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double lambda = random.Uniform(0.001, 1);
        double[] reference = Array.ConvertAll(sample.Current, value => value + random.Normal(0.5));
        RolloutBatch batch = new(
            sample.Rollouts,
            sample.Length,
            sample.Current,
            sample.Old,
            sample.Inference,
            sample.Advantages,
            sample.Mask,
            reference);
        ObjectiveResult with = PolicyObjective.Evaluate(
            batch, sample.Options with { KullbackLeiblerCoefficient = lambda });
        ObjectiveResult without = PolicyObjective.Evaluate(sample.Batch, sample.Options);
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            DivergenceResult total = with.Divergence(KullbackLeiblerKind.K3, kind);
            double[] policy = without.Gradient(kind), coefficients = sample.Coefficients(kind);
            double sum = 0;
            for (int i = 0; i < sample.Tokens; i++)
            {
                double scale = sample.Valid(i) ? coefficients[i / sample.Length] : 0;
                double gap = reference[i] - sample.Current[i];
                probe.Edge("masked token", sample.Valid(i) && !sample.Kept(i));
                double expected = policy[i] + (lambda * scale * (1 - Math.Exp(gap)));
                sum += scale * (Math.Exp(gap) - gap - 1);
                Require(
                    probe.Close(expected, total.TotalGradient[i], lambda * scale * (1 + Math.Exp(gap))),
                    $"λ {lambda} reference − policy {gap}: gradient {kind.Word()}[{i}] {total.TotalGradient[i]}, "
                        + $"not {expected}");
            }

            Require(
                probe.Close(sum, total.Value, 10 * sample.Tokens),
                $"k3 {kind.Word()} is {total.Value}, not {sum}");
            probe.RequireClose(
                without.Loss(
                    kind) + (lambda * total.Value), total.TotalLoss, sample.Gauge(kind) + 1, $"total {kind.Word()}");
        }

        RequireOverflow(probe, sample, lambda);
        return sample.Tokens > 0;
    }

    /// <summary>e^(reference − policy) overflows beyond 709.78: the k3 term is then +∞, its gradient −∞, and neither is
    /// NaN.</summary>
    private static void RequireOverflow(PropertyProbe probe, PropertyCase sample, double lambda)
    {
        RolloutBatch batch = new(1, 1, [-800], [-800], [-800], [1], [1], [0]);
        DivergenceResult total = PolicyObjective.Evaluate(
            batch, sample.Options with { KullbackLeiblerCoefficient = lambda })
            .Divergence(KullbackLeiblerKind.K3, LossAggregationKind.TokenMean);
        probe.Edge("overflow");
        Require(
            double.IsPositiveInfinity(total.TotalLoss) && double.IsNegativeInfinity(total.TotalGradient[0]),
            $"reference − policy 800: loss {total.TotalLoss}, gradient {total.TotalGradient[0]}");
    }

    private static bool Estimators(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double difference = random.Pick(0, random.Normal(1), random.Uniform(-1e-3, 1e-3), random.Normal(1e-9));
        double[] reference = [-1 - difference], current = [-1], found = new double[3], one = new double[1];
        difference = current[0] - reference[0];
        for (int kind = 0; kind < 3; kind++)
        {
            KullbackLeiblerEstimator.Exact((KullbackLeiblerKind)kind, current, reference, one);
            found[kind] = one[0];
        }

        probe.Edge("equal policies", difference == 0);
        probe.Edge("cancellation", difference != 0 && Math.Abs(difference) <= 1e-3);
        Require(found[1] >= 0 && found[2] >= 0, $"d {difference}: k2 {found[1]}, k3 {found[2]}");
        Require((found[2] == 0) == (difference == 0), $"d {difference}: k3 {found[2]}");
        double direct = found[0] + (Math.Exp(-difference) - 1);
        Require(
            Math.Abs(found[2] - direct) <= 4e-16 * (1 + Math.Abs(difference) + Math.Exp(-difference)),
            $"d {difference}: k3 {found[2]}, k1 + e^−d − 1 {direct}");
        Require(
            Math.Abs(difference) > 1e-3
                || Math.Abs(found[2] - found[1]) <= (Math.Pow(Math.Abs(difference), 3) / 6 * 1.01) + (1e-15 * found[1]),
            $"d {difference}: k3 − k2 is {found[2] - found[1]}, more than the cube's sixth");
        return true;
    }
}
