// Red here: weights are read wrongly, or the published bfloat16 rounding points round to the wrong neighbour.
using System;
using System.Collections.Generic;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class BFloat16Tests
{
    [Fact]
    public void EveryCodeRoundTrips()
    {
        for (int code = 0; code <= ushort.MaxValue; code++)
        {
            float value = BFloat16.ToSingle((ushort)code);
            Assert.Equal((uint)code << 16, BitConverter.SingleToUInt32Bits(value));
            int expected = float.IsNaN(value) ? code | 0x40 : code; // narrowing quiets a signalling NaN
            Assert.Equal(expected, BFloat16.FromSingle(value));
        }
    }

    [Fact]
    public void MidpointsAndNeighboursRoundAsTheDefinitionSays()
    {
        int tested = 0;
        foreach (uint bits in MidpointsAndNeighbours())
        {
            float value = BitConverter.UInt32BitsToSingle(bits);
            float expected = NearestEven(value);
            float actual = BFloat16.Round(value);
            if (BitConverter.SingleToUInt32Bits(expected) != BitConverter.SingleToUInt32Bits(actual))
            {
                Assert.Fail($"0x{bits:X8} rounds to {actual:R}, the definition says {expected:R}");
            }

            tested++;
        }

        Assert.Equal(2 * 0x7F80 * 5, tested);
    }

    [Theory]
    [InlineData(0x7F7FFFFFu, 0x7F80)] // the largest float32 is past the midpoint: infinity
    [InlineData(0x7F7F7FFFu, 0x7F7F)]
    [InlineData(0xFF7F8000u, 0xFF80)] // the midpoint above an odd code goes up, here to infinity
    [InlineData(0x7F800000u, 0x7F80)]
    [InlineData(0x7F800001u, 0x7FC0)] // a NaN whose payload would be cut off stays a NaN
    [InlineData(0xFFFFFFFFu, 0xFFFF)] // and one that rounding would carry into zero too
    [InlineData(0x00000000u, 0x0000)]
    [InlineData(0x80000000u, 0x8000)]
    [InlineData(0x00008000u, 0x0000)] // half the smallest subnormal: tie to zero
    [InlineData(0x00008001u, 0x0001)]
    public void SpecialValues(uint bits, int code) =>
        Assert.Equal(code, BFloat16.FromSingle(BitConverter.UInt32BitsToSingle(bits)));

    [Fact]
    public void ARunNarrowsAsItsElementsDo()
    {
        float[] values = new float[4 * 65536];
        for (int index = 0; index < values.Length; index++)
        {
            // Every upper half, with lower halves below, at and above the midpoint.
            uint lower = (index & 3) switch { 0 => 0u, 1 => 0x7FFFu, 2 => 0x8000u, _ => 0x8001u };
            values[index] = BitConverter.UInt32BitsToSingle(((uint)(index >> 2) << 16) | lower);
        }

        ushort[] bits = new ushort[values.Length];
        BFloat16.FromSingle(values, bits);
        Assert.Equal(Array.ConvertAll(values, BFloat16.FromSingle), bits);
        foreach (int count in new[] { 0, 1, 31, 32, 33, 95 })
        {
            ushort[] part = new ushort[count];
            BFloat16.FromSingle(values.AsSpan(70_001, count), part);
            Assert.Equal(bits.AsSpan(70_001, count).ToArray(), part);
        }
    }

    [Fact]
    public void VectorEqualsScalar()
    {
        Span<float> values = stackalloc float[16];
        int lane = 0;
        ulong pattern = 0;
        foreach (uint midpoint in MidpointsAndNeighbours())
        {
            // A midpoint and a strided pattern in turn: the second kind brings the NaNs.
            values[lane++] = BitConverter.UInt32BitsToSingle(midpoint);
            values[lane++] = BitConverter.UInt32BitsToSingle((uint)(pattern += 13_171));
            if (lane < 16)
            {
                continue;
            }

            lane = 0;
            Vector512<float> rounded = BFloat16.Round(Vector512.Create<float>(values));
            for (int i = 0; i < 16; i++)
            {
                uint expected = BitConverter.SingleToUInt32Bits(BFloat16.Round(values[i]));
                uint actual = BitConverter.SingleToUInt32Bits(rounded.GetElement(i));
                if (expected != actual)
                {
                    Assert.Fail($"{values[i]:R}: scalar 0x{expected:X8}, vector 0x{actual:X8}");
                }
            }
        }

        Assert.True(pattern > uint.MaxValue, "the strided patterns did not reach the negative NaNs");
    }

    /// <summary>
    /// Each finite code of both signs, the midpoint to the next one away from 0, and float32 neighbours.
    /// </summary>
    private static IEnumerable<uint> MidpointsAndNeighbours()
    {
        for (uint code = 0; code < 0x7F80; code++)
        {
            foreach (uint low in new uint[] { 0, 1, 0x7FFF, 0x8000, 0x8001 })
            {
                yield return (code << 16) | low;
                yield return 0x80000000 | (code << 16) | low;
            }
        }
    }

    /// <summary>
    /// The definition: the multiple of the local spacing that is nearest, in float64, where it is exact.
    /// </summary>
    private static float NearestEven(float value)
    {
        int exponent = value == 0f ? -126 : Math.Max(-126, Math.ILogB(value));
        double spacing = Math.ScaleB(1.0, exponent - 7);
        double rounded = Math.Round(value / spacing, MidpointRounding.ToEven) * spacing;
        return (float)rounded; // 2^128 becomes infinity
    }
}
