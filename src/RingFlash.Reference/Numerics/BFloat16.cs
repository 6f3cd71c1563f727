using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// bfloat16: the upper half of a float32 (1 sign, 8 exponent, 7 fraction bits). Held as <see cref="ushort"/> bits in
/// memory and as float32 in arithmetic; .NET 10 has no type for it.
/// </summary>
public static class BFloat16
{
    /// <summary>Widens bits to float32; exact.</summary>
    /// <param name="bits">The sixteen bits.</param>
    /// <returns>The same number.</returns>
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Narrows to bits, nearest with ties to even; overflow gives infinity, NaN stays a (quiet) NaN.</summary>
    /// <param name="value">Any float32.</param>
    /// <returns>The sixteen bits.</returns>
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            return (ushort)((bits >> 16) | 0x40); // quiet, so that dropping payload bits cannot make an infinity
        }

        // Adding 0x7FFF, and one more where the kept last bit is odd, carries exactly when nearest-even rounds up.
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>The nearest bfloat16 number, ties to even, as float32.</summary>
    /// <param name="value">Any float32.</param>
    /// <returns>The rounded value.</returns>
    public static float Round(float value) => ToSingle(FromSingle(value));

    /// <summary>Rounds sixteen lanes as <see cref="Round(float)"/>.</summary>
    /// <param name="values">Any float32 lanes.</param>
    /// <returns>The rounded lanes.</returns>
    public static Vector512<float> Round(Vector512<float> values)
    {
        Vector512<uint> bits = values.AsUInt32();
        Vector512<uint> lastKeptBit = Vector512.ShiftRightLogical(bits, 16) & Vector512.Create(1u);
        Vector512<uint> rounded = (bits + Vector512.Create(0x7FFFu) + lastKeptBit) & Vector512.Create(0xFFFF0000u);
        Vector512<uint> quietNaN = (bits | Vector512.Create(0x00400000u)) & Vector512.Create(0xFFFF0000u);
        Vector512<uint> isNumber = Vector512.Equals(values, values).AsUInt32();
        return Vector512.ConditionalSelect(isNumber, rounded, quietNaN).AsSingle();
    }

    /// <summary>Narrows a run to bits as <see cref="FromSingle(float)"/>.</summary>
    /// <param name="values">[count], float32, read.</param>
    /// <param name="bits">[count], written.</param>
    public static void FromSingle(ReadOnlySpan<float> values, Span<ushort> bits)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bits.Length, values.Length);
        const int Lanes = 32;
        ref float source = ref MemoryMarshal.GetReference(values);
        ref ushort target = ref MemoryMarshal.GetReference(bits);
        int index = 0;
        for (; index <= values.Length - Lanes; index += Lanes)
        {
            Vector512<uint> lower = Round(Vector512.LoadUnsafe(ref source, (nuint)index)).AsUInt32();
            Vector512<uint> upper = Round(Vector512.LoadUnsafe(ref source, (nuint)index + (Lanes / 2))).AsUInt32();
            Vector512
                .Narrow(Vector512.ShiftRightLogical(lower, 16), Vector512.ShiftRightLogical(upper, 16))
                .StoreUnsafe(ref target, (nuint)index);
        }

        for (; index < values.Length; index++)
        {
            bits[index] = FromSingle(values[index]);
        }
    }
}
