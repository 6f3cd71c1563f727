using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// The 8-bit float e4m3fn of the FP8 checkpoints: 1 sign, 4 exponent and 3 fraction bits, bias 7. Codes are held as
/// <see cref="byte"/>.
/// </summary>
/// <remarks>
/// <para>Range: largest 448 (0x7E), smallest normal 2^-6 (0x08), smallest subnormal 2^-9 (0x01).</para>
/// <para>Special: no infinities; 0x7F and 0xFF are NaN; both zeros exist.</para>
/// <para>Rounding: to nearest, ties to the even code; past 448, infinity included, it saturates to ±448, as the
/// quantiser of the published FP8 path does by clamping first.</para>
/// <para>Source: OCP 8-bit Floating Point Specification 1.0, table 2 (E4M3); examples in golden/fp8-gemm.</para>
/// </remarks>
public static class Float8E4M3
{
    /// <summary>The largest number, 448.</summary>
    public const float MaxValue = 448f;

    private const uint MagnitudeMask = 0x7FFFFFFF;
    private const uint InfinityBits = 0x7F800000;
    private const uint MaxValueBits = 0x43E00000;
    private const uint SmallestNormalBits = 0x3C800000; // 2^-6
    private const int DroppedBits = 23 - 3;

    /// <summary>Float32's bias less e4m3's, above three fraction bits: 120 · 8.</summary>
    private const uint BiasDifference = (127 - 7) << 3;

    /// <summary>
    /// 2^14: there float32 numbers lie 2^-9 apart, so adding it rounds to a multiple of 2^-9, ties to even.
    /// </summary>
    private const float SubnormalShift = 16384f;

    private const uint SubnormalShiftBits = 0x46800000;

    /// <summary>2^120, the ratio of the two formats' scales.</summary>
    private const float BiasScale = 1.32922800e36f;

    private const uint MaxCode = 0x7E;
    private const uint NaNCode = 0x7F;

    /// <summary>Widens a code to float32; exact.</summary>
    /// <param name="code">Any code.</param>
    /// <returns>The same number; for 0x7F and 0xFF a quiet NaN of that sign.</returns>
    public static float ToSingle(byte code)
    {
        uint magnitude = code & NaNCode;
        uint sign = (uint)(code & 0x80) << 24;

        // Exponent and fraction go to float32's places; the product by 2^(127-7) then corrects the bias, and for a zero
        // exponent field float32's own subnormals do the normalising.
        float scaled = BitConverter.UInt32BitsToSingle(magnitude << DroppedBits) * BiasScale;
        uint bits = magnitude == NaNCode ? 0x7FC00000 : BitConverter.SingleToUInt32Bits(scaled);
        return BitConverter.UInt32BitsToSingle(bits | sign);
    }

    /// <summary>Narrows to a code: nearest, ties to even, saturating at ±448.</summary>
    /// <param name="value">Any float32.</param>
    /// <returns>The code; NaN gives 0x7F with the sign of the NaN.</returns>
    public static byte FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = (bits >> 24) & 0x80;
        uint magnitude = bits & MagnitudeMask;

        // Half of the last kept bit less one, and one more where that bit is odd: carries exactly when nearest-even
        // does.
        uint half = (1u << (DroppedBits - 1)) - 1;
        uint normal = ((magnitude + half + ((magnitude >> DroppedBits) & 1)) >> DroppedBits) - BiasDifference;

        float shifted = BitConverter.UInt32BitsToSingle(magnitude) + SubnormalShift;
        uint subnormal = BitConverter.SingleToUInt32Bits(shifted) - SubnormalShiftBits; // 8, from above, is 2^-6

        uint code = magnitude < SmallestNormalBits ? subnormal : normal;
        code = magnitude >= MaxValueBits ? MaxCode : code;
        code = magnitude > InfinityBits ? NaNCode : code;
        return (byte)(code | sign);
    }

    /// <summary>Narrows sixteen lanes as <see cref="FromSingle(float)"/>.</summary>
    /// <param name="values">Any float32 lanes.</param>
    /// <returns>The codes, one in the lowest byte of each lane.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> FromSingle(Vector512<float> values)
    {
        Vector512<uint> bits = values.AsUInt32();
        Vector512<uint> sign = Vector512.ShiftRightLogical(bits, 24) & Vector512.Create(0x80u);
        Vector512<uint> magnitude = bits & Vector512.Create(MagnitudeMask);
        Vector512<uint> clamped = Vector512.Min(magnitude, Vector512.Create(MaxValueBits));

        // With 2^e the power of two at or below the number, but at least the smallest normal: beside 2^(e+20) float32
        // numbers lie 2^(e-3) apart, so one addition rounds to the codes' spacing, subnormals included, ties to even.
        Vector512<uint> power = Vector512.Max(
            clamped & Vector512.Create(InfinityBits), Vector512.Create(SmallestNormalBits));
        Vector512<uint> shift = power + Vector512.Create((uint)DroppedBits << 23);
        Vector512<uint> steps = (clamped.AsSingle() + shift.AsSingle()).AsUInt32() - shift;
        Vector512<uint> code = steps
            + Vector512.ShiftRightLogical(power, DroppedBits)
            - Vector512.Create(SmallestNormalBits >> DroppedBits);
        code = Vector512.ConditionalSelect(
            Vector512.GreaterThan(magnitude, Vector512.Create(InfinityBits)), Vector512.Create(NaNCode), code);
        return code | sign;
    }
}
