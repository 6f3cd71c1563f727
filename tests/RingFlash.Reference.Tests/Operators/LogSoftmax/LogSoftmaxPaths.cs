// Red here: log-probabilities depend on the engine or on alignment.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class LogSoftmaxPaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryLengthAndOffset()
    {
        for (int length = 0; length <= 257; length++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                Span<float> logits = offset == 3
                    ? TestValues.WithSpecials<Float32Precision>(length + offset, length).AsSpan(offset)
                    : TestValues.Spread(length + offset, length, binades: 6).AsSpan(offset);
                string axes = $"length {length}, offset {offset}";
                (float maximum, float logSum) = LogSoftmax.Scalar(logits);
                (float otherMaximum, float otherLogSum) = LogSoftmax.Vectorised(logits);
                Check.SameBits([maximum, logSum], [otherMaximum, otherLogSum], axes);
                float[] expected = new float[length];
                LogSoftmax.Apply(ExecutionEngine.Scalar, logits, expected);
                LogSoftmax.Apply(ExecutionEngine.Vector512, logits, logits);
                Check.SameBits(expected, logits, axes + ", in place");
            }
        }
    }
}
