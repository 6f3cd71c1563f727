// Inputs for the tests of the objective. Red nowhere by itself: if these batches were tame, wrong objectives would
// pass.
using System;
using System.Collections.Generic;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Objective;

internal static class RandomBatches
{
    private static readonly double[] Extremes = [20, -20, 88.7, -88.7, 104, -104, 709.7, -745.2, 1000, -1000];

    /// <summary>Ragged rows with holes, some of them empty; with edges also bounds, extremes, NaN and ±∞.</summary>
    public static RolloutBatch Make(int rollouts, int length, int seed, bool edges)
    {
        Random random = new(seed);
        int tokens = rollouts * length;
        double[] current = new double[tokens], old = new double[tokens], inference = new double[tokens];
        double[] reference = new double[tokens], advantages = new double[rollouts];
        byte[] mask = new byte[tokens];
        for (int row = 0; row < rollouts; row++)
        {
            advantages[row] = random.Next(6) == 0 ? 0 : (4 * random.NextDouble()) - 2;
            int used = random.Next(7) == 0 ? 0 : random.Next(1, length + 1);
            for (int t = 0; t < length; t++)
            {
                int i = (row * length) + t;
                mask[i] = t < used && random.Next(8) != 0 ? (byte)1 : (byte)0;
                old[i] = -5 * random.NextDouble();
                double difference = random.Next(10) switch
                {
                    < 6 => 0.1 * (random.NextDouble() - 0.5),
                    < 9 => (5 * random.NextDouble()) - 2,
                    _ when edges => Edge(random),
                    _ => 0,
                };
                inference[i] = old[i] - difference;
                current[i] = random.Next(3) == 0 ? old[i] : old[i] + (0.8 * (random.NextDouble() - 0.5));
                reference[i] = current[i] + (2 * (random.NextDouble() - 0.5));
            }
        }

        long[] groups = new long[rollouts];
        return new RolloutBatch(rollouts, length, current, old, inference, advantages, mask, reference, groups);
    }

    /// <summary>Some rows of a batch, in an order.</summary>
    public static RolloutBatch Rows(RolloutBatch batch, int[] rows)
    {
        T[] Pick<T>(ReadOnlySpan<T> values, int width) =>
            Operators.TestValues.PermuteRows(values.ToArray(), width, rows);
        int length = batch.ResponseLength;
        return new RolloutBatch(
            rows.Length,
            length,
            Pick(batch.CurrentLogProbabilities, length),
            Pick(batch.OldLogProbabilities, length),
            Pick(batch.InferenceLogProbabilities, length),
            Pick(batch.Advantages, 1),
            Pick(batch.ResponseMask, length),
            batch.ReferenceLogProbabilities.IsEmpty ? null : Pick(batch.ReferenceLogProbabilities, length));
    }

    private static double Edge(Random random) => random.Next(5) switch
    {
        0 => Math.Log(5),
        1 => Math.Log(0.5),
        2 => double.NaN,
        3 => double.PositiveInfinity,
        _ => Extremes[random.Next(Extremes.Length)],
    };
}

/// <summary>One option set per correction, policy form and deviation.</summary>
internal static class ObjectiveVariants
{
    private static readonly PolicyObjectiveOptions Start = PolicyObjectiveOptions.Default;

    public static SortedDictionary<string, PolicyObjectiveOptions> All { get; } = new(StringComparer.Ordinal)
    {
        ["icepop"] = Start,
        ["icepop with KL"] = Start with { KullbackLeiblerCoefficient = 0.05 },
        ["icepop with KL inside"] =
            Start with { KullbackLeiblerCoefficient = 0.05, KullbackLeiblerInsideWeight = true },
        ["untruncated"] = Start with { Correction = new IcePopCorrection(0, double.PositiveInfinity) },
        ["asymmetric and dual clip"] = Start with { EpsilonHigh = 0.28, DualClip = 1.3 },
        ["policy clamp"] = Start with { PolicyLogRatioClamp = 0.1 },
        ["ratio space"] = Start with { Decision = BandDecision.RatioSpace },
        ["grpo"] = Start with { Correction = new NoCorrection() },
        ["importance sampling"] = Start with { Correction = new ImportanceSamplingCorrection() },
        ["tis"] = Start with { Correction = new TruncatedCorrection(2) },
        ["two-sided clamp"] = Start with { Correction = new TwoSidedClampCorrection(0.5, 2) },
        ["mis token"] = Start with { Correction = new MaskedTokenCorrection(2) },
        ["mis sequence"] = Start with { Correction = new MaskedSequenceCorrection(0.1, 10) },
        ["geometric"] = Start with { Correction = new GeometricMaskCorrection(0.8, 1.2, TimesRatio: true) },
        ["veto"] = Start with { Correction = new VetoCorrection(0.1, 10, TimesRatio: true) },
        ["binary"] = Start with { Correction = new BinaryMaskCorrection(0.5, 5) },
        ["kpop"] = Start with { Correction = new KPopCorrection(0.5, TimesRatio: true) },
        ["ipo"] = Start with { Correction = new ProbabilityGapCorrection(0.1, TimesRatio: false) },
        ["dppo"] = Start with { Correction = new DirectedGapCorrection(0.2, TimesRatio: false) },
        ["combined"] = Start with
        {
            Correction = new CombinedCorrection(new TruncatedCorrection(2), new BinaryMaskCorrection(0.5, 5)),
        },
        ["gspo"] = Start with { Policy = PolicyForm.SequenceSurrogate, Correction = new NoCorrection() },
        ["cispo"] = Start with { Policy = PolicyForm.ClippedWeight },
        ["reading B"] =
            Start with { Policy = PolicyForm.LiveRatio, Numerator = RatioNumerator.CurrentWeights },
        ["reading C"] =
            Start with { Policy = PolicyForm.LogLikelihood, Numerator = RatioNumerator.CurrentWeights },
    };
}
