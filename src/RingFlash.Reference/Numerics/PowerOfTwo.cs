using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>Multiplication of a float32 by 2^n for any n that the functions here need.</summary>
/// <remarks>
/// <para>Maths: value · 2^n as value · 2^⌊n/2⌋ · 2^(n − ⌊n/2⌋), because 2^n itself may be outside float32 while both
/// factors are inside.</para>
/// <para>Rounding: for 2^-30 ≤ |value| &lt; 2^30 the first product is exact, so a subnormal result is rounded once and
/// overflow gives infinity.</para>
/// <para>Precondition: −252 ≤ n ≤ 254; outside, the factors are not powers of two.</para>
/// </remarks>
public static class PowerOfTwo
{
    private const int ExponentBias = 127;
    private const int FractionBits = 23;

    /// <summary>value · 2^exponent.</summary>
    /// <param name="value">Any float32.</param>
    /// <param name="exponent">−252 … 254.</param>
    /// <returns>The product.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(float value, int exponent)
    {
        int half = exponent >> 1;
        return value * Create(half) * Create(exponent - half);
    }

    /// <summary>Lane by lane as <see cref="Scale(float, int)"/>.</summary>
    /// <param name="values">Any float32 lanes.</param>
    /// <param name="exponents">−252 … 254 each.</param>
    /// <returns>The products.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(Vector512<float> values, Vector512<int> exponents)
    {
        Vector512<int> half = Vector512.ShiftRightArithmetic(exponents, 1);
        return values * Create(half) * Create(exponents - half);
    }

    /// <summary>2^exponent as a normal number.</summary>
    /// <param name="exponent">−126 … 127.</param>
    /// <returns>The power.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Create(int exponent) =>
        BitConverter.Int32BitsToSingle((exponent + ExponentBias) << FractionBits);

    /// <summary>Lane by lane as <see cref="Create(int)"/>.</summary>
    /// <param name="exponents">−126 … 127 each.</param>
    /// <returns>The powers.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Create(Vector512<int> exponents) =>
        Vector512.ShiftLeft(exponents + Vector512.Create(ExponentBias), FractionBits).AsSingle();
}
