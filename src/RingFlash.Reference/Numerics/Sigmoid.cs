using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>The logistic function 1 / (1 + e^-x) in float32 from operations that IEEE 754 fixes.</summary>
/// <remarks>
/// <para>Maths: z = e^-|x| ≤ 1; sigmoid(x) = 1 / (1 + z) for x ≥ 0, z / (1 + z) for x &lt; 0. The two are one formula
/// on paper, but 1 / (1 + e^-x) overflows to 1 / ∞ for x &lt; −88.7, where the result is still a number.</para>
/// <para>Bound: 1 ulp (spacing 2^-149 for subnormal results); measured over every float32: normal results 0.609,
/// subnormal results 0.757. Sketch: z, 1 + z and the quotient are unevaluated pairs good to about 2^-27; then one
/// rounding, and a second for subnormal results, when the first is worth half as much or less.</para>
/// <para>Special: ±0 gives ½ exactly; −∞ gives +0; +∞ gives 1; NaN gives <see cref="float.NaN"/>.</para>
/// <para>Rounding: to nearest; no ties to decide.</para>
/// <para>Contraction: the only products that are addends are exact (by a power of two), so a compiler that fuses
/// a · b + c (ILGPU's PTX) changes nothing.</para>
/// </remarks>
public static class Sigmoid
{
    /// <summary>
    /// e^-|x| beyond |x| = 120 is 2^-173: z no longer counts beside 1, and both sigmoid and |x| · sigmoid(x) at −120
    /// (2^-166) round to 0.
    /// </summary>
    private const float Lowest = -120f;

    /// <summary>Beside 1 a z of 2^-100 is as good as 0; the limit keeps 2^n a normal number.</summary>
    private const int LowestPower = -100;

    /// <summary>For smaller |x| the exponent of e^-|x| is not below <see cref="LowestPower"/>.</summary>
    private const float PlainRange = 69f;

    private const int SignBit = unchecked((int)0x80000000);

    /// <summary>1 / (1 + e^-x).</summary>
    /// <param name="x">Any float32.</param>
    /// <returns>0 … 1, within 1 ulp.</returns>
    public static float Apply(float x)
    {
        Split(x, out float high, out float low, out int exponent);
        float result = PowerOfTwo.Scale(high + low, exponent);
        return float.IsNaN(x) ? float.NaN : result;
    }

    /// <summary>Lane by lane as <see cref="Apply(float)"/>, bit for bit.</summary>
    /// <param name="x">Any float32 lanes.</param>
    /// <returns>0 … 1, within 1 ulp.</returns>
    public static Vector512<float> Apply(Vector512<float> x)
    {
        Split(x, out Vector512<float> high, out Vector512<float> low, out Vector512<int> exponent);
        Vector512<float> result = PowerOfTwo.Scale(high + low, exponent);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x), result, Vector512.Create(float.NaN));
    }

    /// <summary>sigmoid(x) = (high + low) · 2^exponent, good to about 2^-27 relative, for x ≥ −120.</summary>
    /// <param name="x">Any float32; below −120 the answer is that for −120; NaN makes high and low NaN.</param>
    /// <param name="high">0.35 … 1.42.</param>
    /// <param name="low">About an ulp of high at most.</param>
    /// <param name="exponent">0 for x ≥ 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(float x, out float high, out float low, out int exponent)
    {
        float argument = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(x) | SignBit);
        argument = argument < Lowest ? Lowest : argument;
        Exponential.Split(argument, out float expHigh, out float expLow, out int power);

        float scale = PowerOfTwo.Create(power < LowestPower ? LowestPower : power);
        float zHigh = expHigh * scale;
        float denominator = 1f + zHigh;
        float denominatorLow = (zHigh - (denominator - 1f)) + (expLow * scale); // the first part is exact: zHigh <= 1

        // For x < 0 the numerator stays unscaled, so that nothing is lost below 2^-126 before the very end.
        bool negative = x < 0f;
        float numerator = negative ? expHigh : 1f;
        float numeratorLow = negative ? expLow : 0f;
        exponent = negative ? power : 0;

        // One correction step: the remainder numerator - high·denominator is exact in one fused operation.
        high = numerator / denominator;
        float remainder = MathF.FusedMultiplyAdd(-high, denominator, numerator) + numeratorLow;
        low = MathF.FusedMultiplyAdd(-high, denominatorLow, remainder) / denominator;
    }

    /// <summary>Lane by lane as <see cref="Split(float, out float, out float, out int)"/>, bit for bit.</summary>
    /// <param name="x">Any float32 lanes.</param>
    /// <param name="high">0.35 … 1.42.</param>
    /// <param name="low">About an ulp of high at most.</param>
    /// <param name="exponent">0 where x ≥ 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(
        Vector512<float> x, out Vector512<float> high, out Vector512<float> low, out Vector512<int> exponent)
    {
        Vector512<float> lowest = Vector512.Create(Lowest);
        Vector512<float> argument = (x.AsInt32() | Vector512.Create(SignBit)).AsSingle();
        argument = Vector512.ConditionalSelect(Vector512.LessThan(argument, lowest), lowest, argument);
        Split(x, argument, LowestPower, out high, out low, out exponent);
    }

    /// <summary>Whether no clamp acts in any lane: |x| &lt; 69, where e^-|x| is above 2^-99.6.</summary>
    /// <param name="x">Any float32 lanes; NaN is not plain.</param>
    /// <returns>Whether the plain forms give the bits.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsPlain(Vector512<float> x) =>
        Vector512.LessThanAll(Vector512.Abs(x), Vector512.Create(PlainRange));

    /// <summary>The bits of <see cref="Apply(Vector512{float})"/> for plain lanes; 2^n is one exact factor.</summary>
    /// <param name="x">Below 69 in size each.</param>
    /// <returns>0 … 1, within 1 ulp.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> ApplyToPlain(Vector512<float> x)
    {
        SplitPlain(x, out Vector512<float> high, out Vector512<float> low, out Vector512<int> exponent);
        return (high + low) * PowerOfTwo.Create(exponent);
    }

    /// <summary>The bits of the split of any lanes for plain ones.</summary>
    /// <param name="x">Below 69 in size each.</param>
    /// <param name="high">0.35 … 1.42.</param>
    /// <param name="low">About an ulp of high at most.</param>
    /// <param name="exponent">0 where x ≥ 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SplitPlain(
        Vector512<float> x, out Vector512<float> high, out Vector512<float> low, out Vector512<int> exponent) =>
        Split(
            x,
            (x.AsInt32() | Vector512.Create(SignBit)).AsSingle(),
            int.MinValue,
            out high,
            out low,
            out exponent);

    /// <summary>Whether no clamp acts in any lane.</summary>
    /// <param name="x">Any float32 lanes.</param>
    /// <returns>Whether the plain forms give the bits.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsPlain(FourVectors x) =>
        IsPlain(x.First) && IsPlain(x.Second) && IsPlain(x.Third) && IsPlain(x.Fourth);

    /// <summary>
    /// The bits of the split for 64 plain lanes, with fewer steps: where nothing leaves the normal numbers a power of
    /// two is an addition to the exponent, and its product with the low part is exact and may be fused. The sign bit
    /// stands for x &lt; 0: at −0 both numerators are 1.
    /// </summary>
    /// <param name="x">Below 69 in size each.</param>
    /// <param name="high">0.35 … 1.42.</param>
    /// <param name="low">About an ulp of high at most.</param>
    /// <param name="field">2^23 times the exponent, as an integer; 0 where x ≥ 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SplitPlain(
        FourVectors x, out FourVectors high, out FourVectors low, out FourVectors field)
    {
        Exponential.SplitToField(
            x | FourVectors.Create(-0f), out FourVectors expHigh, out FourVectors expLow, out FourVectors power);

        FourVectors one = FourVectors.Create(1f), zHigh = FourVectors.AddBits(expHigh, power);
        FourVectors denominator = one + zHigh;
        FourVectors denominatorLow = FourVectors.FusedMultiplyAdd(
            expLow, FourVectors.AddBits(one, power), zHigh - (denominator - one));

        FourVectors negative = x.SignMask(), numerator = FourVectors.Select(negative, expHigh, one);
        high = numerator / denominator;
        FourVectors remainder = FourVectors.FusedMultiplyAdd(-high, denominator, numerator) + (expLow & negative);
        low = FourVectors.FusedMultiplyAdd(-high, denominatorLow, remainder) / denominator;
        field = power & negative;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Split(
        Vector512<float> x,
        Vector512<float> argument,
        int lowestPower,
        out Vector512<float> high,
        out Vector512<float> low,
        out Vector512<int> exponent)
    {
        Exponential.Split(
            argument, out Vector512<float> expHigh, out Vector512<float> expLow, out Vector512<int> power);

        Vector512<float> one = Vector512.Create(1f);
        Vector512<int> scalePower =
            lowestPower == int.MinValue ? power : Vector512.Max(power, Vector512.Create(lowestPower));
        Vector512<float> scale = PowerOfTwo.Create(scalePower);
        Vector512<float> zHigh = expHigh * scale;
        Vector512<float> denominator = one + zHigh;
        Vector512<float> denominatorLow = (zHigh - (denominator - one)) + (expLow * scale);

        Vector512<float> negative = Vector512.LessThan(x, Vector512<float>.Zero);
        Vector512<float> numerator = Vector512.ConditionalSelect(negative, expHigh, one);
        Vector512<float> numeratorLow = expLow & negative; // a mask of ones or zeros: expLow or +0
        exponent = power & negative.AsInt32();

        high = numerator / denominator;
        Vector512<float> remainder = Vector512.FusedMultiplyAdd(-high, denominator, numerator) + numeratorLow;
        low = Vector512.FusedMultiplyAdd(-high, denominatorLow, remainder) / denominator;
    }
}
