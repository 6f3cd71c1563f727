// Red here: a token's combined output depends on the engine, on alignment, or on the other tokens.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class ExpertCombinePaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryWidthAndOffset()
    {
        Sweep<Float32Precision>();
        Sweep<BFloat16Precision>();
    }

    private static void Sweep<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        for (int hidden = 1; hidden <= 257; hidden++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                int topK = 1 + (hidden % 8), tokens = 1 + offset;
                Span<float> outputs = TestValues
                    .WithSpecials<TPrecision>(offset + (tokens * topK * hidden), hidden).AsSpan(offset);
                Span<float> weights = TestValues.Spread(offset + (tokens * topK), ~hidden).AsSpan(offset);
                float[] expected = new float[tokens * hidden], actual = new float[expected.Length + offset];
                ExpertCombine.Apply<TPrecision>(ExecutionEngine.Scalar, outputs, weights, topK, expected);
                ExpertCombine.Apply<TPrecision>(
                    ExecutionEngine.Vector512, outputs, weights, topK, actual.AsSpan(offset));
                string axes = $"{TPrecision.Name}, hidden {hidden}, topK {topK}, offset {offset}";
                Check.SameBits(expected, actual.AsSpan(offset), axes);

                int last = tokens - 1;
                float[] alone = new float[hidden];
                ExpertCombine.Apply<TPrecision>(
                    ExecutionEngine.Vector512,
                    outputs[(last * topK * hidden)..],
                    weights[(last * topK)..],
                    topK,
                    alone);
                Check.SameBits(expected.AsSpan(last * hidden), alone, axes + ", last token alone");
            }
        }
    }
}
