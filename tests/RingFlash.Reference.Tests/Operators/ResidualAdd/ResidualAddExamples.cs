// Red here: the residual stream, and so every layer after the first, is off.
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class ResidualAddExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void Float32AddsAndBFloat16RoundsTheSumOnce(ExecutionEngine engine)
    {
        float[] y = new float[4];
        ResidualAdd.Apply<Float32Precision>(engine, [1f, -2f, 0.5f, 256f], [2f, 2f, 0.25f, 1f], y);
        Assert.Equal([3f, 0f, 0.75f, 257f], y);

        // 256 + 1 needs nine significant bits; the tie goes to the even neighbour, 256. 258 + 1 = 259 goes up to 260.
        ResidualAdd.Apply<BFloat16Precision>(engine, [256f, 258f, 1f, 1f], [1f, 1f, 2f, -1f], y);
        Assert.Equal([256f, 260f, 3f, 0f], y);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void InfinitiesCancelToNaN(ExecutionEngine engine)
    {
        float[] y = new float[3];
        float[] residual = [float.PositiveInfinity, float.PositiveInfinity, float.MaxValue];
        ResidualAdd.Apply<Float32Precision>(engine, residual, [float.NegativeInfinity, 1f, float.MaxValue], y);
        Assert.Equal([float.NaN, float.PositiveInfinity, float.PositiveInfinity], y);
    }
}
