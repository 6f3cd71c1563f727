using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>e^x in float32 from operations that IEEE 754 fixes, so that every engine has the same bits.</summary>
/// <remarks>
/// <para>Maths: n = nearest integer to x · log2 e; r = x − n · ln 2, |r| ≤ ln 2 / 2; e^x = 2^n · e^r with
/// e^r = 1 + r + r² · q(r).</para>
/// <para>Bound: 1 ulp (spacing 2^-149 for subnormal results); measured over every float32: normal results 0.611,
/// subnormal results 0.757. Sketch: the pair high + low below is good to about 2^-27, the final rounding adds half an
/// ulp, and a subnormal result is rounded a second time on scaling, when the first rounding is worth half as much or
/// less.</para>
/// <para>Special: e^±0 = 1 exactly; from 88.72284 up +∞; below −103.97208 +0; NaN gives <see cref="float.NaN"/>, the
/// payload is not kept, so that the bits do not depend on which operand a processor propagates.</para>
/// <para>Rounding: to nearest everywhere; which of two neighbours x · log2 e = n + ½ goes to is decided by its
/// float32 rounding and matters to no bound.</para>
/// <para>Contraction: no rounded product is ever an addend, so a compiler that fuses a · b + c (ILGPU's PTX) changes
/// nothing.</para>
/// <para>Source: argument reduction after Cody and Waite; coefficients from tools/coefficients/remez.py.</para>
/// </remarks>
public static class Exponential
{
    /// <summary>e^±87 is a normal number: above 2^-126 and below 2^126.</summary>
    private const float NormalRange = 87f;

    /// <summary>Below this e^x rounds to 0: half the smallest subnormal is 2^-150 = e^-103.97208.</summary>
    private const float Lowest = -104f;

    /// <summary>Above this e^x overflows: 2^128 = e^88.72284.</summary>
    private const float Highest = 89f;

    /// <summary>log2 e, rounded. Its error moves n only where either choice leaves |r| below ln 2 / 2 + 1e-5.</summary>
    private const float Log2E = 1.44269502f;

    /// <summary>
    /// 1.5 · 2^23: adding it rounds to an integer, ties to even, and leaves that integer in the low bits.
    /// </summary>
    private const float RoundingShift = 12582912f;

    /// <summary>The bits of <see cref="RoundingShift"/>.</summary>
    private const int RoundingShiftBits = 0x4B400000;

    /// <summary>ln 2 to 16 bits, so that n · Ln2High and the difference from x are exact.</summary>
    private const float Ln2High = 0.693145752f;

    /// <summary>ln 2 − Ln2High, rounded; together good to 2^-44.</summary>
    private const float Ln2Low = 1.42860677e-06f;

    // q(r) = (e^r - 1 - r) / r^2, minimax for the relative error of e^r: 2^-34.2, with these float32 values 2^-29.8.
    private const float Q0 = 0.5f;
    private const float Q1 = 0.166666657f;
    private const float Q2 = 0.0416662954f;
    private const float Q3 = 0.00833349675f;
    private const float Q4 = 0.00139446522f;
    private const float Q5 = 0.000197903501f;

    /// <summary>e^x.</summary>
    /// <param name="x">Any float32.</param>
    /// <returns>e^x within 1 ulp.</returns>
    public static float Exp(float x)
    {
        float clamped = x < Lowest ? Lowest : x; // both comparisons are false for NaN, which so flows on
        clamped = clamped > Highest ? Highest : clamped;
        Split(clamped, out float high, out _, out int exponent);
        float result = PowerOfTwo.Scale(high, exponent); // high is the rounded sum high + low already
        return float.IsNaN(x) ? float.NaN : result;
    }

    /// <summary>Lane by lane as <see cref="Exp(float)"/>, bit for bit.</summary>
    /// <param name="x">Any float32 lanes.</param>
    /// <returns>e^x within 1 ulp.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        // Where no lane overflows or becomes subnormal, 2^n is an addition to the exponent field: the same bits.
        return IsInNormalRange(x) ? ExpInNormalRange(x) : ExpOfAny(x);
    }

    /// <summary>Whether e^x is a normal number in every lane: |x| ≤ 87.</summary>
    /// <param name="x">Any float32 lanes; NaN is not in range.</param>
    /// <returns>Whether <see cref="ExpInNormalRange(Vector512{float})"/> may be used.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsInNormalRange(Vector512<float> x) =>
        Vector512.LessThanOrEqualAll(Vector512.Abs(x), Vector512.Create(NormalRange));

    /// <summary>The bits of <see cref="Exp(Vector512{float})"/> for lanes in the normal range.</summary>
    /// <param name="x">−87 … 87 each.</param>
    /// <returns>e^x within 1 ulp.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> ExpInNormalRange(Vector512<float> x)
    {
        Split(x, out Vector512<float> mantissa, out _, out Vector512<int> power);
        return (mantissa.AsInt32() + Vector512.ShiftLeft(power, 23)).AsSingle();
    }

    /// <summary>Whether e^x is a normal number in every lane.</summary>
    /// <param name="x">Any float32 lanes.</param>
    /// <returns>Whether the form for 64 lanes may be used.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsInNormalRange(FourVectors x) =>
        IsInNormalRange(x.First)
        && IsInNormalRange(x.Second)
        && IsInNormalRange(x.Third)
        && IsInNormalRange(x.Fourth);

    /// <summary>The bits of <see cref="Exp(Vector512{float})"/> for 64 lanes in the normal range.</summary>
    /// <param name="x">−87 … 87 each.</param>
    /// <returns>e^x within 1 ulp.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static FourVectors ExpInNormalRange(FourVectors x)
    {
        SplitToField(x, out FourVectors mantissa, out _, out FourVectors field);
        return FourVectors.AddBits(mantissa, field);
    }

    /// <summary>
    /// The steps of <see cref="Split(Vector512{float}, out Vector512{float}, out Vector512{float}, out
    /// Vector512{int})"/> for 64 lanes. The power comes as float32 has it: in the place of the exponent.
    /// </summary>
    /// <param name="x">−170 … 170 each.</param>
    /// <param name="high">0.70 … 1.42.</param>
    /// <param name="low">At most half an ulp of high.</param>
    /// <param name="field">2^23 times the power of two, as an integer: <see cref="RoundingShiftBits"/> has no bit
    /// that stays.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SplitToField(
        FourVectors x, out FourVectors high, out FourVectors low, out FourVectors field)
    {
        FourVectors shift = FourVectors.Create(RoundingShift), minusLn2Low = FourVectors.Create(-Ln2Low);
        FourVectors shifted = FourVectors.FusedMultiplyAdd(x, FourVectors.Create(Log2E), shift);
        field = shifted.ToExponentField();
        FourVectors n = shifted - shift;
        FourVectors coarse = FourVectors.FusedMultiplyAdd(n, FourVectors.Create(-Ln2High), x);
        FourVectors r = FourVectors.FusedMultiplyAdd(n, minusLn2Low, coarse);
        FourVectors tail = FourVectors.FusedMultiplyAdd(n, minusLn2Low, coarse - r);

        FourVectors q = FourVectors.FusedMultiplyAdd(FourVectors.Create(Q5), r, FourVectors.Create(Q4));
        q = FourVectors.FusedMultiplyAdd(q, r, FourVectors.Create(Q3));
        q = FourVectors.FusedMultiplyAdd(q, r, FourVectors.Create(Q2));
        q = FourVectors.FusedMultiplyAdd(q, r, FourVectors.Create(Q1));
        q = FourVectors.FusedMultiplyAdd(q, r, FourVectors.Create(Q0));

        FourVectors one = FourVectors.Create(1f), sum = one + r, lost = r - (sum - one);
        FourVectors rest =
            FourVectors.FusedMultiplyAdd(r * r, q, FourVectors.FusedMultiplyAdd(tail, sum, lost));
        high = sum + rest;
        low = rest - (high - sum);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<float> ExpOfAny(Vector512<float> x)
    {
        Vector512<float> lowest = Vector512.Create(Lowest);
        Vector512<float> highest = Vector512.Create(Highest);
        Vector512<float> clamped = Vector512.ConditionalSelect(Vector512.LessThan(x, lowest), lowest, x);
        clamped = Vector512.ConditionalSelect(Vector512.GreaterThan(clamped, highest), highest, clamped);
        Split(clamped, out Vector512<float> high, out _, out Vector512<int> exponent);
        Vector512<float> result = PowerOfTwo.Scale(high, exponent);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x), result, Vector512.Create(float.NaN));
    }

    /// <summary>
    /// e^x = (high + low) · 2^exponent, good to about 2^-27 relative; high is the float32 nearest to high + low.
    /// For callers that go on computing, <see cref="Sigmoid"/> for one, and that need no range checks.
    /// </summary>
    /// <param name="x">−170 … 170; a NaN makes high and low NaN and exponent meaningless.</param>
    /// <param name="high">0.70 … 1.42.</param>
    /// <param name="low">At most half an ulp of high.</param>
    /// <param name="exponent">The power of two.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(float x, out float high, out float low, out int exponent)
    {
        float shifted = MathF.FusedMultiplyAdd(x, Log2E, RoundingShift);
        exponent = BitConverter.SingleToInt32Bits(shifted) - RoundingShiftBits;
        float n = shifted - RoundingShift;

        // x - n·ln2 as r + tail: the first step is exact, the second rounds and the third recovers what it lost.
        // Without the tail the error of r alone, 2^-26, would cost a quarter ulp of e^r.
        float coarse = MathF.FusedMultiplyAdd(n, -Ln2High, x);
        float r = MathF.FusedMultiplyAdd(n, -Ln2Low, coarse);
        float tail = MathF.FusedMultiplyAdd(n, -Ln2Low, coarse - r);

        float q = MathF.FusedMultiplyAdd(Q5, r, Q4);
        q = MathF.FusedMultiplyAdd(q, r, Q3);
        q = MathF.FusedMultiplyAdd(q, r, Q2);
        q = MathF.FusedMultiplyAdd(q, r, Q1);
        q = MathF.FusedMultiplyAdd(q, r, Q0);

        // 1 + r = sum + lost exactly (|r| < 1), and e^(r + tail) = e^r + tail·e^r, where tail·(1 + r) is near enough.
        float sum = 1f + r;
        float lost = r - (sum - 1f);
        float rest = MathF.FusedMultiplyAdd(r * r, q, MathF.FusedMultiplyAdd(tail, sum, lost));
        high = sum + rest;
        low = rest - (high - sum);
    }

    /// <summary>Lane by lane as <see cref="Split(float, out float, out float, out int)"/>, bit for bit.</summary>
    /// <param name="x">−170 … 170 each; NaN as there.</param>
    /// <param name="high">0.70 … 1.42.</param>
    /// <param name="low">At most half an ulp of high.</param>
    /// <param name="exponent">The powers of two.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(
        Vector512<float> x, out Vector512<float> high, out Vector512<float> low, out Vector512<int> exponent)
    {
        Vector512<float> shift = Vector512.Create(RoundingShift);
        Vector512<float> shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(Log2E), shift);
        exponent = shifted.AsInt32() - Vector512.Create(RoundingShiftBits);
        Vector512<float> n = shifted - shift;

        Vector512<float> minusLn2Low = Vector512.Create(-Ln2Low);
        Vector512<float> coarse = Vector512.FusedMultiplyAdd(n, Vector512.Create(-Ln2High), x);
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, minusLn2Low, coarse);
        Vector512<float> tail = Vector512.FusedMultiplyAdd(n, minusLn2Low, coarse - r);

        Vector512<float> q = Vector512.FusedMultiplyAdd(Vector512.Create(Q5), r, Vector512.Create(Q4));
        q = Vector512.FusedMultiplyAdd(q, r, Vector512.Create(Q3));
        q = Vector512.FusedMultiplyAdd(q, r, Vector512.Create(Q2));
        q = Vector512.FusedMultiplyAdd(q, r, Vector512.Create(Q1));
        q = Vector512.FusedMultiplyAdd(q, r, Vector512.Create(Q0));

        Vector512<float> one = Vector512.Create(1f);
        Vector512<float> sum = one + r;
        Vector512<float> lost = r - (sum - one);
        Vector512<float> rest = Vector512.FusedMultiplyAdd(r * r, q, Vector512.FusedMultiplyAdd(tail, sum, lost));
        high = sum + rest;
        low = rest - (high - sum);
    }
}
