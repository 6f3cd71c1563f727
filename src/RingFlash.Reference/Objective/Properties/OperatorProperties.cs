using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>What P1 to P38 say about this library's own operators and engines.</summary>
internal static class OperatorProperties
{
    private const double SingleUnit = 1.0 / (1 << 24);

    public static IEnumerable<ObjectiveProperty> All =>
    [
        Of("P1", CaseKind.General, "M(k) is 0 or in the band for every k, NaN included", Range),
        Of("P2", CaseKind.General, "M(k) = k bitwise inside the band, e^Δ bitwise where Δ is given", Identity),
        Of("P3", CaseKind.General, "M(M(k)) = M(k)", Idempotent),
        Of("P4", CaseKind.General, "in float32 too the ends are in and their neighbours out", SingleEnds),
        Of("P8", CaseKind.General, "it is truncated importance sampling up to the smaller of the bounds", Truncation),
        Of("P10", CaseKind.General, "with equal engines it has the bits of GRPO", EqualEngines),
        Of("P29", CaseKind.General, "parts under the counts of the whole have its gradient", GlobalDenominators),
        Of("P36", CaseKind.General, "in float32 too the ratio decides as its logarithm", SingleRatioSpace),
        Of("P37", CaseKind.General, "float32 weights are within their bound of float64", Precision),
        Of("P38", CaseKind.Edges, "threads and engines change no bit", Threads),
        Of("P45", CaseKind.Smooth, "the KL term adds its own gradient, at masked tokens as well", Divergence),
        Of("P46", CaseKind.General, "the three estimators of a divergence are related as they should", Estimators),
    ];

    private static ObjectiveProperty Of(string number, CaseKind cases, string statement, PropertyCheck check) =>
        new(number, PropertySubject.Operators, statement, cases, check);

    private static double[] Ratios(PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double alpha = sample.Alpha, beta = sample.Beta;
        return
        [
            0, double.Epsilon, double.MaxValue, double.PositiveInfinity, double.NaN, alpha, beta,
            Math.BitIncrement(alpha), Math.BitIncrement(beta), Math.BitDecrement(beta),
            alpha > 0 ? Math.BitDecrement(alpha) : 0, Math.Exp(random.Normal(1)), random.Unit(), 1e-310,
        ];
    }

    private static bool Range(PropertyProbe probe, PropertyCase sample)
    {
        foreach (double ratio in Ratios(sample))
        {
            double weight = IcePopMask.OfRatio(ratio, sample.Alpha, sample.Beta);
            Require(
                weight == 0 || (weight >= sample.Alpha && weight <= sample.Beta),
                $"M({ratio}) = {weight}, band [{sample.Alpha}, {sample.Beta}]");
        }

        double[] weights = new double[1];
        TokenDecision[] decisions = new TokenDecision[1];
        IcePopMask.Exact([double.NaN], [-1], [1], sample.Alpha, sample.Beta, weights, decisions);
        Require(weights[0] == 0 && decisions[0] == TokenDecision.NonFinite, $"NaN: {weights[0]}, {decisions[0]}");
        return true;
    }

    private static bool Identity(PropertyProbe probe, PropertyCase sample)
    {
        foreach (double ratio in Ratios(sample))
        {
            bool inside = ratio >= sample.Alpha && ratio <= sample.Beta;
            double weight = IcePopMask.OfRatio(ratio, sample.Alpha, sample.Beta);
            Require(weight.Equals(inside ? ratio : 0), $"M({ratio}) = {weight}, band [{sample.Alpha}, {sample.Beta}]");
        }

        double[] weights = new double[sample.Tokens];
        TokenDecision[] decisions = new TokenDecision[sample.Tokens];
        IcePopMask.Exact(sample.Old, sample.Inference, sample.Mask, sample.Alpha, sample.Beta, weights, decisions);
        for (int i = 0; i < weights.Length; i++)
        {
            double expected = sample.Kept(i) ? Math.Exp(sample.LogRatio(i)) : 0;
            Require(
                weights[i].Equals(expected),
                $"log ratio {sample.LogRatio(i)} has weight {weights[i]}, not {expected}");
            Require(
                (decisions[i] == TokenDecision.Kept) == sample.Kept(i),
                $"log ratio {sample.LogRatio(i)} is {decisions[i]} in [{sample.Alpha}, {sample.Beta}]");
        }

        return true;
    }

    private static bool Idempotent(PropertyProbe probe, PropertyCase sample)
    {
        foreach (double ratio in Ratios(sample))
        {
            double once = IcePopMask.OfRatio(ratio, sample.Alpha, sample.Beta);
            double twice = IcePopMask.OfRatio(once, sample.Alpha, sample.Beta);
            Require(once.Equals(twice), $"M({ratio}) = {once}, M of it {twice}");
        }

        return true;
    }

    private static bool SingleEnds(PropertyProbe probe, PropertyCase sample)
    {
        float low = (float)Math.Log(sample.Alpha), high = (float)Math.Log(sample.Beta);
        if (!float.IsFinite(low) || !float.IsFinite(high))
        {
            return false;
        }

        // Repeated so that whole vectors and their rest see each; Δ is exact, as one of the two numbers is 0.
        float[] differences = [low, high, MathF.BitDecrement(low), MathF.BitIncrement(high)];
        TokenDecision[] expected =
            [TokenDecision.Kept, TokenDecision.Kept, TokenDecision.MaskedLow, TokenDecision.MaskedHigh];
        int count = sample.Random.Between(4, 40);
        float[] training = new float[count], inference = new float[count], weights = new float[count];
        TokenDecision[] decisions = new TokenDecision[count];
        for (int i = 0; i < count; i++)
        {
            float difference = differences[i % 4];
            training[i] = Math.Min(difference, 0);
            inference[i] = Math.Min(-difference, 0);
        }

        foreach (ExecutionEngine engine in new ExecutionEngine[] { ExecutionEngine.Scalar, ExecutionEngine.Vector512 })
        {
            IcePopMask.Apply(
                engine, training, inference, PackedRows.Ones(count), sample.Alpha, sample.Beta, weights, decisions);
            for (int i = 0; i < count; i++)
            {
                Require(
                    decisions[i] == expected[i % 4] && (weights[i] != 0) == (decisions[i] == TokenDecision.Kept),
                    $"{engine}: log ratio {differences[i % 4]} is {decisions[i]} in [{sample.Alpha}, {sample.Beta}]");
            }
        }

        return true;
    }

    private static bool Truncation(PropertyProbe probe, PropertyCase sample)
    {
        double cap = sample.Random.Uniform(0.5, 6);
        PolicyObjectiveOptions truncated = sample.Options with { Correction = new TruncatedCorrection(cap) };
        double[] weights = PolicyObjective.Evaluate(sample.Batch, sample.Options).Weights;
        double[] others = PolicyObjective.Evaluate(sample.Batch, truncated).Weights;
        for (int i = 0; i < weights.Length; i++)
        {
            double ratio = Math.Exp(sample.LogRatio(i));
            bool both = sample.Kept(i) && ratio <= cap;
            Require(
                !both || weights[i].Equals(others[i]),
                $"ratio {ratio}: weight {weights[i]}, truncated at {cap} {others[i]}");
        }

        return sample.Tokens > 0;
    }

    private static bool EqualEngines(PropertyProbe probe, PropertyCase sample)
    {
        PropertyCase equal = sample.With(copy => copy.Old.CopyTo(copy.Inference, 0));
        PolicyObjectiveOptions plain = sample.Options with { Correction = new NoCorrection() };
        LossOutcome ours = ObjectivePropertySuite.Reference(equal.Batch, equal.Options);
        probe.RequireSame(ObjectivePropertySuite.Reference(equal.Batch, plain), ours, equal, "GRPO");
        return true;
    }

    private static bool GlobalDenominators(PropertyProbe probe, PropertyCase sample)
    {
        ObjectiveResult whole = PolicyObjective.Evaluate(sample.Batch, sample.Options);
        int split = sample.Random.Between(0, sample.Rollouts);
        int[] rows = PropertyCase.Upto(sample.Rollouts);
        LossDenominators counts = sample.Batch.Denominators;
        ObjectiveResult first = PolicyObjective.Evaluate(sample.Rows(rows[..split]).Batch, sample.Options, counts);
        ObjectiveResult second = PolicyObjective.Evaluate(sample.Rows(rows[split..]).Batch, sample.Options, counts);
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            double[] parts = [.. first.Gradient(kind), .. second.Gradient(kind)];
            probe.RequireSame(whole.Gradient(kind), parts, 0, $"split at {split}: gradient {kind.Word()}");
            probe.RequireClose(
                whole.Loss(kind), first.Loss(kind) + second.Loss(kind), sample.Gauge(kind), $"split at {split}: loss");
        }

        return true;
    }

    private static bool SingleRatioSpace(PropertyProbe probe, PropertyCase sample)
    {
        float[] differences = Array.ConvertAll(
            MaskProperties.LogRatios(sample, sample.Random), difference => (float)difference);
        float[] weights = new float[differences.Length];
        TokenDecision[] decisions = new TokenDecision[differences.Length];
        float[] zeros = new float[differences.Length];
        IcePopMask.Scalar(
            differences, zeros, PackedRows.Ones(zeros.Length), sample.Alpha, sample.Beta, weights, decisions);
        for (int i = 0; i < differences.Length; i++)
        {
            float ratio = Exponential.Exp(differences[i]);
            bool away = RobustnessProperties.Away(differences[i], Math.Log(sample.Alpha), 2 * SingleUnit)
                && RobustnessProperties.Away(differences[i], Math.Log(sample.Beta), 2 * SingleUnit);
            bool inside = ratio >= (float)sample.Alpha && ratio <= (float)sample.Beta;
            Require(
                !away || !float.IsNormal(ratio) || inside == (weights[i] != 0),
                $"float32 ratio {ratio} in [{sample.Alpha}, {sample.Beta}] has weight {weights[i]}");
        }

        return true;
    }

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

        return sample.Tokens > 0;
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
