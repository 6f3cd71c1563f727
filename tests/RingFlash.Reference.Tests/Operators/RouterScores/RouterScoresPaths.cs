// Red here: the two engines score an expert differently, and then choose different experts.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RouterScoresPaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryLengthAndOffset()
    {
        for (int length = 0; length <= 257; length++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                Span<float> logits =
                    TestValues.WithSpecials<Float32Precision>(length + offset, length).AsSpan(offset);
                float[] expected = new float[length], actual = new float[length + offset];
                RouterScores.Scalar(logits, expected);
                RouterScores.Vectorised(logits, actual.AsSpan(offset));
                Check.SameBits(expected, actual.AsSpan(offset), $"length {length}, offset {offset}");
            }
        }
    }
}
