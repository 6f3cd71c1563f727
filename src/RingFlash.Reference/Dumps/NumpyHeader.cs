using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// The header of NumPy's <c>.npy</c> format, versions 1.0 to 3.0: magic, version, length, and a Python dictionary of
/// exactly <c>descr</c>, <c>fortran_order</c> and <c>shape</c>. The dictionary is read by its own small grammar.
/// </summary>
/// <remarks>
/// <para>Read: <c>b1, i1, i2, i4, i8, u1, u2, u4, u8, f2, f4, f8</c>, either byte order, C and Fortran order.
/// Refused by name: object arrays (a pickle), structured, complex, text and void types.</para>
/// <para>Source: numpy/numpy, numpy/lib/format.py, module documentation.</para>
/// </remarks>
internal sealed record NumpyHeader(
    ElementType ElementType, bool IsBigEndian, bool IsFortranOrder, long[] Shape, int DataStart)
{
    /// <summary>The longest header in bytes; NumPy itself warns above 10 000.</summary>
    public const int MaximumLength = 1 << 16;

    /// <summary>The most axes, as in a safetensors file.</summary>
    public const int MaximumRank = 16;

    private const int PrefixLength = 12; // magic 6, version 2, length 2 or 4

    /// <summary>The first bytes of every <c>.npy</c> file.</summary>
    public static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads and checks a header, and that the data behind it has exactly the size that it states.</summary>
    /// <param name="source">The whole file or entry.</param>
    /// <returns>The header.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    public static NumpyHeader Read(ByteSource source)
    {
        if (source.Length < PrefixLength)
        {
            throw new InvalidInputException(
                source.Name, "byte 0", $"{source.Length} bytes: shorter than any .npy header");
        }

        Span<byte> prefix = stackalloc byte[PrefixLength];
        source.ReadExactly(0, prefix);
        if (!prefix.StartsWith(Magic))
        {
            throw new InvalidInputException(source.Name, "byte 0", "not a .npy file: \\x93NUMPY is missing");
        }

        int version = prefix[6];
        if (version is < 1 or > 3 || prefix[7] != 0)
        {
            throw new InvalidInputException(
                source.Name, "byte 6", $"version {version}.{prefix[7]}; 1.0, 2.0 and 3.0 are read");
        }

        int textStart = version == 1 ? 10 : 12;
        long length = version == 1
            ? BinaryPrimitives.ReadUInt16LittleEndian(prefix[8..])
            : BinaryPrimitives.ReadUInt32LittleEndian(prefix[8..]);
        if (length > MaximumLength)
        {
            throw new InvalidInputException(
                source.Name, "byte 8", $"header length {length} is above the limit of {MaximumLength}");
        }

        if (length > source.Length - textStart)
        {
            throw new InvalidInputException(
                source.Name,
                "byte 8",
                $"header length {length} is larger than the {source.Length - textStart} bytes that follow it");
        }

        byte[] bytes = new byte[length];
        source.ReadExactly(textStart, bytes);
        NumpyHeader header = new Parser(source.Name, Encoding.Latin1.GetString(bytes), textStart).Parse();
        header.CheckLength(source);
        return header;
    }

    /// <summary>Elements from one index to the next along each axis; null when they lie side by side.</summary>
    /// <returns>The strides of Fortran order, or null.</returns>
    public long[]? Strides()
    {
        if (!IsFortranOrder || Shape.Count(axis => axis > 1) < 2)
        {
            return null;
        }

        long[] strides = new long[Shape.Length];
        long stride = 1;
        for (int axis = 0; axis < Shape.Length; axis++)
        {
            strides[axis] = stride;
            stride *= Shape[axis];
        }

        return strides;
    }

    private void CheckLength(ByteSource source)
    {
        ulong bytes = (ulong)ElementType.ByteCount();
        try
        {
            foreach (long axis in Shape)
            {
                bytes = checked(bytes * (ulong)axis);
            }
        }
        catch (OverflowException)
        {
            bytes = ulong.MaxValue;
        }

        if (bytes != (ulong)(source.Length - DataStart))
        {
            throw new InvalidInputException(
                source.Name,
                $"byte {DataStart}",
                $"shape {TensorInfo.FormatShape(Shape)} of {ElementType.HeaderName()} needs "
                + (bytes == ulong.MaxValue ? "more than 64 bits of" : bytes.ToString(CultureInfo.InvariantCulture))
                + $" bytes, {source.Length - DataStart} follow the header");
        }
    }

    // Python literals of three kinds: text in quotes without escapes, True or False, a tuple of plain integers.
    private sealed class Parser(string source, string text, int textStart)
    {
        private int position;

        public NumpyHeader Parse()
        {
            (ElementType Type, bool IsBigEndian)? descr = null;
            bool? fortranOrder = null;
            long[]? shape = null;
            Expect('{');
            while (!Accept('}'))
            {
                string key = ReadText("a key");
                Expect(':');
                bool twice;
                switch (key)
                {
                    case "descr":
                        twice = descr is not null;
                        descr = ReadDescr();
                        break;
                    case "fortran_order":
                        twice = fortranOrder is not null;
                        fortranOrder = ReadTruth();
                        break;
                    case "shape":
                        twice = shape is not null;
                        shape = ReadShape();
                        break;
                    default:
                        throw Broken($"unknown key \"{Names.Shown(key)}\"; known: descr, fortran_order, shape");
                }

                if (twice)
                {
                    throw Broken($"{key} occurs twice");
                }

                if (!Accept(','))
                {
                    Expect('}');
                    break;
                }
            }

            SkipSpace();
            if (position < text.Length)
            {
                throw Broken("text after the dictionary");
            }

            if (descr is null || fortranOrder is null || shape is null)
            {
                string missing = descr is null ? "descr" : fortranOrder is null ? "fortran_order" : "shape";
                throw Broken($"{missing} is missing");
            }

            return new NumpyHeader(
                descr.Value.Type, descr.Value.IsBigEndian, fortranOrder.Value, shape, textStart + text.Length);
        }

        private (ElementType Type, bool IsBigEndian) ReadDescr()
        {
            SkipSpace();
            if (position < text.Length && text[position] is '[' or '(' or '{')
            {
                throw Broken("a structured type is refused");
            }

            string descr = ReadText("descr");
            string shown = $"type \"{Names.Shown(descr)}\"";
            char order = descr.Length > 1 ? descr[0] : '\0';
            ElementType? type = (order is '<' or '>' or '|' or '=' ? descr[1..] : descr) switch
            {
                "b1" => ElementType.Boolean,
                "i1" => ElementType.Int8,
                "i2" => ElementType.Int16,
                "i4" => ElementType.Int32,
                "i8" => ElementType.Int64,
                "u1" => ElementType.UInt8,
                "u2" => ElementType.UInt16,
                "u4" => ElementType.UInt32,
                "u8" => ElementType.UInt64,
                "f2" => ElementType.Float16,
                "f4" => ElementType.Float32,
                "f8" => ElementType.Float64,
                _ => null,
            };
            if (type is null)
            {
                throw Broken(descr.TrimStart('<', '>', '|', '=') switch
                {
                    "O" or "O4" or "O8" => $"{shown}: an object array is a pickle, which may run code; refused",
                    "V2" or "V1" => $"{shown}: raw bytes of a type that NumPy lacks (bfloat16, float8?); "
                        + "save as float32 or as safetensors",
                    "c8" or "c16" => $"{shown}: complex numbers are not read",
                    _ => $"{shown} is not read; known: b1, i1, i2, i4, i8, u1, u2, u4, u8, f2, f4, f8",
                });
            }

            if (order is not ('<' or '>') && type.Value.ByteCount() > 1)
            {
                throw Broken($"{shown} states no byte order");
            }

            return (type.Value, order == '>');
        }

        private long[] ReadShape()
        {
            Expect('(');
            List<long> axes = [];
            while (!Accept(')'))
            {
                SkipSpace();
                int start = position;
                while (position < text.Length && char.IsAsciiDigit(text[position]))
                {
                    position++;
                }

                ReadOnlySpan<char> digits = text.AsSpan(start, position - start);
                if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long axis))
                {
                    throw Broken("shape must hold plain non-negative integers of 63 bits");
                }

                if (axes.Count == MaximumRank)
                {
                    throw Broken($"rank above {MaximumRank}");
                }

                axes.Add(axis);
                if (!Accept(','))
                {
                    Expect(')');
                    break;
                }
            }

            return [.. axes];
        }

        private bool ReadTruth()
        {
            SkipSpace();
            foreach ((string word, bool value) in new[] { ("True", true), ("False", false) })
            {
                if (text.AsSpan(position).StartsWith(word, StringComparison.Ordinal))
                {
                    position += word.Length;
                    return value;
                }
            }

            throw Broken("fortran_order must be True or False");
        }

        private string ReadText(string what)
        {
            SkipSpace();
            char quote = position < text.Length ? text[position] : '\0';
            int end = quote is '\'' or '"' ? text.IndexOf(quote, position + 1) : -1;
            if (end < 0)
            {
                throw Broken($"{what} must be a text in quotes");
            }

            string value = text[(position + 1)..end];
            position = end + 1;
            return value;
        }

        private void Expect(char character)
        {
            if (!Accept(character))
            {
                throw Broken(
                    position < text.Length
                        ? $"expected '{character}', found '{text[position]}'"
                        : $"expected '{character}', found the end of the header");
            }
        }

        private bool Accept(char character)
        {
            SkipSpace();
            if (position >= text.Length || text[position] != character)
            {
                return false;
            }

            position++;
            return true;
        }

        private void SkipSpace()
        {
            while (position < text.Length && text[position] is ' ' or '\t' or '\n' or '\r')
            {
                position++;
            }
        }

        private InvalidInputException Broken(string rule) => new(source, $"byte {textStart + position}", rule);
    }
}
