// Red here: tokens look at the wrong keys, scale scores wrongly, or read another head's cache.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class CausalAttentionExamples
{
    private static readonly float Log3 = MathF.Log(3f);

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void EachTokenWeighsItselfAndItsPast(ExecutionEngine engine)
    {
        // One channel, √1 = 1. Token 0 sees itself. Token 1: scores 0 and ln 3, weights 1/4 and 3/4: 4/4 + 3·8/4 = 7.
        AttentionCase attention = new(new AttentionShape(1, 1, 1, 2, 0, 1, 2), [0f, 1f], [0f, Log3], [4f, 8f], []);
        (float[] context, float[] weights) = attention.Run<Float32Precision>(engine);
        Check.Within(context, [4.0, 7.0], _ => 2e-6, "context");
        Check.Within(weights, [1.0, 0.0, 0.25, 0.75], _ => 1e-7, "weights");
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void ScoresAreDividedByTheRootOfTheHeadWidth(ExecutionEngine engine)
    {
        // Four channels: q·k = 2·ln 3, over √4 is ln 3. A cache of five slots, of which two are filled.
        float[] keys = new float[20], values = new float[20];
        (keys[4], values[0], values[4]) = (2f * Log3, 4f, 8f);
        keys.AsSpan(8).Fill(float.NaN);
        values.AsSpan(8).Fill(float.NaN);
        AttentionCase attention = new(new AttentionShape(1, 1, 1, 1, 1, 4, 5), [1f, 0f, 0f, 0f], keys, values, []);
        Check.Within(attention.Run<Float32Precision>(engine).Context, [7.0, 0.0, 0.0, 0.0], _ => 2e-6, "context");
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void KeyValueHeadsAreRepeatedInPlace(ExecutionEngine engine)
    {
        // Four query heads over two key/value heads whose values are 10 and 20: 10 10 20 20, not tiled 10 20 10 20.
        AttentionCase attention =
            new(new AttentionShape(1, 4, 2, 1, 0, 1, 1), [1f, 1f, 1f, 1f], [1f, 1f], [10f, 20f], []);
        Assert.Equal([10f, 10f, 20f, 20f], attention.Run<Float32Precision>(engine).Context);
        Assert.Equal(3, new AttentionShape(1, 32, 4, 1, 0, 128, 1).KeyValueHead(31));
        Assert.Equal(0, new AttentionShape(1, 32, 4, 1, 0, 128, 1).KeyValueHead(7));
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void APaddedQueryThatSeesNothingWeighsAllKeysEquallyLaterOnesIncluded(ExecutionEngine engine)
    {
        // Left padding of two in four. Tokens 0 and 1 see nothing: (1 + 2 + 4 + 9)/4. Token 2 sees itself; token 3 two.
        AttentionCase attention = new(
            new AttentionShape(1, 1, 1, 4, 0, 1, 4),
            [0f, 9f, 0f, 0f],
            [5f, 6f, 7f, 7f],
            [1f, 2f, 4f, 9f],
            [0, 0, 1, 1]);
        (float[] context, float[] weights) = attention.Run<Float32Precision>(engine);
        Assert.Equal([4f, 4f, 4f, 6.5f], context);
        Assert.Equal(
            [0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0f, 0f, 1f, 0f, 0f, 0f, 0.5f, 0.5f], weights);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void AMaskedKeyIsNotReadButItsValueIsMultipliedByZero(ExecutionEngine engine)
    {
        AttentionShape shape = new(1, 1, 1, 1, 2, 1, 3);
        AttentionCase key = new(shape, [1f], [1f, float.NaN, 1f], [3f, 5f, 9f], [1, 0, 1]);
        Assert.Equal([6f], key.Run<Float32Precision>(engine).Context);
        AttentionCase value = new(shape, [1f], [1f, 1f, 1f], [3f, float.NaN, 9f], [1, 0, 1]);
        Assert.Equal([float.NaN], value.Run<Float32Precision>(engine).Context);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void BFloat16RoundsTheProductTheQuotientAndTheWeights(ExecutionEngine engine)
    {
        // Four channels of ones against (256, 1, 0, 0): q·k = 257 → 256, over 2 is 128; and against (256, 0, 0, 0) also
        // 128. So the weights are equal, while 257/2 would win by 1/2. Weights 1/3 each would be 171/512 in bfloat16.
        float[] keys = [256f, 1f, 0f, 0f, 256f, 0f, 0f, 0f, 256f, 0f, 1f, 0f];
        float[] values = [1f, 0f, 0f, 0f, 1f, 0f, 0f, 0f, 1f, 0f, 0f, 0f];
        AttentionCase attention = new(new AttentionShape(1, 1, 1, 1, 2, 4, 3), [1f, 1f, 1f, 1f], keys, values, []);
        (float[] context, float[] weights) = attention.Run<BFloat16Precision>(engine);
        Assert.Equal([171f / 512f, 171f / 512f, 171f / 512f], weights);
        Assert.Equal(BFloat16.Round(3f * 171f / 512f), context[0]);
    }
}
