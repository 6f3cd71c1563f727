// Red here: a norm is further from the truth than its page promises, or breaks a law of the formula.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class RmsNormProperties
{
    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, ushort width)
    {
        AgainstExact<Float32Precision>(1 + (width % 700), seed, null);
        AgainstExact<BFloat16Precision>(1 + (width % 700), seed, null);
    }

    [Fact]
    public void AtTheModelsWidthsErrorsStayBelowFourUnitsAsThePageMeasured()
    {
        foreach (int hidden in new int[] { 128, 2048, 4096 })
        {
            for (int seed = 0; seed < 5; seed++)
            {
                AgainstExact<Float32Precision>(hidden, seed, 4);
            }
        }
    }

    [Property]
    public void WithoutEpsilonAPowerOfTwoChangesNothing(int seed, byte width, byte shift)
    {
        int hidden = 1 + width, exponent = (shift % 60) - 30;
        float[] x = TestValues.Spread(hidden, seed), weight = TestValues.Spread(hidden, ~seed);
        x[0] = 1f; // not all zero
        Check.SameBits(
            Apply<Float32Precision>(x, weight, 0f),
            Apply<Float32Precision>(TestValues.Scaled(x, exponent), weight, 0f),
            $"hidden {hidden}, times 2^{exponent}");
        Check.SameBits(
            Apply<BFloat16Precision>(x, weight, 0f),
            Apply<BFloat16Precision>(TestValues.Scaled(x, exponent), weight, 0f),
            $"bfloat16, hidden {hidden}, times 2^{exponent}");
    }

    [Property]
    public void RowsOfOneMagnitudeAreExact(int seed, byte width, byte shift)
    {
        // All elements ±2^e: the mean square is 4^e, the root 2^e and the result ±weight, exactly.
        int hidden = 1 + width, exponent = (shift % 60) - 30;
        Random random = new(seed);
        float[] x = new float[hidden], expected = new float[hidden];
        float[] weight = TestValues.WholeNumbers(hidden, seed);
        for (int h = 0; h < hidden; h++)
        {
            float sign = random.Next(2) == 0 ? 1f : -1f;
            x[h] = MathF.ScaleB(sign, exponent);
            expected[h] = sign * weight[h];
        }

        Check.SameBits(expected, Apply<BFloat16Precision>(x, weight, 0f), $"hidden {hidden}, exponent {exponent}");
    }

    [Property]
    public void PermutingTokensCommutes(int seed, byte tokens)
    {
        const int Hidden = 37;
        int count = tokens % 9;
        float[] x = TestValues.Spread(count * Hidden, seed), weight = TestValues.Spread(Hidden, ~seed);
        int[] order = TestValues.Permutation(count, seed);
        Check.SameBits(
            TestValues.PermuteRows(Apply<Float32Precision>(x, weight, 1e-6f), Hidden, order),
            Apply<Float32Precision>(TestValues.PermuteRows(x, Hidden, order), weight, 1e-6f),
            $"{count} tokens");
    }

    private static void AgainstExact<TPrecision>(int hidden, int seed, double? units)
        where TPrecision : struct, IPrecision
    {
        float[] x = TestValues.Spread<TPrecision>(hidden, seed), weight = TestValues.Spread<TPrecision>(hidden, ~seed);
        double[] exact = new double[hidden];
        RmsNorm.Exact(TestValues.Wide(x), weight, 1e-6f, exact);
        double page = units ?? ((((hidden + 31) / 32) / 2.0) + 8);
        Check.Within(
            Apply<TPrecision>(x, weight, 1e-6f),
            exact,
            h => Check.Relative<TPrecision>(page, 2) * Math.Abs(exact[h]),
            $"{TPrecision.Name}, hidden {hidden}, seed {seed}");
    }

    private static float[] Apply<TPrecision>(float[] x, float[] weight, float epsilon)
        where TPrecision : struct, IPrecision
    {
        float[] y = new float[x.Length];
        RmsNorm.Apply<TPrecision>(ExecutionEngine.Vector512, x, weight, epsilon, y);
        return y;
    }
}
