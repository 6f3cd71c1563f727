using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Dumps;

/// <summary>Converts little-endian stored elements of every type to float32 or int64.</summary>
internal static class StoredElements
{
    private static readonly float[] Float8E5M2Values = BuildFloat8E5M2();

    /// <summary>Whether a type holds integers or truth values.</summary>
    /// <param name="type">The element type.</param>
    /// <returns>True for BOOL and all I and U types.</returns>
    public static bool IsInteger(ElementType type) => type
        is ElementType.Boolean
        or ElementType.Int8 or ElementType.Int16 or ElementType.Int32 or ElementType.Int64
        or ElementType.UInt8 or ElementType.UInt16 or ElementType.UInt32 or ElementType.UInt64;

    /// <summary>Converts to float32: exact where float32 holds the value, else to the nearest, ties to even.</summary>
    /// <param name="type">How <paramref name="source"/> is stored.</param>
    /// <param name="source">[count × bytes per element], little-endian, read.</param>
    /// <param name="destination">[count], float32, written.</param>
    public static void ToSingle(ElementType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case ElementType.Float64:
                Each<double>(source, destination, static value => (float)value);
                break;
            case ElementType.Float8E5M2:
                Each<byte>(source, destination, static value => Float8E5M2Values[value]);
                break;
            case ElementType.Boolean:
                Each<byte>(source, destination, static value => value == 0 ? 0f : 1f);
                break;
            case ElementType.UInt8:
                Each<byte>(source, destination, static value => value);
                break;
            case ElementType.Int8:
                Each<sbyte>(source, destination, static value => value);
                break;
            case ElementType.UInt16:
                Each<ushort>(source, destination, static value => value);
                break;
            case ElementType.Int16:
                Each<short>(source, destination, static value => value);
                break;
            case ElementType.UInt32:
                Each<uint>(source, destination, static value => value);
                break;
            case ElementType.Int32:
                Each<int>(source, destination, static value => value);
                break;
            case ElementType.UInt64:
                Each<ulong>(source, destination, static value => value);
                break;
            case ElementType.Int64:
                Each<long>(source, destination, static value => value);
                break;
            default:
                ElementWidening.Widen(type, source, destination);
                break;
        }
    }

    /// <summary>Converts integers and truth values to int64.</summary>
    /// <param name="type">How <paramref name="source"/> is stored.</param>
    /// <param name="source">[count × bytes per element], little-endian, read.</param>
    /// <param name="destination">[count], int64, written.</param>
    /// <returns>The index of a U64 value that int64 does not hold, or −1.</returns>
    public static int ToInt64(ElementType type, ReadOnlySpan<byte> source, Span<long> destination)
    {
        switch (type)
        {
            case ElementType.Boolean:
                Each<byte>(source, destination, static value => value == 0 ? 0 : 1);
                break;
            case ElementType.UInt8:
                Each<byte>(source, destination, static value => value);
                break;
            case ElementType.Int8:
                Each<sbyte>(source, destination, static value => value);
                break;
            case ElementType.UInt16:
                Each<ushort>(source, destination, static value => value);
                break;
            case ElementType.Int16:
                Each<short>(source, destination, static value => value);
                break;
            case ElementType.UInt32:
                Each<uint>(source, destination, static value => value);
                break;
            case ElementType.Int32:
                Each<int>(source, destination, static value => value);
                break;
            case ElementType.Int64:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case ElementType.UInt64:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                return destination.IndexOfAnyInRange(long.MinValue, -1);
            default:
                throw new ArgumentOutOfRangeException(nameof(type));
        }

        return -1;
    }

    /// <summary>Turns big-endian elements into little-endian ones, in place.</summary>
    /// <param name="bytes">[count × size], bytes, read and written.</param>
    /// <param name="size">The bytes of an element.</param>
    public static void ReverseEndianness(Span<byte> bytes, int size)
    {
        switch (size)
        {
            case 2:
                Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                BinaryPrimitives.ReverseEndianness(halves, halves);
                break;
            case 4:
                Span<uint> words = MemoryMarshal.Cast<byte, uint>(bytes);
                BinaryPrimitives.ReverseEndianness(words, words);
                break;
            case 8:
                Span<ulong> longs = MemoryMarshal.Cast<byte, ulong>(bytes);
                BinaryPrimitives.ReverseEndianness(longs, longs);
                break;
            default:
                break; // single bytes have no order
        }
    }

    private static void Each<T>(ReadOnlySpan<byte> source, Span<float> destination, Func<T, float> convert)
        where T : unmanaged
    {
        ReadOnlySpan<T> values = MemoryMarshal.Cast<byte, T>(source);
        for (int index = 0; index < destination.Length; index++)
        {
            destination[index] = convert(values[index]);
        }
    }

    private static void Each<T>(ReadOnlySpan<byte> source, Span<long> destination, Func<T, long> convert)
        where T : unmanaged
    {
        ReadOnlySpan<T> values = MemoryMarshal.Cast<byte, T>(source);
        for (int index = 0; index < destination.Length; index++)
        {
            destination[index] = convert(values[index]);
        }
    }

    // E5M2 is the upper byte of a binary16.
    private static float[] BuildFloat8E5M2()
    {
        float[] values = new float[256];
        for (int code = 0; code < values.Length; code++)
        {
            values[code] = (float)BitConverter.UInt16BitsToHalf((ushort)(code << 8));
        }

        return values;
    }
}
