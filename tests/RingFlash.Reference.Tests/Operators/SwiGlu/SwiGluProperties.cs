// Red here: an activation is further from the truth than its page promises.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class SwiGluProperties
{
    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, byte length)
    {
        AgainstExact<Float32Precision>(length, seed);
        AgainstExact<BFloat16Precision>(length, seed);
    }

    [Property]
    public void TheUpProjectionScalesTheResult(int seed, byte length, byte shift)
    {
        float[] gate = TestValues.Spread(length, seed), up = TestValues.Spread(length, ~seed);
        int exponent = (shift % 40) - 20;
        float[] expected = TestValues.Scaled(Apply<BFloat16Precision>(gate, up), exponent);
        Check.SameBits(
            expected, Apply<BFloat16Precision>(gate, TestValues.Scaled(up, exponent)), $"times 2^{exponent}");
    }

    [Property]
    public void PermutingTokensCommutes(int seed, byte tokens)
    {
        const int Width = 19;
        int count = tokens % 9;
        float[] gate = TestValues.Spread(count * Width, seed), up = TestValues.Spread(count * Width, ~seed);
        int[] order = TestValues.Permutation(count, seed);
        Check.SameBits(
            TestValues.PermuteRows(Apply<Float32Precision>(gate, up), Width, order),
            Apply<Float32Precision>(
                TestValues.PermuteRows(gate, Width, order), TestValues.PermuteRows(up, Width, order)),
            $"{count} tokens");
    }

    private static void AgainstExact<TPrecision>(int length, int seed)
        where TPrecision : struct, IPrecision
    {
        // Gates from far in the subnormal tail (silu(−105) = −2.6e-44) to far up.
        float[] gate = TestValues.Spread<TPrecision>(length, seed, binades: 6);
        for (int i = 0; i < length; i += 5)
        {
            gate[i] = TPrecision.Round(-85f - (i % 30));
        }

        float[] up = TestValues.Spread<TPrecision>(length, ~seed);
        double[] exact = new double[length];
        SwiGlu.Exact(TestValues.Wide(gate), TestValues.Wide(up), exact);

        // silu: 1 ulp = 2·u, or one subnormal step, which the product then scales by |up|; the product: 1·u, or half a
        // step. Under bfloat16 each is rounded again.
        Check.Within(
            Apply<TPrecision>(gate, up),
            exact,
            i => (Check.Relative<TPrecision>(3, 2) * Math.Abs(exact[i]))
                + ((Check.FloatTiny + Check.HalfTiny<TPrecision>()) * Math.Abs(up[i]) * 1.01)
                + Check.FloatTiny + Check.HalfTiny<TPrecision>(),
            $"{TPrecision.Name}, length {length}, seed {seed}");
    }

    private static float[] Apply<TPrecision>(float[] gate, float[] up)
        where TPrecision : struct, IPrecision
    {
        float[] y = new float[gate.Length];
        SwiGlu.Apply<TPrecision>(ExecutionEngine.Vector512, gate, up, y);
        return y;
    }
}
