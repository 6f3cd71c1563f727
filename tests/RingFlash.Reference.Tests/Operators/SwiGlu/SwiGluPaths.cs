// Red here: the two engines disagree about an activation for some width or alignment.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class SwiGluPaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryLengthAndOffset()
    {
        Sweep<Float32Precision>();
        Sweep<BFloat16Precision>();
    }

    private static void Sweep<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        for (int length = 0; length <= 257; length++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                string axes = $"{TPrecision.Name}, length {length}, offset {offset}";
                Span<float> gate = TestValues.WithSpecials<TPrecision>(length + offset, length).AsSpan(offset);
                Span<float> up = TestValues.WithSpecials<TPrecision>(length + 1, ~length).AsSpan(1);
                float[] expected = new float[length], actual = new float[length + offset];
                SwiGlu.Scalar<TPrecision>(gate, up, expected);
                SwiGlu.Vectorised<TPrecision>(gate, up, actual.AsSpan(offset));
                Check.SameBits(expected, actual.AsSpan(offset), axes);
                SwiGlu.Vectorised<TPrecision>(gate, up, gate);
                Check.SameBits(expected, gate, axes + ", into the gate");
            }
        }
    }
}
