// The number types of PTX for PtxMachine. Red nowhere by itself.
using System;

namespace RingFlash.Reference.Tests.Devices.Ptx;

/// <summary>Bits in a register, read and written as a type: s8 … u64, b8 … b64, f32, f64, pred.</summary>
internal static class PtxTypes
{
    public static int Bits(string type) => type == "pred"
        ? 1
        : int.Parse(type.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture);

    public static bool IsFloat(string type) => type[0] == 'f';

    /// <summary>The integer that the lowest bits mean.</summary>
    public static long Integer(string type, ulong bits) => (type[0], Bits(type)) switch
    {
        ('s', 8) => (sbyte)bits,
        ('s', 16) => (short)bits,
        ('s', 32) => (int)bits,
        (_, 1) => (long)(bits & 1),
        (_, 8) => (byte)bits,
        (_, 16) => (ushort)bits,
        (_, 32) => (uint)bits,
        _ => (long)bits,
    };

    public static float Single(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    public static ulong BitsOf(float value) => BitConverter.SingleToUInt32Bits(value);

    /// <summary>The lowest bits of a result.</summary>
    public static ulong Cut(string type, ulong bits) => Bits(type) == 64 ? bits : bits & ((1ul << Bits(type)) - 1);
}
