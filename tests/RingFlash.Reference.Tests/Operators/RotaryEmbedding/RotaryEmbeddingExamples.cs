// Red here: heads are rotated in the wrong pairs, in the wrong direction, or beyond the rotary width.
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RotaryEmbeddingExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void AQuarterTurnPairsChannelsHalfTheRotaryWidthApart(ExecutionEngine engine)
    {
        // R = 4: pairs (0, 2) and (1, 3). Pair 0 turns by 90°: (1, 3) → (−3, 1). Pair 1 by 0°. Channels 4 and 5 pass.
        float[] y = new float[6];
        RotaryEmbedding.Apply<Float32Precision>(
            engine, [1f, 2f, 3f, 4f, 5f, 6f], 1, 1, 6, [0f, 1f, 0f, 1f], [1f, 0f, 1f, 0f], 4, y);
        Assert.Equal([-3f, 2f, 1f, 4f, 5f, 6f], y);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void EachTokenOfEachSequenceTakesItsOwnRowOfTheTable(ExecutionEngine engine)
    {
        // [2 sequences, 2 heads, 2 tokens, 2 channels], all (1, 0); turns by 0°, 90° / 180°, 270° → (cos, sin).
        float[] x = [1f, 0f, 1f, 0f, 1f, 0f, 1f, 0f, 1f, 0f, 1f, 0f, 1f, 0f, 1f, 0f];
        float[] y = new float[16];
        float[] cosine = [1f, 1f, 0f, 0f, -1f, -1f, 0f, 0f], sine = [0f, 0f, 1f, 1f, 0f, 0f, -1f, -1f];
        RotaryEmbedding.Apply<Float32Precision>(engine, x, 2, 2, 2, cosine, sine, 2, y);
        Assert.Equal([1f, 0f, 0f, 1f, 1f, 0f, 0f, 1f, -1f, 0f, 0f, -1f, -1f, 0f, 0f, -1f], y);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void ProductsAreRoundedBeforeTheyAreAdded(ExecutionEngine engine)
    {
        // y[0] = x0·c − x1·s with x0 = c = 1 + 2^-12 and x1·s = 1 + 2^-11: rounded, the first product loses 2^-24 and
        // the difference is 0; fused it would be 2^-24.
        float c = 1f + (1f / 4096);
        float[] y = new float[2];
        RotaryEmbedding.Apply<Float32Precision>(
            engine, [c, 1f + (1f / 2048)], 1, 1, 2, [c, 0f], [1f, 0f], 2, y);
        Assert.Equal(0f, y[0]);

        // bfloat16: 129/128 · 130/128 = 131.0156/128 goes to 131/128, and less 1 that is 3/128. Subtracted first, it
        // would be 3.015625/128, a bfloat16 number too.
        RotaryEmbedding.Apply<BFloat16Precision>(
            engine, [129f / 128f, 1f], 1, 1, 2, [130f / 128f, 0f], [1f, 0f], 2, y);
        Assert.Equal(3f / 128f, y[0]);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void NaNAndInfinityStayInsideTheirPair(ExecutionEngine engine)
    {
        float[] y = new float[7], x = [float.NaN, 1f, 2f, 3f, float.PositiveInfinity, 4f, 5f];
        float[] cosine = [0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f], sine = [0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f];
        RotaryEmbedding.Apply<Float32Precision>(engine, x, 1, 1, 7, cosine, sine, 6, y);
        float[] expected = [float.NaN, float.NegativeInfinity, -1f, float.NaN, float.PositiveInfinity, 3f, 5f];
        Check.SameBits(expected, y, "pairs (0, 3), (1, 4), (2, 5)");
    }
}
