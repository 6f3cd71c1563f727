// Red here: the residual sum is not the correctly rounded one, or depends on more than its two addends.
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class ResidualAddProperties
{
    [Property]
    public void TheSumIsCorrectlyRounded(int seed, byte length)
    {
        AgainstExact<Float32Precision>(length, seed);
        AgainstExact<BFloat16Precision>(length, seed);
    }

    [Property]
    public void AddendsCommuteAndPowersOfTwoScale(int seed, byte length, byte shift)
    {
        float[] a = TestValues.Spread(length, seed), b = TestValues.Spread(length, ~seed);
        Check.SameBits(Sum<BFloat16Precision>(a, b), Sum<BFloat16Precision>(b, a), "commuted");
        int exponent = (shift % 60) - 30;
        float[] scaled = Sum<BFloat16Precision>(TestValues.Scaled(a, exponent), TestValues.Scaled(b, exponent));
        Check.SameBits(TestValues.Scaled(Sum<BFloat16Precision>(a, b), exponent), scaled, $"times 2^{exponent}");
    }

    private static void AgainstExact<TPrecision>(int length, int seed)
        where TPrecision : struct, IPrecision
    {
        float[] a = TestValues.Spread<TPrecision>(length, seed), b = TestValues.Spread<TPrecision>(length, ~seed);
        double[] exact = new double[length];
        ResidualAdd.Exact(TestValues.Wide(a), TestValues.Wide(b), exact);

        // One rounding of the float32 sum and, under bfloat16, one more of that: 1·u each.
        Check.Within(
            Sum<TPrecision>(a, b),
            exact,
            i => Check.Relative<TPrecision>(1, 1) * System.Math.Abs(exact[i]),
            $"{TPrecision.Name}, length {length}, seed {seed}");
    }

    private static float[] Sum<TPrecision>(float[] a, float[] b)
        where TPrecision : struct, IPrecision
    {
        float[] y = new float[a.Length];
        ResidualAdd.Apply<TPrecision>(ExecutionEngine.Vector512, a, b, y);
        return y;
    }
}
