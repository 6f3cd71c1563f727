// Red here: an expert's output is further from the truth than its page promises, or tokens are mixed up.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 20)]
public sealed class RoutedExpertsProperties
{
    private const int ExpertCount = 6;

    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, byte width, byte inner)
    {
        int hidden = 1 + (width % 150), intermediate = 1 + inner;
        ExpertSet experts = new(ExpertCount, hidden, intermediate, seed);
        ExpertDispatch dispatch = ExpertDispatch.Group(Routing(3, 2, seed), 2, ExpertCount);
        float[] x = TestValues.Scaled(TestValues.Spread(3 * hidden, seed, binades: 1), -3);
        float[] outputs = new float[6 * hidden];
        double[] exact = new double[6 * hidden], allowed = new double[6 * hidden];
        using WorkerPool workers = new(1);
        RoutedExperts.Apply<Float32Precision>(
            ExecutionEngine.Vector512, workers, false, x, dispatch, experts.Get, outputs);
        RoutedExperts.Exact(workers, TestValues.Wide(x), dispatch, experts.Get, exact);
        for (int active = 0; active < dispatch.ActiveExperts.Length; active++)
        {
            ExpertWeights weights = experts.Get(dispatch.ActiveExperts[active]);
            foreach (int row in dispatch.RowsOf(active))
            {
                Allowed(weights, x.AsSpan(row / 2 * hidden, hidden), allowed.AsSpan(row * hidden, hidden));
            }
        }

        Check.Within(outputs, exact, i => allowed[i], $"[{hidden}, {intermediate}], seed {seed}");
    }

    [Property]
    public void PermutingTokensCommutes(int seed, byte count)
    {
        const int Hidden = 37, TopK = 2;
        int tokens = 1 + (count % 8);
        ExpertSet experts = new(ExpertCount, Hidden, 41, seed);
        float[] x = TestValues.Spread(tokens * Hidden, seed);
        int[] indices = Routing(tokens, TopK, seed), order = TestValues.Permutation(tokens, seed);
        Check.SameBits(
            TestValues.PermuteRows(Outputs(x, indices), TopK * Hidden, order),
            Outputs(TestValues.PermuteRows(x, Hidden, order), TestValues.PermuteRows(indices, TopK, order)),
            $"{tokens} tokens, seed {seed}");

        float[] Outputs(float[] tokenStates, int[] routing)
        {
            using WorkerPool workers = new(1);
            float[] outputs = new float[tokenStates.Length * TopK];
            RoutedExperts.Vectorised<BFloat16Precision>(
                workers, tokenStates, ExpertDispatch.Group(routing, TopK, ExpertCount), experts.Get, outputs);
            return outputs;
        }
    }

    /// <summary>The page's bound for one token, every gauge in float64.</summary>
    private static void Allowed(ExpertWeights weights, ReadOnlySpan<float> x, Span<double> allowed)
    {
        int hidden = weights.Gate.Inputs, intermediate = weights.Gate.Outputs;
        double[] gauge = new double[intermediate];
        float[] gateRow = new float[hidden], upRow = new float[hidden], downRow = new float[intermediate];
        for (int i = 0; i < intermediate; i++)
        {
            weights.Gate.ReadRow(i, gateRow);
            weights.Up.ReadRow(i, upRow);
            double gate = Summation.DotExact(x, gateRow), up = Summation.DotExact(x, upRow);
            double silu = Math.Abs(gate / (1 + Math.Exp(-gate)));
            gauge[i] = (1.1 * Math.Abs(up) * Summation.DotGauge(x, gateRow))
                + (silu * Summation.DotGauge(x, upRow)) + (silu * Math.Abs(up));
        }

        double units = 128 + ((hidden + 127) / 128) + 128 + ((intermediate + 127) / 128) + 4;
        for (int n = 0; n < hidden; n++)
        {
            weights.Down.ReadRow(n, downRow);
            double sum = 0;
            for (int i = 0; i < intermediate; i++)
            {
                sum += Math.Abs(downRow[i]) * gauge[i];
            }

            // To first order on the page: a thousandth covers the second.
            allowed[n] = units * Check.FloatUnit * sum * 1.001;
        }
    }

    private static int[] Routing(int tokens, int topK, int seed)
    {
        int[] indices = new int[tokens * topK];
        for (int t = 0; t < tokens; t++)
        {
            TestValues.Permutation(ExpertCount, seed + t).AsSpan(0, topK).CopyTo(indices.AsSpan(t * topK));
        }

        return indices;
    }
}
