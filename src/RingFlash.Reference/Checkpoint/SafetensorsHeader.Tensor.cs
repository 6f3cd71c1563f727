using System;
using System.Buffers.Text;
using System.Collections.Generic;
using System.Text;
using System.Text.Json;

namespace RingFlash.Reference.Checkpoint;

// The value of one tensor's name: dtype, shape and data_offsets, each exactly once, and that the three agree.
internal sealed partial class SafetensorsHeader
{
    private Entry ReadTensor(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Tensor(name, reader.TokenStartIndex, $"the value must be an object, found {reader.TokenType}");
        }

        ElementType? elementType = null;
        long[]? shape = null;
        (ulong Begin, ulong End)? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool twice;
            if (reader.ValueTextEquals("dtype"u8))
            {
                twice = elementType is not null;
                elementType = ReadElementType(ref reader, name);
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                twice = shape is not null;
                shape = ReadShape(ref reader, name);
            }
            else if (reader.ValueTextEquals("data_offsets"u8))
            {
                twice = offsets is not null;
                offsets = ReadOffsets(ref reader, name);
            }
            else
            {
                throw Tensor(
                    name,
                    reader.TokenStartIndex,
                    $"unknown key \"{Shown(ReadName(ref reader, "key"))}\"; known: dtype, shape, data_offsets");
            }

            if (twice)
            {
                throw Tensor(name, reader.TokenStartIndex, "dtype, shape or data_offsets occurs twice");
            }
        }

        if (elementType is null || shape is null || offsets is null)
        {
            string missing = elementType is null ? "dtype" : shape is null ? "shape" : "data_offsets";
            throw Tensor(name, reader.TokenStartIndex, $"{missing} is missing");
        }

        ulong length = CheckedByteLength(reader.TokenStartIndex, name, elementType.Value, shape);
        (ulong begin, ulong end) = offsets.Value;
        if (length != end - begin)
        {
            throw Tensor(
                name,
                reader.TokenStartIndex,
                $"shape {TensorInfo.FormatShape(shape)} of {elementType.Value.HeaderName()} needs {length} bytes, "
                + $"data_offsets [{begin}, {end}] hold {end - begin}");
        }

        return new Entry(new TensorInfo(name, elementType.Value, shape), (long)begin, (long)end);
    }

    private ElementType ReadElementType(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            throw Tensor(name, reader.TokenStartIndex, $"dtype must be a string, found {reader.TokenType}");
        }

        string text = ReadName(ref reader, "dtype");
        return ElementTypes.TryParse(text, out ElementType? type)
            ? type.Value
            : throw Tensor(
                name,
                reader.TokenStartIndex,
                $"dtype \"{Shown(text)}\" is not one that is read; known: {ElementTypes.KnownNames}");
    }

    private long[] ReadShape(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Tensor(name, reader.TokenStartIndex, $"shape must be an array, found {reader.TokenType}");
        }

        List<long> axes = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (axes.Count == MaximumRank)
            {
                throw Tensor(name, reader.TokenStartIndex, $"rank above {MaximumRank}");
            }

            ulong axis = ReadInteger(ref reader, name, "shape");
            if (axis > long.MaxValue)
            {
                throw Tensor(name, reader.TokenStartIndex, $"shape: axis {axis} overflows 63 bits");
            }

            axes.Add((long)axis);
        }

        return [.. axes];
    }

    private (ulong Begin, ulong End) ReadOffsets(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Tensor(name, reader.TokenStartIndex, $"data_offsets must be an array, found {reader.TokenType}");
        }

        Span<ulong> offsets = stackalloc ulong[2];
        int count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            ulong offset = ReadInteger(ref reader, name, "data_offsets");
            if (count == 2)
            {
                throw Tensor(name, reader.TokenStartIndex, "data_offsets must be two numbers, found more");
            }

            offsets[count++] = offset;
        }

        if (count != 2)
        {
            throw Tensor(name, reader.TokenStartIndex, $"data_offsets must be two numbers, found {count}");
        }

        if (offsets[1] < offsets[0])
        {
            throw Tensor(
                name,
                reader.TokenStartIndex,
                $"data_offsets [{offsets[0]}, {offsets[1]}]: the end lies before the begin");
        }

        if (offsets[1] > dataLength)
        {
            throw Tensor(
                name,
                reader.TokenStartIndex,
                $"data_offsets [{offsets[0]}, {offsets[1]}] lie beyond the {dataLength} bytes of data in the file");
        }

        return (offsets[0], offsets[1]);
    }

    // The raw token is checked, because every typed getter is kinder than the format: -0, 1.0 and 1e2 would pass.
    private ulong ReadInteger(ref Utf8JsonReader reader, string name, string key)
    {
        if (reader.TokenType != JsonTokenType.Number)
        {
            throw Tensor(
                name,
                reader.TokenStartIndex,
                $"{key} must hold plain non-negative integers, found {reader.TokenType}");
        }

        ReadOnlySpan<byte> digits = reader.ValueSpan;
        string shown = Encoding.ASCII.GetString(digits[..Math.Min(digits.Length, 40)]);
        if (digits.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
        {
            throw Tensor(
                name,
                reader.TokenStartIndex,
                $"{key} must hold plain non-negative integers, found {shown}");
        }

        if (!Utf8Parser.TryParse(digits, out ulong value, out int consumed) || consumed != digits.Length)
        {
            throw Tensor(name, reader.TokenStartIndex, $"{key}: {shown} overflows 64 bits");
        }

        return value;
    }

    private ulong CheckedByteLength(long position, string name, ElementType elementType, long[] shape)
    {
        try
        {
            ulong count = 1;
            foreach (long axis in shape)
            {
                count = checked(count * (ulong)axis);
            }

            ulong bytes = checked(count * (ulong)elementType.ByteCount());
            return bytes <= long.MaxValue ? bytes : throw new OverflowException();
        }
        catch (OverflowException)
        {
            throw Tensor(
                name,
                position,
                $"shape {TensorInfo.FormatShape(shape)}: overflow, its size does not fit 63 bits");
        }
    }
}
