// Inputs for the operator tests. Red nowhere by itself: if these values were tame, wrong operators would pass.
using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Operators;

/// <summary>Deterministic inputs: a seed names the whole array.</summary>
internal static class TestValues
{
    /// <summary>Where spans start, so that no vector load can rely on alignment.</summary>
    public static readonly int[] Offsets = [0, 1, 3, 7];

    private static readonly float[] Specials =
    [
        0f,
        -0f,
        1f,
        -1f,
        float.Epsilon,
        -float.Epsilon,
        1e-40f,
        float.MaxValue,
        -float.MaxValue,
        float.PositiveInfinity,
        float.NegativeInfinity, float.NaN, -float.NaN, 88.7f, -103.9f, 120f, -121f, 1e30f, -1e30f,
    ];

    /// <summary>Both signs over 2·binades binades around 1: sums that cancel and lose bits.</summary>
    public static float[] Spread<TPrecision>(int length, int seed, int binades = 4)
        where TPrecision : struct, IPrecision
    {
        Random random = new(seed);
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
        {
            double value = Math.ScaleB((2 * random.NextDouble()) - 1, random.Next(-binades, binades + 1));
            values[i] = TPrecision.Round((float)value);
        }

        return values;
    }

    public static float[] Spread(int length, int seed, int binades = 4) =>
        Spread<Float32Precision>(length, seed, binades);

    /// <summary>Spread values with about one special value in eight.</summary>
    public static float[] WithSpecials<TPrecision>(int length, int seed)
        where TPrecision : struct, IPrecision
    {
        float[] values = Spread<TPrecision>(length, seed, binades: 6);
        Random random = new(~seed);
        for (int i = 0; i < length; i++)
        {
            if (random.Next(8) == 0)
            {
                values[i] = TPrecision.Round(Specials[random.Next(Specials.Length)]);
            }
        }

        return values;
    }

    /// <summary>Integers, so that every sum and product that stays below 2^24 is exact in any order.</summary>
    public static float[] WholeNumbers(int length, int seed, int largest = 15)
    {
        Random random = new(seed);
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
        {
            values[i] = random.Next(-largest, largest + 1);
        }

        return values;
    }

    public static double[] Wide(ReadOnlySpan<float> values)
    {
        double[] wide = new double[values.Length];
        for (int i = 0; i < wide.Length; i++)
        {
            wide[i] = values[i];
        }

        return wide;
    }

    public static float[] Scaled(ReadOnlySpan<float> values, int exponent)
    {
        float[] scaled = new float[values.Length];
        for (int i = 0; i < scaled.Length; i++)
        {
            scaled[i] = MathF.ScaleB(values[i], exponent);
        }

        return scaled;
    }

    /// <summary>A permutation of 0 … count − 1.</summary>
    public static int[] Permutation(int count, int seed)
    {
        int[] order = new int[count];
        for (int i = 0; i < count; i++)
        {
            order[i] = i;
        }

        new Random(seed).Shuffle(order);
        return order;
    }

    /// <summary>Row r of the result is row order[r] of the input.</summary>
    public static T[] PermuteRows<T>(T[] values, int width, int[] order)
    {
        T[] permuted = new T[order.Length * width];
        for (int row = 0; row < order.Length; row++)
        {
            Array.Copy(values, order[row] * width, permuted, row * width, width);
        }

        return permuted;
    }
}
