// Red here: an expert's output depends on the engine, the threads, or on who shares the expert.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RoutedExpertsPaths
{
    private const int ExpertCount = 7;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 3)]
    [InlineData(32, 64)]
    [InlineData(33, 40)]
    [InlineData(130, 31)]
    [InlineData(100, 257)]
    public void ScalarEqualsVectorisedForEveryRoutingAndThreadCount(int hidden, int intermediate)
    {
        Sweep<Float32Precision>(hidden, intermediate);
        Sweep<BFloat16Precision>(hidden, intermediate);
    }

    [Fact]
    public void ATokenAloneEqualsTheTokenAmongOthers()
    {
        const int Tokens = 6, TopK = 3, Hidden = 50;
        int[] indices = Routing(Tokens, TopK, 0);
        float[] x = TestValues.Spread(Tokens * Hidden, 5);
        ExpertSet experts = new(ExpertCount, Hidden, 45, 2);
        using WorkerPool workers = new(2);
        float[] batch =
            Outputs<BFloat16Precision>(ExecutionEngine.Vector512, workers, false, x, indices, TopK, experts);
        for (int t = 0; t < Tokens; t++)
        {
            float[] alone = Outputs<BFloat16Precision>(
                ExecutionEngine.Vector512,
                workers,
                false,
                x[(t * Hidden)..((t + 1) * Hidden)],
                indices[(t * TopK)..((t + 1) * TopK)],
                TopK,
                experts);
            Check.SameBits(batch.AsSpan(t * TopK * Hidden, TopK * Hidden), alone, $"token {t}");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void BlockFloat8ExpertsAgreeWithAndWithoutQuantisedActivations(bool quantise)
    {
        ExpertSet experts = new(ExpertCount, 150, 140, 8, float8: true);
        float[] x = TestValues.Spread(5 * 150, 6);
        int[] indices = Routing(5, 2, 0);
        using WorkerPool one = new(1);
        float[] expected = Outputs<BFloat16Precision>(ExecutionEngine.Scalar, one, quantise, x, indices, 2, experts);
        for (int threads = 1; threads <= 3; threads++)
        {
            using WorkerPool workers = new(threads);
            Check.SameBits(
                expected,
                Outputs<BFloat16Precision>(ExecutionEngine.Vector512, workers, quantise, x, indices, 2, experts),
                $"{threads} threads, quantised {quantise}");
        }

        float[] other = Outputs<BFloat16Precision>(ExecutionEngine.Scalar, one, !quantise, x, indices, 2, experts);
        Assert.NotEqual(expected, other); // the switch takes effect
    }

    /// <summary>
    /// Weights in memory; rows per expert from one to more than share a pass, spread unevenly over the threads.
    /// </summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(2, true)]
    public void WeightsInMemoryAndRaggedRows(int threads, bool float8)
    {
        const int Hidden = 200, Intermediate = 150, TopK = 2;
        using WorkerPool workers = new(threads);
        ExpertSet experts = new(ExpertCount, Hidden, Intermediate, 4, float8);
        foreach (int tokens in new int[] { 1, 13, 300 })
        {
            // Expert 6 gets every token; the others less and less, and one of them none.
            int[] indices = new int[tokens * TopK];
            for (int t = 0; t < tokens; t++)
            {
                indices[t * TopK] = 6;
                indices[(t * TopK) + 1] = t % 32 == 0 ? 0 : t % 16 == 0 ? 1 : t % 4 == 0 ? 3 : t % 2 == 0 ? 4 : 5;
            }

            float[] x = TestValues.Spread<BFloat16Precision>(tokens * Hidden, tokens);
            float[] expected =
                Outputs<BFloat16Precision>(ExecutionEngine.Scalar, workers, false, x, indices, TopK, experts);
            string axes = $"{tokens} tokens, {threads} threads, float8 {float8}";
            Check.SameBits(
                expected,
                Outputs<BFloat16Precision>(ExecutionEngine.Vector512, workers, false, x, indices, TopK, experts),
                axes);
            experts.Pack(workers);
            Check.SameBits(
                expected,
                Outputs<BFloat16Precision>(ExecutionEngine.Vector512, workers, false, x, indices, TopK, experts),
                axes + ", in memory");
            experts.Unpack();
        }
    }

    [Fact]
    public void ASecondCallWithWeightsInMemoryAllocatesNothing()
    {
        using WorkerPool workers = new(2);
        ExpertSet experts = new(ExpertCount, 100, 70, 4);
        experts.Pack(workers);
        float[] x = TestValues.Spread(9 * 100, 1), outputs = new float[9 * 2 * 100];
        ExpertDispatch dispatch = ExpertDispatch.Group(Routing(9, 2, 0), 2, ExpertCount);
        Func<int, ExpertWeights> get = experts.Get;
        RoutedExperts.Vectorised<Float32Precision>(workers, x, dispatch, get, outputs);
        long before = GC.GetAllocatedBytesForCurrentThread();
        RoutedExperts.Vectorised<Float32Precision>(workers, x, dispatch, get, outputs);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        experts.Unpack();
    }

    private static void Sweep<TPrecision>(int hidden, int intermediate)
        where TPrecision : struct, IPrecision
    {
        ExpertSet experts = new(ExpertCount, hidden, intermediate, hidden);
        using WorkerPool one = new(1), two = new(2), three = new(3);
        foreach (int tokens in new int[] { 1, 2, 9 })
        {
            foreach (int topK in new int[] { 1, 2, 4 })
            {
                for (int kind = 0; kind < 2; kind++)
                {
                    int[] indices = Routing(tokens, topK, kind);
                    float[] x = TestValues.Spread<TPrecision>(tokens * hidden, tokens + topK);
                    string axes =
                        $"{TPrecision.Name}, [{hidden}, {intermediate}], {tokens} tokens, topK {topK}, routing {kind}";
                    float[] expected =
                        Outputs<TPrecision>(ExecutionEngine.Scalar, one, false, x, indices, topK, experts);
                    foreach (WorkerPool workers in new WorkerPool[] { one, two, three })
                    {
                        string threads = $"{axes}, {workers.ThreadCount} threads";
                        Check.SameBits(
                            expected,
                            Outputs<TPrecision>(ExecutionEngine.Vector512, workers, false, x, indices, topK, experts),
                            threads);
                        Check.SameBits(
                            expected,
                            Outputs<TPrecision>(ExecutionEngine.Scalar, workers, false, x, indices, topK, experts),
                            threads);
                    }

                    Check.SameBits(expected, ByHand<TPrecision>(x, hidden, indices, topK, experts), axes + ", by hand");
                }
            }
        }
    }

    /// <summary>Slot by slot with the operators that the page names.</summary>
    private static float[] ByHand<TPrecision>(float[] x, int hidden, int[] indices, int topK, ExpertSet experts)
        where TPrecision : struct, IPrecision
    {
        using WorkerPool workers = new(1);
        float[] outputs = new float[indices.Length * hidden];
        for (int slot = 0; slot < indices.Length; slot++)
        {
            ExpertWeights weights = experts.Get(indices[slot]);
            float[] gate = new float[weights.Gate.Outputs], up = new float[gate.Length];
            ReadOnlySpan<float> token = x.AsSpan(slot / topK * hidden, hidden);
            LinearProjection.Scalar<TPrecision>(workers, token, weights.Gate, [], gate);
            LinearProjection.Scalar<TPrecision>(workers, token, weights.Up, [], up);
            SwiGlu.Scalar<TPrecision>(gate, up, gate);
            LinearProjection.Scalar<TPrecision>(workers, gate, weights.Down, [], outputs.AsSpan(slot * hidden, hidden));
        }

        return outputs;
    }

    /// <summary>0: distinct random experts per token; 1: all slots of all tokens on one expert.</summary>
    private static int[] Routing(int tokens, int topK, int kind)
    {
        int[] indices = new int[tokens * topK];
        for (int t = 0; t < tokens; t++)
        {
            TestValues.Permutation(ExpertCount, t + topK).AsSpan(0, topK).CopyTo(indices.AsSpan(t * topK));
        }

        if (kind == 1)
        {
            Array.Fill(indices, 3);
        }

        return indices;
    }

    private static float[] Outputs<TPrecision>(
        ExecutionEngine engine,
        WorkerPool workers,
        bool quantise,
        float[] x,
        int[] indices,
        int topK,
        ExpertSet experts)
        where TPrecision : struct, IPrecision
    {
        float[] outputs = new float[x.Length * topK];
        ExpertDispatch dispatch = ExpertDispatch.Group(indices, topK, ExpertCount);
        RoutedExperts.Apply<TPrecision>(engine, workers, quantise, x, dispatch, experts.Get, outputs);
        return outputs;
    }
}
