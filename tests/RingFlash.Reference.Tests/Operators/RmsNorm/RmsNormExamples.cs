// Red here: every norm of the model, the query and key norms included, is wrong.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RmsNormExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void ARowIsDividedByItsRootMeanSquareAndNotByItsDeviation(ExecutionEngine engine)
    {
        // Mean square of (2, 6, 2, 6)·2 = (16 + 144 + 16 + 144)/4 = 80; with ε = 176 the root is 16. No mean is
        // subtracted and the weight is w, not 1 + w.
        float[] y = new float[8];
        RmsNorm.Apply<Float32Precision>(engine, [4f, 12f, 4f, 12f, 0f, 0f, 0f, 0f], [1f, 2f, 0f, -4f], 176f, y);
        Assert.Equal([0.25f, 1.5f, 0f, -3f, 0f, 0f, 0f, 0f], y);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void BFloat16RoundsBeforeTheWeight(ExecutionEngine engine)
    {
        // Mean square of (1, 1, 1, 3) is 3; 1/√3 = 0.57735; bfloat16 numbers lie 2^-8 apart there: 148/256. Times
        // 132/128 that is 0.5961914: 153/256. The unrounded 0.57735 would give 0.5953925: 152/256.
        float[] y = new float[4];
        RmsNorm.Apply<BFloat16Precision>(engine, [1f, 1f, 1f, 3f], [1f, 132f / 128f, -1f, 0f], 0f, y);
        Assert.Equal([148f / 256f, 153f / 256f, -148f / 256f, 0f], y);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void SpecialValuesStayInTheirRow(ExecutionEngine engine)
    {
        float[] y = new float[10];
        float[] x =
        [
            float.NaN, 1f, float.PositiveInfinity, 1f, 1e30f, -1e30f, 1f, 7f, 0f, -0f,
        ];
        RmsNorm.Apply<Float32Precision>(engine, x, [1f, 1f], 24f, y);
        Assert.Equal([float.NaN, float.NaN, float.NaN, 0f, 0f, 0f], y[..6]); // 1e60 overflows: 1/√∞ = 0
        Assert.Equal(1f / 7f, y[6], 1e-7f); // √((1 + 49)/2 + 24) = 7: the row after is untouched by its neighbours
        Assert.Equal(1f, y[7], 1e-7f);
        Check.SameBits([0f, -0f], y.AsSpan(8), "a zero row stays zero");

        RmsNorm.Apply<Float32Precision>(engine, [0f, 0f], [1f, 1f], 0f, y.AsSpan(0, 2));
        Assert.Equal([float.NaN, float.NaN], y[..2]); // without ε a zero row is 0 · ∞
    }
}
