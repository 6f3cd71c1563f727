using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>Widens stored elements to float32; exact for each of the four types: no read hides a rounding.</summary>
internal static class ElementWidening
{
    private static readonly float[] Float8E4M3Values = BuildFloat8E4M3();

    /// <summary>Whether float32 holds every value of a type and <see cref="Widen"/> knows it.</summary>
    /// <param name="elementType">The element type.</param>
    /// <returns>True for F32, BF16, F16 and F8_E4M3.</returns>
    public static bool CanWiden(ElementType elementType) =>
        elementType is ElementType.Float32 or ElementType.BFloat16 or ElementType.Float16 or ElementType.Float8E4M3;

    /// <summary>Widens a run of elements.</summary>
    /// <param name="elementType">How <paramref name="source"/> is stored.</param>
    /// <param name="source">[count × bytes per element], little-endian, read.</param>
    /// <param name="destination">[count], float32, written.</param>
    public static void Widen(ElementType elementType, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (elementType)
        {
            case ElementType.Float32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case ElementType.BFloat16:
                WidenBFloat16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case ElementType.Float16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(source);
                for (int index = 0; index < destination.Length; index++)
                {
                    destination[index] = (float)halves[index];
                }

                break;
            case ElementType.Float8E4M3:
                for (int index = 0; index < destination.Length; index++)
                {
                    destination[index] = Float8E4M3Values[source[index]];
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(elementType));
        }
    }

    private static void WidenBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int index = 0;
        for (; index <= destination.Length - Vector512<ushort>.Count; index += Vector512<ushort>.Count)
        {
            Vector512<ushort> bits = Vector512.Create(source.Slice(index, Vector512<ushort>.Count));
            (Vector512<uint> lower, Vector512<uint> upper) = Vector512.Widen(bits);
            Vector512.ShiftLeft(lower, 16).AsSingle().CopyTo(destination[index..]);
            Vector512.ShiftLeft(upper, 16).AsSingle().CopyTo(destination[(index + Vector512<uint>.Count)..]);
        }

        for (; index < destination.Length; index++)
        {
            destination[index] = BFloat16.ToSingle(source[index]);
        }
    }

    // e4m3fn: 1 sign, 4 exponent (bias 7), 3 fraction bits; exponent 0 is subnormal; no infinity; all ones is NaN.
    private static float[] BuildFloat8E4M3()
    {
        float[] values = new float[256];
        for (int code = 0; code < values.Length; code++)
        {
            int exponent = (code >> 3) & 15;
            int fraction = code & 7;
            float magnitude = (exponent, fraction) switch
            {
                (15, 7) => float.NaN,
                (0, _) => MathF.ScaleB(fraction, -6 - 3),
                _ => MathF.ScaleB(8 + fraction, exponent - 7 - 3),
            };
            values[code] = (code & 0x80) == 0 ? magnitude : -magnitude;
        }

        return values;
    }
}
