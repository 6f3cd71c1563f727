// Red here: the combined output is further from the truth than its page promises, or tokens are mixed up.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class ExpertCombineProperties
{
    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, byte width, byte slots)
    {
        AgainstExact<Float32Precision>(1 + width, 1 + (slots % 8), seed);
        AgainstExact<BFloat16Precision>(1 + width, 1 + (slots % 8), seed);
    }

    [Property]
    public void WholeNumbersAreExact(int seed, byte width, byte slots)
    {
        int hidden = 1 + width, topK = 1 + (slots % 8);
        float[] outputs = TestValues.WholeNumbers(3 * topK * hidden, seed);
        float[] weights = TestValues.WholeNumbers(3 * topK, ~seed);
        double[] exact = new double[3 * hidden];
        ExpertCombine.Exact(TestValues.Wide(outputs), TestValues.Wide(weights), topK, exact);
        Check.Within(
            Apply<Float32Precision>(outputs, weights, topK, hidden), exact, _ => 0, $"hidden {hidden}, seed {seed}");
    }

    [Property]
    public void DispatchThenCombineWithIdentityExpertsIsTheIdentity(int seed, byte count, byte width)
    {
        // Weights 1/2, 1/4, 1/8, 1/8: they add up to 1 and every partial sum of x is exact.
        const int TopK = 4, Experts = 9;
        int tokens = 1 + (count % 12), hidden = 1 + width;
        float[] x = TestValues.Spread(tokens * hidden, seed, binades: 10);
        float[] outputs = new float[tokens * TopK * hidden], weights = new float[tokens * TopK];
        int[] indices = new int[tokens * TopK];
        for (int t = 0; t < tokens; t++)
        {
            TestValues.Permutation(Experts, seed + t).AsSpan(0, TopK).CopyTo(indices.AsSpan(t * TopK));
            ((float[])[0.5f, 0.25f, 0.125f, 0.125f]).CopyTo(weights, t * TopK);
            for (int i = 0; i < hidden; i++)
            {
                // Five of 24 bits stay free, so that x/2 + x/4 + x/8 needs no rounding.
                x[(t * hidden) + i] = BFloat16.Round(x[(t * hidden) + i]);
            }
        }

        ExpertDispatch dispatch = ExpertDispatch.Group(indices, TopK, Experts);
        foreach (int row in dispatch.Rows)
        {
            x.AsSpan(row / TopK * hidden, hidden).CopyTo(outputs.AsSpan(row * hidden));
        }

        Check.SameBits(x, Apply<Float32Precision>(outputs, weights, TopK, hidden), $"{tokens} tokens, hidden {hidden}");
        Check.SameBits(x, Apply<BFloat16Precision>(outputs, weights, TopK, hidden), $"bfloat16, {tokens} tokens");
    }

    [Property]
    public void PermutingTokensCommutes(int seed, byte count)
    {
        const int TopK = 3, Hidden = 21;
        int tokens = 1 + (count % 9);
        float[] outputs = TestValues.Spread(tokens * TopK * Hidden, seed);
        float[] weights = TestValues.Spread(tokens * TopK, ~seed);
        int[] order = TestValues.Permutation(tokens, seed);
        Check.SameBits(
            TestValues.PermuteRows(Apply<Float32Precision>(outputs, weights, TopK, Hidden), Hidden, order),
            Apply<Float32Precision>(
                TestValues.PermuteRows(outputs, TopK * Hidden, order),
                TestValues.PermuteRows(weights, TopK, order),
                TopK,
                Hidden),
            $"{tokens} tokens, seed {seed}");
    }

    private static void AgainstExact<TPrecision>(int hidden, int topK, int seed)
        where TPrecision : struct, IPrecision
    {
        float[] outputs = TestValues.Spread<TPrecision>(2 * topK * hidden, seed);
        float[] weights = TestValues.Spread(2 * topK, ~seed);
        double[] wideOutputs = TestValues.Wide(outputs), wideWeights = TestValues.Wide(weights);
        double[] exact = new double[2 * hidden], gauge = new double[2 * hidden];
        ExpertCombine.Exact(wideOutputs, wideWeights, topK, exact);
        ExpertCombine.Exact(
            Array.ConvertAll(wideOutputs, Math.Abs), Array.ConvertAll(wideWeights, Math.Abs), topK, gauge);

        // The rounding to storage is relative to the result, which the gauge is at least as large as.
        Check.Within(
            Apply<TPrecision>(outputs, weights, topK, hidden),
            exact,
            i => (Check.Relative<Float32Precision>(topK + 1, 0) * gauge[i]) * (1 + TPrecision.UnitRoundoff)
                + (Check.Relative<TPrecision>(0, 1) * Math.Abs(exact[i])),
            $"{TPrecision.Name}, hidden {hidden}, topK {topK}, seed {seed}");
    }

    private static float[] Apply<TPrecision>(float[] outputs, float[] weights, int topK, int hidden)
        where TPrecision : struct, IPrecision
    {
        float[] y = new float[weights.Length / topK * hidden];
        ExpertCombine.Apply<TPrecision>(ExecutionEngine.Vector512, outputs, weights, topK, y);
        return y;
    }
}
