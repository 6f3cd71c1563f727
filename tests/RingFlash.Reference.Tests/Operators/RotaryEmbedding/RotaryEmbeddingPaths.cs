// Red here: a rotated head depends on the engine, on alignment, or on its place in the batch.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RotaryEmbeddingPaths
{
    [Fact]
    public void ScalarEqualsVectorisedForEveryHeadWidthRotaryWidthAndOffset()
    {
        Sweep<Float32Precision>();
        Sweep<BFloat16Precision>();
    }

    [Fact]
    public void ATokenAloneEqualsTheTokenInABatch()
    {
        const int Batch = 2, Heads = 3, Tokens = 4, HeadDim = 43, RotaryDim = 38;
        float[] x = TestValues.Spread(Batch * Heads * Tokens * HeadDim, 1), y = new float[x.Length];
        float[] cosine = TestValues.Spread(Batch * Tokens * RotaryDim, 2), sine = TestValues.Spread(cosine.Length, 3);
        RotaryEmbedding.Apply<BFloat16Precision>(
            ExecutionEngine.Vector512, x, Heads, Tokens, HeadDim, cosine, sine, RotaryDim, y);
        float[] alone = new float[HeadDim];
        for (int row = 0; row < Batch * Heads * Tokens; row++)
        {
            int table = ((row / (Heads * Tokens) * Tokens) + (row % Tokens)) * RotaryDim;
            RotaryEmbedding.Apply<BFloat16Precision>(
                ExecutionEngine.Vector512,
                x.AsSpan(row * HeadDim, HeadDim),
                1,
                1,
                HeadDim,
                cosine.AsSpan(table, RotaryDim),
                sine.AsSpan(table, RotaryDim),
                RotaryDim,
                alone);
            Check.SameBits(y.AsSpan(row * HeadDim, HeadDim), alone, $"row {row}");
        }
    }

    private static void Sweep<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        for (int headDim = 1; headDim <= 257; headDim++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                foreach (int rotaryDim in new int[] { headDim / 2 * 2, headDim / 4 * 2, 0 })
                {
                    Span<float> x = TestValues.WithSpecials<TPrecision>(headDim + offset, headDim).AsSpan(offset);
                    Span<float> cosine = TestValues.Spread<TPrecision>(rotaryDim + offset, ~headDim).AsSpan(offset);
                    Span<float> sine = TestValues.Spread<TPrecision>(rotaryDim + 1, headDim + 1).AsSpan(1);
                    float[] expected = new float[headDim], actual = new float[headDim + offset];
                    RotaryEmbedding.Scalar<TPrecision>(x, cosine, sine, expected);
                    RotaryEmbedding.Vectorised<TPrecision>(x, cosine, sine, actual.AsSpan(offset));
                    string axes = $"{TPrecision.Name}, headDim {headDim}, R {rotaryDim}, offset {offset}";
                    Check.SameBits(expected, actual.AsSpan(offset), axes);
                }
            }
        }
    }
}
