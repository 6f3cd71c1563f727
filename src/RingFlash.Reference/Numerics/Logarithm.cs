using System;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// The natural logarithm in float32 from operations that IEEE 754 fixes, so that every engine has the same bits.
/// </summary>
/// <remarks>
/// <para>Maths: x = 2^e · m with √½ ≤ m &lt; √2; f = m − 1; ln x = e · ln 2 + f − f²/2 + f³ · p(f).</para>
/// <para>Bound: 1 ulp; measured over every float32: 0.626. Sketch: f is exact, f − f²/2 and the sum with
/// e · ln 2 are carried as unevaluated pairs, so only f³ · p(f), at most a tenth of the result, has float32 error
/// before the one final rounding. Near 1 e is 0 and every term scales with f, so the relative error stays.</para>
/// <para>Special: ln 1 = +0 exactly; ln ±0 = −∞; x &lt; 0 gives NaN; ln +∞ = +∞; NaN gives <see cref="float.NaN"/>, the
/// payload is not kept. Subnormal x is first multiplied by 2^23, exactly.</para>
/// <para>Rounding: to nearest; no ties to decide.</para>
/// <para>Contraction: no rounded product is ever an addend, so a compiler that fuses a · b + c (ILGPU's PTX) changes
/// nothing.</para>
/// <para>Source: coefficients from tools/coefficients/remez.py.</para>
/// </remarks>
public static class Logarithm
{
    /// <summary>2^-126, the smallest normal number.</summary>
    private const float SmallestNormal = 1.17549435e-38f;

    /// <summary>2^23: makes any subnormal normal.</summary>
    private const float SubnormalScale = 8388608f;

    private const int SubnormalExponent = 23;
    private const int FractionBits = 23;

    /// <summary>The bits of √½: subtracting them puts the start of each binade there.</summary>
    private const int SqrtHalfBits = 0x3F3504F3;

    /// <summary>ln 2 to 16 bits, so that e · Ln2High is exact for |e| ≤ 149.</summary>
    private const float Ln2High = 0.693145752f;

    /// <summary>ln 2 − Ln2High, rounded; together good to 2^-44.</summary>
    private const float Ln2Low = 1.42860677e-06f;

    // p(f) = (ln(1+f) - f + f²/2) / f³, minimax for the relative error of ln(1+f): 2^-30.3, with these float32 values
    // 2^-28.2.
    private const float P0 = 0.333333135f;
    private const float P1 = -0.250000089f;
    private const float P2 = 0.200021192f;
    private const float P3 = -0.166679963f;
    private const float P4 = 0.142195523f;
    private const float P5 = -0.124055877f;
    private const float P6 = 0.118881591f;
    private const float P7 = -0.116756551f;
    private const float P8 = 0.0674665123f;

    /// <summary>ln x.</summary>
    /// <param name="x">Any float32.</param>
    /// <returns>ln x within 1 ulp.</returns>
    public static float Log(float x)
    {
        bool subnormal = x < SmallestNormal;
        int bits = BitConverter.SingleToInt32Bits(subnormal ? x * SubnormalScale : x);
        int binade = (bits - SqrtHalfBits) >> FractionBits;
        float f = BitConverter.Int32BitsToSingle(bits - (binade << FractionBits)) - 1f;
        float e = subnormal ? binade - SubnormalExponent : binade;

        float p = MathF.FusedMultiplyAdd(P8, f, P7);
        p = MathF.FusedMultiplyAdd(p, f, P6);
        p = MathF.FusedMultiplyAdd(p, f, P5);
        p = MathF.FusedMultiplyAdd(p, f, P4);
        p = MathF.FusedMultiplyAdd(p, f, P3);
        p = MathF.FusedMultiplyAdd(p, f, P2);
        p = MathF.FusedMultiplyAdd(p, f, P1);
        p = MathF.FusedMultiplyAdd(p, f, P0);

        // f - f²/2 = near + nearLost: f - near is exact (the two are within a factor of two), so the second step sees
        // all that the first one rounded away.
        float near = MathF.FusedMultiplyAdd(-0.5f * f, f, f);
        float nearLost = MathF.FusedMultiplyAdd(-0.5f * f, f, f - near);

        // e·Ln2High + near = sum + sumLost exactly: the product is exact and 0, or larger than near.
        float sum = MathF.FusedMultiplyAdd(e, Ln2High, near);
        float sumLost = near - MathF.FusedMultiplyAdd(e, -Ln2High, sum);

        float rest = MathF.FusedMultiplyAdd(f * f, f * p, nearLost);
        rest = MathF.FusedMultiplyAdd(e, Ln2Low, rest + sumLost);
        float result = sum + rest;

        result = x < float.PositiveInfinity ? result : x; // +∞, and NaN for the moment
        result = x > 0f ? result : float.NaN;
        return x == 0f ? float.NegativeInfinity : result;
    }

    /// <summary>Lane by lane as <see cref="Log(float)"/>, bit for bit.</summary>
    /// <param name="x">Any float32 lanes.</param>
    /// <returns>ln x within 1 ulp.</returns>
    public static Vector512<float> Log(Vector512<float> x)
    {
        Vector512<float> subnormal = Vector512.LessThan(x, Vector512.Create(SmallestNormal));
        Vector512<int> bits = Vector512.ConditionalSelect(subnormal, x * Vector512.Create(SubnormalScale), x).AsInt32();
        Vector512<int> binade =
            Vector512.ShiftRightArithmetic(bits - Vector512.Create(SqrtHalfBits), FractionBits);
        Vector512<float> f =
            (bits - Vector512.ShiftLeft(binade, FractionBits)).AsSingle() - Vector512.Create(1f);
        Vector512<float> e = Vector512.ConvertToSingle(
            binade - (subnormal.AsInt32() & Vector512.Create(SubnormalExponent)));

        Vector512<float> p = Vector512.FusedMultiplyAdd(Vector512.Create(P8), f, Vector512.Create(P7));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(P6));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(P5));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(P4));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(P3));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(P2));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(P1));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(P0));

        Vector512<float> minusHalfF = Vector512.Create(-0.5f) * f;
        Vector512<float> near = Vector512.FusedMultiplyAdd(minusHalfF, f, f);
        Vector512<float> nearLost = Vector512.FusedMultiplyAdd(minusHalfF, f, f - near);

        Vector512<float> sum = Vector512.FusedMultiplyAdd(e, Vector512.Create(Ln2High), near);
        Vector512<float> sumLost = near - Vector512.FusedMultiplyAdd(e, Vector512.Create(-Ln2High), sum);

        Vector512<float> rest = Vector512.FusedMultiplyAdd(f * f, f * p, nearLost);
        rest = Vector512.FusedMultiplyAdd(e, Vector512.Create(Ln2Low), rest + sumLost);
        Vector512<float> result = sum + rest;

        Vector512<float> zero = Vector512<float>.Zero;
        result = Vector512.ConditionalSelect(
            Vector512.LessThan(x, Vector512.Create(float.PositiveInfinity)), result, x);
        result = Vector512.ConditionalSelect(Vector512.GreaterThan(x, zero), result, Vector512.Create(float.NaN));
        return Vector512.ConditionalSelect(
            Vector512.Equals(x, zero), Vector512.Create(float.NegativeInfinity), result);
    }
}
