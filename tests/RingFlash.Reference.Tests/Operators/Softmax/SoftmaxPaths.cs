// Red here: attention weights depend on the engine, on alignment, or on what lies behind the mask.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class SoftmaxPaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryLengthAndOffset()
    {
        Sweep<Float32Precision>();
        Sweep<BFloat16Precision>();
    }

    [Fact]
    public void RoomBehindTheWeightsIsNeitherReadNorWritten()
    {
        for (int length = 1; length <= 70; length++)
        {
            float[] scores = TestValues.Spread(length, length), exact = new float[length];
            Softmax.Scalar<Float32Precision>(scores, [], exact);
            foreach (bool vectorised in new bool[] { false, true })
            {
                float[] longer = new float[length + 40];
                Array.Fill(longer, 5f);
                if (vectorised)
                {
                    Softmax.Vectorised<Float32Precision>(scores, [], longer);
                }
                else
                {
                    Softmax.Scalar<Float32Precision>(scores, [], longer);
                }

                Check.SameBits(exact, longer.AsSpan(0, length), $"length {length}, vectorised {vectorised}");
                Assert.All(longer[length..], value => Assert.Equal(5f, value));
            }
        }
    }

    private static void Sweep<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        for (int length = 0; length <= 257; length++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                Span<float> scores = offset == 3
                    ? TestValues.WithSpecials<TPrecision>(length + offset, length).AsSpan(offset)
                    : TestValues.Spread<TPrecision>(length + offset, length, binades: 5).AsSpan(offset);
                byte[] mask = new byte[length];
                Random random = new(length);
                for (int j = 0; j < length; j++)
                {
                    mask[j] = (byte)(offset == 7 ? 0 : random.Next(2));
                }

                Both<TPrecision>(scores, [], offset, $"{TPrecision.Name}, length {length}, offset {offset}");
                Both<TPrecision>(scores, mask, offset, $"{TPrecision.Name}, length {length}, offset {offset}, masked");
            }
        }
    }

    private static void Both<TPrecision>(Span<float> scores, byte[] visible, int offset, string axes)
        where TPrecision : struct, IPrecision
    {
        float[] expected = new float[scores.Length], actual = new float[scores.Length + offset];
        Softmax.Scalar<TPrecision>(scores, visible, expected);
        Softmax.Vectorised<TPrecision>(scores, visible, actual.AsSpan(offset));
        Check.SameBits(expected, actual.AsSpan(offset), axes);
        float[] inPlace = scores.ToArray();
        Softmax.Vectorised<TPrecision>(inPlace, visible, inPlace);
        Check.SameBits(expected, inPlace, axes + ", in place");
        inPlace = scores.ToArray();
        Softmax.Scalar<TPrecision>(inPlace, visible, inPlace);
        Check.SameBits(expected, inPlace, axes + ", scalar in place");
    }
}
