// Red here: the experts' outputs are added with the wrong weights, in the wrong order, or rounded too often.
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class ExpertCombineExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void OutputsAreWeighedAndAdded(ExecutionEngine engine)
    {
        // Token 0: 2·(1, 2, 3) + 0.5·(4, 0, −2); token 1: 0·(9, 9, 9) − 1·(1, 2, 3).
        float[] y = new float[6];
        float[] outputs = [1f, 2f, 3f, 4f, 0f, -2f, 9f, 9f, 9f, 1f, 2f, 3f];
        ExpertCombine.Apply<Float32Precision>(engine, outputs, [2f, 0.5f, 0f, -1f], 2, y);
        Assert.Equal([4f, 4f, 5f, -1f, -2f, -3f], y);
        ExpertCombine.Apply<Float32Precision>(engine, [], [], 2, []);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void TheSumFollowsTheRoutersOrderAndIsNotFused(ExecutionEngine engine)
    {
        const float Big = 16777216f; // 2^24: 1 is lost beside it
        float[] y = new float[1];
        ExpertCombine.Apply<Float32Precision>(engine, [1f, Big, -Big], [1f, 1f, 1f], 3, y);
        Assert.Equal(0f, y[0]);
        ExpertCombine.Apply<Float32Precision>(engine, [Big, -Big, 1f], [1f, 1f, 1f], 3, y);
        Assert.Equal(1f, y[0]);

        // (1 + 2^-12)² = 1 + 2^-11 + 2^-24 loses its last term as a product of its own; a fused sum would keep it.
        float x = 1f + (1f / 4096);
        ExpertCombine.Apply<Float32Precision>(engine, [-1f - (1f / 2048), x], [1f, x], 2, y);
        Assert.Equal(0f, y[0]);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void BFloat16RoundsOnceAtTheEnd(ExecutionEngine engine)
    {
        // 256 + 1 + 1 = 258 is a bfloat16 number; rounded after every step, 256 + 1 would fall back to 256 twice.
        float[] y = new float[1];
        ExpertCombine.Apply<BFloat16Precision>(engine, [256f, 1f, 1f], [1f, 1f, 1f], 3, y);
        Assert.Equal(258f, y[0]);
    }
}
