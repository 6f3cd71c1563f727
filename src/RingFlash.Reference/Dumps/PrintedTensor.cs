using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// A tensor as PyTorch prints it: <c>tensor([[1.0000e+00, …]], dtype=torch.bfloat16)</c>. Five significant digits
/// name a bfloat16 or float16 exactly; a float32 is known to five digits only. Above 1000 elements values are left out.
/// </summary>
internal static class PrintedTensor
{
    private const string Opening = "tensor(";

    /// <summary>Reads the values.</summary>
    /// <param name="text">The lines, joined.</param>
    /// <param name="type">The element type.</param>
    /// <param name="count">The number of elements that the shape states.</param>
    /// <param name="bytes">[count × bytes per element], little-endian, when all values are there.</param>
    /// <returns>Null, or what is wrong with the text.</returns>
    public static string? TryParse(string text, ElementType type, long count, out byte[] bytes)
    {
        bytes = [];
        if (!text.StartsWith(Opening, StringComparison.Ordinal))
        {
            return "the printed value does not begin with \"tensor(\"";
        }

        string[] words = Values(text);
        if (words.Contains("..."))
        {
            return "PyTorch printed only a part of it (above 1000 elements); dump with use_repr=False";
        }

        if (words.Length != count)
        {
            return $"{words.Length} printed values, the shape has {count} elements";
        }

        byte[] result = new byte[count * type.ByteCount()];
        for (int index = 0; index < words.Length; index++)
        {
            if (!TryWrite(words[index], type, result.AsSpan(index * type.ByteCount(), type.ByteCount())))
            {
                return $"\"{Names.Shown(words[index])}\" is no value of {type.HeaderName()}";
            }
        }

        bytes = result;
        return null;
    }

    // The brackets only group; the shape is stated beside. Behind the outermost pair follow dtype, device and so on.
    private static string[] Values(string text)
    {
        int depth = 0, end = Opening.Length;
        for (; end < text.Length; end++)
        {
            depth += text[end] switch { '[' => 1, ']' => -1, _ => 0 };
            if ((depth == 0 && text[end] is ']' or ')') || (depth == 0 && text[end] == ','))
            {
                break;
            }
        }

        char[] separators = ['[', ']', ',', ' ', '\n', '\t'];
        return text[Opening.Length..end].Split(separators, StringSplitOptions.RemoveEmptyEntries);
    }

    private static bool TryWrite(string word, ElementType type, Span<byte> target)
    {
        if (type == ElementType.Boolean)
        {
            target[0] = word == "True" ? (byte)1 : (byte)0;
            return word is "True" or "False";
        }

        if (StoredElements.IsInteger(type))
        {
            bool isInteger = long.TryParse(
                word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer);
            Span<byte> wide = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(wide, integer);
            wide[..target.Length].CopyTo(target);
            return isInteger;
        }

        double number = word switch
        {
            "nan" => double.NaN,
            "inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            _ => double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed)
                ? parsed
                : double.MinValue,
        };
        switch (type)
        {
            case ElementType.Float64:
                BinaryPrimitives.WriteDoubleLittleEndian(target, number);
                break;
            case ElementType.Float32:
                BinaryPrimitives.WriteSingleLittleEndian(target, (float)number);
                break;
            case ElementType.Float16:
                BinaryPrimitives.WriteHalfLittleEndian(target, (Half)number);
                break;
            case ElementType.BFloat16:
                BinaryPrimitives.WriteUInt16LittleEndian(target, BFloat16.FromSingle((float)number));
                break;
            default:
                return false;
        }

        return number != double.MinValue;
    }
}
