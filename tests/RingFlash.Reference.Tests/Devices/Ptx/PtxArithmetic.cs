// What the arithmetic instructions of PTX do. Red nowhere by itself: an instruction that is not here is refused.
using System;
using System.Numerics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Devices.Ptx;

/// <summary>Instructions that read registers and write one; the type is the last word of the opcode.</summary>
internal static class PtxArithmetic
{
    /// <summary>The function of the operands behind the result, or null when the opcode is not arithmetic.</summary>
    public static Func<ulong, ulong, ulong, ulong>? Find(string[] words)
    {
        string type = words[^1];
        if (type == "bf16x2")
        {
            return string.Join('.', words) == "mul.rn.bf16x2" ? (a, b, _) => Pair(a, b) : null;
        }

        return PtxTypes.IsFloat(type) && words[0] is not ("mov" or "selp" or "cvt" or "setp" or "testp")
            ? FindSingle(string.Join('.', words))
            : FindOther(words, type);
    }

    private static Func<ulong, ulong, ulong, ulong>? FindSingle(string opcode) => opcode switch
    {
        "add.rn.f32" => (a, b, _) => Of(Single(a) + Single(b)),
        "sub.rn.f32" => (a, b, _) => Of(Single(a) - Single(b)),
        "mul.rn.f32" => (a, b, _) => Of(Single(a) * Single(b)),
        "div.rn.f32" => (a, b, _) => Of(Single(a) / Single(b)),
        "fma.rn.f32" => (a, b, c) => Of(MathF.FusedMultiplyAdd(Single(a), Single(b), Single(c))),
        "sqrt.rn.f32" => (a, _, _) => Of(MathF.Sqrt(Single(a))),
        "rcp.rn.f32" => (a, _, _) => Of(1f / Single(a)),
        "neg.f32" => (a, _, _) => a ^ 0x80000000,
        "abs.f32" => (a, _, _) => a & 0x7FFFFFFF,
        "add.rn.f64" => (a, b, _) => Of(Double(a) + Double(b)),
        "sub.rn.f64" => (a, b, _) => Of(Double(a) - Double(b)),

        // The number, where one operand is NaN; +0 above −0.
        "min.f32" => (a, b, _) => Of(MinNumber(Single(a), Single(b))),
        "max.f32" => (a, b, _) => Of(-MinNumber(-Single(a), -Single(b))),
        _ => null,
    };

    private static Func<ulong, ulong, ulong, ulong>? FindOther(string[] words, string type)
    {
        long I(ulong bits) => PtxTypes.Integer(type, bits);
        ulong Cut(long value) => PtxTypes.Cut(type, (ulong)value);
        int width = words[0] == "cvta" || !char.IsDigit(type[^1]) ? 64 : PtxTypes.Bits(type);
        switch (words[0])
        {
            case "mov":
                return (a, _, _) => PtxTypes.Cut(type, a);
            case "cvta":
                return (a, _, _) => a;
            case "selp":
                return (a, b, p) => (p & 1) != 0 ? a : b;
            case "add":
                return (a, b, _) => Cut(I(a) + I(b));
            case "sub":
                return (a, b, _) => Cut(I(a) - I(b));
            case "mul" when words[1] == "lo":
                return (a, b, _) => Cut(I(a) * I(b));
            case "mul" when words[1] == "wide":
                return (a, b, _) => (ulong)(I(a) * I(b));
            case "mul" when words[1] == "hi" && width == 32:
                return (a, b, _) => Cut((I(a) * I(b)) >> 32);
            case "mad" when words[1] == "lo":
                return (a, b, c) => Cut((I(a) * I(b)) + I(c));
            case "mad" when words[1] == "wide":
                return (a, b, c) => (ulong)(I(a) * I(b)) + c;
            case "and":
                return (a, b, _) => PtxTypes.Cut(type, a & b);
            case "or":
                return (a, b, _) => PtxTypes.Cut(type, a | b);
            case "xor":
                return (a, b, _) => PtxTypes.Cut(type, a ^ b);
            case "not":
                return (a, _, _) => PtxTypes.Cut(type, ~a);
            case "neg":
                return (a, _, _) => Cut(-I(a));
            case "abs":
                return (a, _, _) => Cut(Math.Abs(I(a)));
            case "min":
                return (a, b, _) => Less(type, a, b) ? a : b;
            case "max":
                return (a, b, _) => Less(type, a, b) ? b : a;
            case "shl":
                return (a, b, _) => (uint)b >= width ? 0 : PtxTypes.Cut(type, a << (int)b);
            case "shr":
                return (a, b, _) => Cut(Shift(type, I(a), Math.Min((int)Math.Min((uint)b, 64u), width)));
            case "prmt" when words.Length == 2:
                return Permute;
            case "popc":
                return (a, _, _) => (ulong)BitOperations.PopCount(PtxTypes.Cut(type, a));
            case "clz":
                return (a, _, _) => (ulong)(BitOperations.LeadingZeroCount(PtxTypes.Cut(type, a)) - (64 - width));
            case "cvt":
                return Convert(words);
            case "setp":
                return Compare(words[1], type);
            case "testp" when words[1] == "notanumber" && type == "f64":
                return (a, _, _) => double.IsNaN(Double(a)) ? 1ul : 0;
            case "testp" when words[1] == "notanumber":
                return (a, _, _) => float.IsNaN(Single(a)) ? 1ul : 0;
            case "testp" when words[1] == "infinite":
                return (a, _, _) => float.IsInfinity(Single(a)) ? 1ul : 0;
            case "testp" when words[1] == "finite":
                return (a, _, _) => float.IsFinite(Single(a)) ? 1ul : 0;
            default:
                return null;
        }
    }

    /// <summary>Byte i of the result is the byte of b:a that nibble i of the selector names.</summary>
    private static ulong Permute(ulong a, ulong b, ulong selector)
    {
        ulong bytes = (b << 32) | (uint)a, result = 0;
        for (int i = 0; i < 4; i++)
        {
            ulong choice = (selector >> (4 * i)) & 15;
            if (choice > 7)
            {
                throw new NotSupportedException("prmt with a sign");
            }

            result |= ((bytes >> (8 * (int)choice)) & 0xFF) << (8 * i);
        }

        return result;
    }

    private static ulong Pair(ulong a, ulong b)
    {
        static ulong Half(ulong a, ulong b) =>
            BFloat16.FromSingle(BFloat16.ToSingle((ushort)a) * BFloat16.ToSingle((ushort)b));
        return Half(a, b) | (Half(a >> 16, b >> 16) << 16);
    }

    private static long Shift(string type, long value, int by) =>
        by >= 64 ? (type[0] == 's' && value < 0 ? -1 : 0) : type[0] == 's' ? value >> by : (long)((ulong)value >> by);

    private static bool Less(string type, ulong a, ulong b) => type[0] == 's'
        ? PtxTypes.Integer(type, a) < PtxTypes.Integer(type, b)
        : PtxTypes.Cut(type, a) < PtxTypes.Cut(type, b);

    private static Func<ulong, ulong, ulong, ulong> Convert(string[] words)
    {
        string from = words[^1], to = words[^2];
        if (!PtxTypes.IsFloat(from) && !PtxTypes.IsFloat(to))
        {
            // A narrow result is extended to the register by the sign of its type.
            string kept = to[0] == 's' && PtxTypes.Bits(to) < 32 ? "b32" : to;
            return (a, _, _) =>
                PtxTypes.Cut(kept, (ulong)PtxTypes.Integer(to, (ulong)PtxTypes.Integer(from, a)));
        }

        return string.Join('.', words) switch
        {
            "cvt.rn.f32.s32" => (a, _, _) => Of((int)a),
            "cvt.rn.f32.s64" => (a, _, _) => Of((long)a),
            "cvt.f64.f32" => (a, _, _) => Of((double)Single(a)),
            "cvt.rn.f32.f64" => (a, _, _) => Of((float)Double(a)),
            "cvt.rzi.s32.f32" => (a, _, _) => (uint)Saturate(MathF.Truncate(Single(a))),
            "cvt.rni.s32.f32" => (a, _, _) => (uint)Saturate(MathF.Round(Single(a), MidpointRounding.ToEven)),
            string other => throw new NotSupportedException(other),
        };
    }

    private static int Saturate(float value) => float.IsNaN(value)
        ? 0
        : value >= 2147483648f ? int.MaxValue : value < -2147483648f ? int.MinValue : (int)value;

    private static Func<ulong, ulong, ulong, ulong> Compare(string relation, string type)
    {
        if (!PtxTypes.IsFloat(type))
        {
            return relation switch
            {
                "eq" => (a, b, _) => Flag(PtxTypes.Cut(type, a) == PtxTypes.Cut(type, b)),
                "ne" => (a, b, _) => Flag(PtxTypes.Cut(type, a) != PtxTypes.Cut(type, b)),
                "lt" or "lo" => (a, b, _) => Flag(Less(type, a, b)),
                "le" or "ls" => (a, b, _) => Flag(!Less(type, b, a)),
                "gt" or "hi" => (a, b, _) => Flag(Less(type, b, a)),
                "ge" or "hs" => (a, b, _) => Flag(!Less(type, a, b)),
                _ => throw new NotSupportedException($"setp.{relation}.{type}"),
            };
        }

        Func<ulong, double> read = type == "f64" ? Double : bits => Single(bits); // widening keeps order
        return relation switch
        {
            "eq" => (a, b, _) => Flag(read(a) == read(b)),
            "lt" => (a, b, _) => Flag(read(a) < read(b)),
            "le" => (a, b, _) => Flag(read(a) <= read(b)),
            "gt" => (a, b, _) => Flag(read(a) > read(b)),
            "ge" => (a, b, _) => Flag(read(a) >= read(b)),
            "ne" => (a, b, _) => Flag(read(a) < read(b) || read(a) > read(b)), // false for NaN
            "equ" => (a, b, _) => Flag(!(read(a) < read(b) || read(a) > read(b))),
            "neu" => (a, b, _) => Flag(read(a) != read(b)),
            "ltu" => (a, b, _) => Flag(!(read(a) >= read(b))),
            "leu" => (a, b, _) => Flag(!(read(a) > read(b))),
            "gtu" => (a, b, _) => Flag(!(read(a) <= read(b))),
            "geu" => (a, b, _) => Flag(!(read(a) < read(b))),
            "nan" => (a, b, _) => Flag(double.IsNaN(read(a)) || double.IsNaN(read(b))),
            _ => throw new NotSupportedException($"setp.{relation}.{type}"),
        };
    }

    private static float MinNumber(float a, float b) => float.IsNaN(a) ? b : float.IsNaN(b) ? a : MathF.Min(a, b);

    private static ulong Flag(bool value) => value ? 1ul : 0;

    private static float Single(ulong bits) => PtxTypes.Single(bits);

    private static ulong Of(float value) => PtxTypes.BitsOf(value);

    private static double Double(ulong bits) => BitConverter.UInt64BitsToDouble(bits);

    private static ulong Of(double value) => BitConverter.DoubleToUInt64Bits(value);
}
