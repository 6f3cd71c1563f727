// Red here: a sum is taken in another order than the contract fixes, and engines stop agreeing bit for bit.
using System;
using FsCheck;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class SummationTests
{
    private const double UnitRoundoff = 1.0 / (1 << 24);

    /// <summary>2^24: adding 1 to it is a tie that goes back to it, so an order shows in the result.</summary>
    private const float Big = 16777216f;

    [Fact]
    public void VectorisedEqualsScalarForEveryLengthAndOffset()
    {
        for (int length = 0; length <= 257; length++)
        {
            for (int offset = 0; offset <= 3; offset++)
            {
                ReadOnlySpan<float> values = Spread(length + offset, seed: length)[offset..];
                AssertSameBits(Summation.Sum(values), Summation.SumVectorised(values));
                AssertSameBits(Summation.SumOfSquares(values), Summation.SumOfSquaresVectorised(values));
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(33)]
    [InlineData(64)]
    public void NegativeZerosSumToPositiveZeroInBothForms(int length)
    {
        float[] values = new float[length];
        Array.Fill(values, -0f);
        AssertSameBits(0f, Summation.Sum(values));
        AssertSameBits(0f, Summation.SumVectorised(values));
        AssertSameBits(0f, Summation.SumOfSquaresVectorised(values));
        AssertSameBits(0f, Summation.Dot(values, values));
    }

    [Fact]
    public void NotFiniteValuesFlowInBothForms()
    {
        float[] values = Spread(71, seed: 5);
        values[69] = float.PositiveInfinity;
        Assert.Equal(float.PositiveInfinity, Summation.Sum(values));
        Assert.Equal(float.PositiveInfinity, Summation.SumVectorised(values));
        values[3] = float.NegativeInfinity;
        Assert.True(float.IsNaN(Summation.Sum(values)));
        Assert.True(float.IsNaN(Summation.SumVectorised(values)));
    }

    [Fact]
    public void ProductsGoByBlocksOf128()
    {
        // Inside the first block each 1 is lost against Big. The second block's 128 ones first sum to 128 by
        // themselves, so they survive; one chain over all 256 would give Big.
        float[] a = new float[256];
        Array.Fill(a, 1f);
        a[0] = Big;
        float[] ones = new float[256];
        Array.Fill(ones, 1f);
        Assert.Equal(Big + 128f, Summation.Dot(a, ones));
    }

    [Fact]
    public void ProductsAscendInsideABlockAndAcrossBlocks()
    {
        float[] ones = [1f, 1f, 1f];
        Assert.Equal(0f, Summation.Dot([1f, Big, -Big], ones)); // (1 + Big) - Big
        Assert.Equal(1f, Summation.Dot([Big, -Big, 1f], ones));

        // One number a block: the same three sums, now between blocks.
        float[] blocks = new float[257];
        float[] weights = new float[257];
        Array.Fill(weights, 1f);
        (blocks[0], blocks[128], blocks[256]) = (1f, Big, -Big);
        Assert.Equal(0f, Summation.Dot(blocks, weights));
        (blocks[0], blocks[128], blocks[256]) = (Big, -Big, 1f);
        Assert.Equal(1f, Summation.Dot(blocks, weights));
    }

    [Fact]
    public void ProductsAndSquaresAreFused()
    {
        // (1 + 2^-12)² = 1 + 2^-11 + 2^-24; unfused, the last term is lost to a tie before -1 - 2^-11 cancels the rest.
        float x = 1f + (1f / 4096);
        Assert.Equal(1f / (1 << 24), Summation.Dot([-1f - (1f / 2048), x], [1f, x]));

        // Stripe 0 holds 2^-24 and then takes 1 + 2^-11 + 2^-24: together 1 + 2^-11 + 2^-23, a float32. Unfused, the
        // square loses its 2^-24 to a tie and then the sum loses the other.
        float[] squares = new float[33];
        squares[0] = 1f / 4096;
        squares[32] = x;
        float fused = 1f + (1f / 2048) + (1f / (1 << 23));
        AssertSameBits(fused, Summation.SumOfSquares(squares));
        AssertSameBits(fused, Summation.SumOfSquaresVectorised(squares));
    }

    [Fact]
    public void VectorsGoByStripesAndThenByHalves()
    {
        float[] values = new float[64];

        // Stripe 0: Big + 1 = Big. Stripe 16: -Big. The 1 is lost, so stripes come before the tree.
        (values[0], values[32], values[16]) = (Big, 1f, -Big);
        AssertBothSums(0f, values);

        // Stripes s and s + 16 meet first: Big - Big, and the 1 of stripe 8 survives the next halving.
        values.AsSpan().Clear();
        (values[0], values[16], values[8]) = (Big, -Big, 1f);
        AssertBothSums(1f, values);

        // Were neighbours 0 and 1 the first to meet, the 1 would be lost as well; they meet last, after 1 and 17.
        values.AsSpan().Clear();
        (values[0], values[1], values[17]) = (1f, Big, -Big);
        AssertBothSums(1f, values);

        // The halvings by 8, 4, 2 and 1 in this order: each pair cancels before the next halving brings the 1.
        foreach (int half in new int[] { 8, 4, 2 })
        {
            values.AsSpan().Clear();
            (values[0], values[half], values[half / 2]) = (Big, -Big, 1f);
            AssertBothSums(1f, values);
        }
    }

    [Property]
    public bool WholeNumbersAreExact(int seed, byte extra)
    {
        float[] a = WholeNumbers(extra + 1, seed);
        float[] b = WholeNumbers(extra + 1, ~seed);
        double sum = 0;
        foreach (float value in a)
        {
            sum += value;
        }

        return Summation.Dot(a, b) == Summation.DotExact(a, b)
            && Summation.Sum(a) == sum
            && Summation.SumVectorised(a) == sum
            && Summation.SumOfSquares(a) == Summation.DotExact(a, a)
            && Summation.SumOfSquaresVectorised(a) == Summation.DotExact(a, a);
    }

    [Property]
    public bool ErrorsAreWithinGammaTimesTheGauge(int seed, ushort length)
    {
        int n = (length % 1000) + 1;
        float[] a = Spread(n, seed);
        float[] b = Spread(n, ~seed);
        float[] ones = new float[n];
        Array.Fill(ones, 1f);
        int dotDepth = Math.Min(n, 128) + ((n + 127) / 128);
        int sumDepth = ((n + 31) / 32) + 5;
        return IsWithin(Summation.Dot(a, b), a, b, dotDepth)
            && IsWithin(Summation.Sum(a), a, ones, sumDepth)
            && IsWithin(Summation.SumOfSquares(a), a, a, sumDepth);
    }

    [Fact]
    public void OperandsOfDifferentLengthsAreRefused()
    {
        Assert.Throws<ArgumentException>(() => Summation.Dot(new float[2], new float[3]));
        Assert.Throws<ArgumentException>(() => Summation.DotExact(new float[2], new float[3]));
        Assert.Throws<ArgumentException>(() => Summation.DotGauge(new float[2], new float[3]));
    }

    /// <summary>The float64 sums err by n · 2^-53 of the gauge, a millionth of the smallest bound.</summary>
    private static bool IsWithin(float sum, float[] a, float[] b, int depth)
    {
        double gamma = depth * UnitRoundoff / (1 - (depth * UnitRoundoff));
        return Math.Abs(sum - Summation.DotExact(a, b)) <= gamma * Summation.DotGauge(a, b);
    }

    /// <summary>
    /// Both signs over thirty binades: sums that cancel and lose bits, as an order must for its test to bite.
    /// </summary>
    private static float[] Spread(int length, int seed)
    {
        Random random = new(seed);
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
        {
            values[i] = (float)Math.ScaleB((2 * random.NextDouble()) - 1, random.Next(-15, 16));
        }

        return values;
    }

    /// <summary>At most 255 each, so that 256 products stay below 2^24 and every partial sum is exact.</summary>
    private static float[] WholeNumbers(int length, int seed)
    {
        Random random = new(seed);
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
        {
            values[i] = random.Next(-255, 256);
        }

        return values;
    }

    private static void AssertBothSums(float expected, float[] values)
    {
        AssertSameBits(expected, Summation.Sum(values));
        AssertSameBits(expected, Summation.SumVectorised(values));
    }

    private static void AssertSameBits(float expected, float actual) =>
        Assert.Equal(BitConverter.SingleToUInt32Bits(expected), BitConverter.SingleToUInt32Bits(actual));
}
