// Red here: the loss or a gradient depends on the engine, the threads, the order of the responses or on what stands in
// the padding.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class EngineBits
{
    private static readonly double[] Rubbish =
        [double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e308, -1e308, 0];

    public static TheoryData<string> Variants => [.. ObjectiveVariants.All.Keys];

    [Theory]
    [MemberData(nameof(Variants))]
    public void ScalarEqualsVector512(string variant)
    {
        for (int seed = 0; seed < 12; seed++)
        {
            RolloutBatchSingle batch = RandomBatches.Make(5, 1 + (seed * 13), seed, edges: true).ToSingle();
            PolicyObjectiveOptions options = ObjectiveVariants.All[variant];
            ObjectiveResult scalar = PolicyObjective.Evaluate(ExecutionEngine.Scalar, batch, options);
            ObjectiveResult vectors = PolicyObjective.Evaluate(ExecutionEngine.Vector512, batch, options);
            IcePopCases.SameBits(scalar, vectors, $"{variant}, seed {seed}");
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void TheStreamedValueAndGradientHaveTheBitsOfTheFullEvaluation(string variant)
    {
        PolicyObjectiveOptions options = ObjectiveVariants.All[variant];
        using WorkerPool workers = new(3);
        foreach (int length in new int[] { 1, 31, 1023, 1024, 1025, 3000 })
        {
            RolloutBatchSingle batch = RandomBatches.Make(5, length, length, edges: true).ToSingle();
            foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
            {
                ObjectiveResult full = PolicyObjective.Evaluate(engine, batch, options);
                float[] gradient = new float[5 * length];
                float loss = PolicyObjective.ValueAndGradient(engine, batch, gradient, options, null, workers);
                string what = $"{variant}, length {length}, {engine}";
                IcePopCases.SameBits([full.TotalLoss()], [loss], what);
                IcePopCases.SameBits(full.TotalGradient(), Array.ConvertAll(gradient, value => (double)value), what);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void ThreadsChangeNoBit(string variant)
    {
        PolicyObjectiveOptions options = ObjectiveVariants.All[variant];
        RolloutBatch batch = RandomBatches.Make(7, 37, 5, edges: true);
        ObjectiveResult one = PolicyObjective.Evaluate(batch, options);
        ObjectiveResult oneSingle = PolicyObjective.Evaluate(ExecutionEngine.Vector512, batch.ToSingle(), options);
        foreach (int threads in new int[] { 1, 2, 3 })
        {
            using WorkerPool workers = new(threads);
            Assert.Equal(threads, workers.ThreadCount);
            IcePopCases.SameBits(one, PolicyObjective.Evaluate(batch, options, workers: workers), variant);
            IcePopCases.SameBits(
                oneSingle,
                PolicyObjective.Evaluate(ExecutionEngine.Vector512, batch.ToSingle(), options, workers: workers),
                variant);
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void PaddingLeavesNoTrace(string variant)
    {
        PolicyObjectiveOptions options = ObjectiveVariants.All[variant];
        for (int seed = 0; seed < 10; seed++)
        {
            RolloutBatch clean = RandomBatches.Make(4, 11, seed, edges: false);
            Random random = new(seed);
            double[] Dirty(ReadOnlySpan<double> values, ReadOnlySpan<byte> mask)
            {
                double[] dirty = values.ToArray();
                for (int i = 0; i < dirty.Length; i++)
                {
                    dirty[i] = mask[i] == 0 ? Rubbish[random.Next(Rubbish.Length)] : dirty[i];
                }

                return dirty;
            }

            RolloutBatch dirty = new(
                clean.Rollouts,
                clean.ResponseLength,
                Dirty(clean.CurrentLogProbabilities, clean.ResponseMask),
                Dirty(clean.OldLogProbabilities, clean.ResponseMask),
                Dirty(clean.InferenceLogProbabilities, clean.ResponseMask),
                clean.Advantages.ToArray(),
                clean.ResponseMask.ToArray(),
                Dirty(clean.ReferenceLogProbabilities, clean.ResponseMask));
            IcePopCases.SameBits(
                PolicyObjective.Evaluate(clean, options), PolicyObjective.Evaluate(dirty, options), variant);
            foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
            {
                IcePopCases.SameBits(
                    PolicyObjective.Evaluate(engine, clean.ToSingle(), options),
                    PolicyObjective.Evaluate(engine, dirty.ToSingle(), options),
                    variant);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void TheOrderOfResponsesChangesNoBit(string variant)
    {
        PolicyObjectiveOptions options = ObjectiveVariants.All[variant];
        for (int seed = 0; seed < 10; seed++)
        {
            RolloutBatch batch = RandomBatches.Make(9, 13, seed, edges: false);
            int[] order = Operators.TestValues.Permutation(9, seed);
            RolloutBatch permuted = RandomBatches.Rows(batch, order);
            Check(PolicyObjective.Evaluate(batch, options), PolicyObjective.Evaluate(permuted, options));
            Check(
                PolicyObjective.Evaluate(ExecutionEngine.Vector512, batch.ToSingle(), options),
                PolicyObjective.Evaluate(ExecutionEngine.Vector512, permuted.ToSingle(), options));

            void Check(ObjectiveResult plain, ObjectiveResult shuffled)
            {
                Assert.Equal(plain.Metrics, shuffled.Metrics);
                foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
                {
                    IcePopCases.SameBits([plain.Loss(kind)], [shuffled.Loss(kind)], variant);
                    double[] expected = Operators.TestValues.PermuteRows(plain.Gradient(kind), 13, order);
                    IcePopCases.SameBits(expected, shuffled.Gradient(kind), variant);
                }

                IcePopCases.SameBits([plain.TotalLoss()], [shuffled.TotalLoss()], variant);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void InputsAreNotWritten(string variant)
    {
        RolloutBatch batch = RandomBatches.Make(4, 9, 3, edges: true), copy = RandomBatches.Rows(batch, [0, 1, 2, 3]);
        _ = PolicyObjective.Evaluate(batch, ObjectiveVariants.All[variant]);
        IcePopCases.SameBits(copy.CurrentLogProbabilities.ToArray(), batch.CurrentLogProbabilities.ToArray(), "theta");
        IcePopCases.SameBits(copy.OldLogProbabilities.ToArray(), batch.OldLogProbabilities.ToArray(), "old");
        IcePopCases.SameBits(copy.InferenceLogProbabilities.ToArray(), batch.InferenceLogProbabilities.ToArray(), "q");
        IcePopCases.SameBits(copy.Advantages.ToArray(), batch.Advantages.ToArray(), "advantages");
        Assert.Equal(copy.ResponseMask.ToArray(), batch.ResponseMask.ToArray());
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void MicroBatchesWithGlobalDenominatorsAddUp(string variant)
    {
        PolicyObjectiveOptions options = ObjectiveVariants.All[variant];
        RolloutBatch batch = RandomBatches.Make(8, 9, 21, edges: false);
        ObjectiveResult whole = PolicyObjective.Evaluate(batch, options);
        int[][] parts = [[0, 1, 2], [3], [4, 5, 6, 7]];
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            double sum = 0;
            double[] gradient = [];
            foreach (int[] part in parts)
            {
                ObjectiveResult result =
                    PolicyObjective.Evaluate(RandomBatches.Rows(batch, part), options, batch.Denominators);
                sum += result.Loss(kind);
                gradient = [.. gradient, .. result.Gradient(kind)];
            }

            double gauge = IcePopCases.Gauge(whole);
            IcePopCases.Near(whole.Loss(kind), sum, 1e-12, 1e-14 * gauge, $"{variant}: {kind.Word()}");
            IcePopCases.SameBits(whole.Gradient(kind), gradient, variant);
        }
    }
}
