using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>What P1 to P36 say about this library's own operators and its objective.</summary>
internal static class OperatorProperties
{
    private const double SingleUnit = 1.0 / (1 << 24);

    private const string Zero = "k = 0", Subnormal = "subnormal k", Infinite = "k = ∞", NotANumber = "k = NaN",
        Lower = "lower end", Upper = "upper end", Beside = "one unit beside an end", Open = "open band";

    public static IEnumerable<ObjectiveProperty> All =>
    [
        Of("P1", "M(k) is 0 or in the band for every k", Range, Zero, Subnormal, Infinite, NotANumber),
        Of("P2", "M(k) = k bitwise inside the band, e^Δ bitwise where Δ is given", Identity, Lower, Upper, Beside),
        Of("P3", "M(M(k)) = M(k)", Idempotent, Open),
        Of("P4", "in float64 and float32 the ends are in and their neighbours out", Ends),
        Of("P8", "it is truncated importance sampling up to the smaller of the bounds", Truncation, "both"),
        Of("P10", "with equal engines it has the bits of GRPO", EqualEngines),
        Of("P29", "parts under the counts of the whole have its gradient", GlobalDenominators, "empty part"),
        Of("P36", "in float32 too the ratio decides as its logarithm", SingleRatioSpace, "inside", "outside"),
    ];

    private static ObjectiveProperty Of(
        string number, string statement, PropertyCheck check, params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Operators, statement, CaseKind.General, check, edges);

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
            probe.Edge(Zero, ratio == 0);
            probe.Edge(Subnormal, double.IsSubnormal(ratio));
            probe.Edge(Infinite, double.IsPositiveInfinity(ratio));
            probe.Edge(NotANumber, double.IsNaN(ratio));
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
            probe.Edge(Lower, ratio == sample.Alpha);
            probe.Edge(Upper, ratio == sample.Beta);
            probe.Edge(Beside, ratio == Math.BitIncrement(sample.Beta) || ratio == Math.BitDecrement(sample.Alpha));
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
            probe.Edge(Open, sample.Alpha == 0 && once == 0);
            Require(once.Equals(twice), $"M({ratio}) = {once}, M of it {twice}");
        }

        return true;
    }

    private static bool Ends(PropertyProbe probe, PropertyCase sample)
    {
        double[] ends = [Math.Log(sample.Alpha), Math.Log(sample.Beta)];
        double[] beside = [Math.BitDecrement(ends[0]), Math.BitIncrement(ends[1])];
        double[] exact = new double[2];
        TokenDecision[] found = new TokenDecision[2];
        IcePopMask.Exact(ends, [0, 0], [1, 1], sample.Alpha, sample.Beta, exact, found);
        Require(
            double.IsInfinity(ends[0]) || (found[0] == TokenDecision.Kept && found[1] == TokenDecision.Kept),
            $"the ends of [{sample.Alpha}, {sample.Beta}] themselves are {found[0]} and {found[1]}");
        IcePopMask.Exact(beside, [0, 0], [1, 1], sample.Alpha, sample.Beta, exact, found);
        Require(
            double.IsInfinity(ends[0]) || (found[0] == TokenDecision.MaskedLow && found[1] == TokenDecision.MaskedHigh),
            $"one unit outside [{sample.Alpha}, {sample.Beta}]: {found[0]} and {found[1]}");
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
            probe.Edge("both", both);
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
        probe.Edge("empty part", split == 0 || split == sample.Rollouts);
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
            MaskProperties.LogRatios(probe, sample), difference => (float)difference);
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
            probe.Edge(inside ? "inside" : "outside", away && float.IsNormal(ratio));
            Require(
                !away || !float.IsNormal(ratio) || inside == (weights[i] != 0),
                $"float32 ratio {ratio} in [{sample.Alpha}, {sample.Beta}] has weight {weights[i]}");
        }

        return true;
    }
}
