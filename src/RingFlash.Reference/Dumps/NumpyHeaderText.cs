using System;
using System.Collections.Generic;
using System.Globalization;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// The text of a <c>.npy</c> header: a Python dictionary with literals of three kinds, text in quotes without escapes,
/// <c>True</c> or <c>False</c>, a tuple of plain integers.
/// </summary>
/// <param name="source">The file or entry, for messages.</param>
/// <param name="text">The header without its prefix.</param>
/// <param name="textStart">Where it begins in the file.</param>
internal sealed class NumpyHeaderText(string source, string text, int textStart)
{
    private int position;

    /// <summary>Reads the dictionary.</summary>
    /// <returns>The header; its size is not yet compared with the data.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
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

            if (axes.Count == NumpyHeader.MaximumRank)
            {
                throw Broken($"rank above {NumpyHeader.MaximumRank}");
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
