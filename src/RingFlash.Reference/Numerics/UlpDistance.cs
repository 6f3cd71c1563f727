using System;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// How far apart two floats are, in units in the last place. For tests and comparisons, not for kernels.
/// </summary>
/// <remarks>
/// <para>Maths: the numbers of a format, put in order, are numbered with ±0 as number 0; the distance is the difference
/// of the two numbers. Infinity is the neighbour of the largest number.</para>
/// <para>Special: +0 and −0 are 0 apart; NaN and NaN are 0 apart; NaN and a number <see cref="long.MaxValue"/>.</para>
/// </remarks>
public static class UlpDistance
{
    private const int FractionBits = 23;
    private const int SmallestExponent = -126;
    private const int LargestExponent = 127;

    /// <summary>
    /// 2^128: what infinity stands for when a float32 result is measured, the next number after the largest.
    /// </summary>
    private const double Overflow = 340282366920938463463374607431768211456.0;

    /// <summary>The distance of two float32 numbers.</summary>
    /// <param name="left">Any float32.</param>
    /// <param name="right">Any float32.</param>
    /// <returns>0 … 2^32.</returns>
    public static long Between(float left, float right)
    {
        if (float.IsNaN(left) || float.IsNaN(right))
        {
            return float.IsNaN(left) && float.IsNaN(right) ? 0 : long.MaxValue;
        }

        return Math.Abs(Order(left) - Order(right));
    }

    /// <summary>The distance of two bfloat16 numbers held as float32.</summary>
    /// <param name="left">A bfloat16 number; other float32 values are first rounded to bfloat16.</param>
    /// <param name="right">As <paramref name="left"/>.</param>
    /// <returns>0 … 2^16.</returns>
    public static long BetweenBFloat16(float left, float right)
    {
        long distance = Between(BFloat16.Round(left), BFloat16.Round(right));
        return distance == long.MaxValue ? distance : distance >> 16; // the low half of every number is zero
    }

    /// <summary>The distance of two float64 numbers.</summary>
    /// <param name="left">Any float64.</param>
    /// <param name="right">Any float64.</param>
    /// <returns>0 … 2^63 − 2; more, possible for opposite signs only, is cut off there.</returns>
    public static long Between(double left, double right)
    {
        if (double.IsNaN(left) || double.IsNaN(right))
        {
            return double.IsNaN(left) && double.IsNaN(right) ? 0 : long.MaxValue;
        }

        Int128 distance = Int128.Abs((Int128)Order(left) - Order(right));
        return (long)Int128.Min(distance, long.MaxValue - 1);
    }

    /// <summary>
    /// The error of a float32 result: |value − exact| in units of float32's spacing at exact, 2^-149 below 2^-126.
    /// </summary>
    /// <param name="value">The computed result. Infinity counts as ±2^128.</param>
    /// <param name="exact">The true result. Anything beyond ±2^128 counts as ±2^128.</param>
    /// <returns>At least 0; 0 if both are NaN, +∞ if one is.</returns>
    public static double UlpError(float value, double exact)
    {
        if (float.IsNaN(value) || double.IsNaN(exact))
        {
            return float.IsNaN(value) && double.IsNaN(exact) ? 0.0 : double.PositiveInfinity;
        }

        double limitedValue = Math.Clamp((double)value, -Overflow, Overflow);
        double limitedExact = Math.Clamp(exact, -Overflow, Overflow);

        // float64's own exponent field; a float64 zero or subnormal reads -1023 and is raised like the rest.
        int exponent = (int)((BitConverter.DoubleToInt64Bits(limitedExact) >> 52) & 0x7FF) - 1023;
        exponent = Math.Clamp(exponent, SmallestExponent, LargestExponent);
        double inverseSpacing = BitConverter.Int64BitsToDouble((long)(1023 + FractionBits - exponent) << 52);
        return Math.Abs(limitedValue - limitedExact) * inverseSpacing;
    }

    private static long Order(float value)
    {
        int bits = BitConverter.SingleToInt32Bits(value);
        return bits >= 0 ? bits : -(long)(bits & int.MaxValue);
    }

    private static long Order(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        return bits >= 0 ? bits : -(bits & long.MaxValue);
    }
}
