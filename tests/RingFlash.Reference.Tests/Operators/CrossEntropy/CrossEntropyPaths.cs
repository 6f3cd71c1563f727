// Red here: the loss depends on the engine.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class CrossEntropyPaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryNumberOfPositions()
    {
        const int Vocabulary = 23;
        for (int positions = 0; positions <= 257; positions++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                float[] logits = TestValues.Spread((positions * Vocabulary) + offset, positions);
                Random random = new(positions);
                long[] targets = new long[positions];
                for (int position = 0; position < positions; position++)
                {
                    targets[position] = random.Next(4) == 0 ? CrossEntropy.IgnoreIndex : random.Next(Vocabulary);
                }

                float expected = CrossEntropy.Apply(ExecutionEngine.Scalar, logits.AsSpan(offset), targets);
                float actual = CrossEntropy.Apply(ExecutionEngine.Vector512, logits.AsSpan(offset), targets);
                Check.SameBits([expected], [actual], $"{positions} positions, offset {offset}");
            }
        }
    }
}
