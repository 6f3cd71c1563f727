// Red here: every projection of the model, from QKV to the LM head, is wrong.
using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class LinearProjectionExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void RowsOfTheWeightAreOutputs(ExecutionEngine engine)
    {
        using WorkerPool workers = new(2);
        DenseMatrix weight = new(3, 2, [1f, 2f, 3f, 4f, 5f, 6f]);
        float[] y = new float[6];
        LinearProjection.Apply<Float32Precision>(engine, workers, [1f, 10f, -1f, 0f], weight, [], y);
        Assert.Equal([21f, 43f, 65f, -1f, -3f, -5f], y);
        LinearProjection.Apply<Float32Precision>(engine, workers, [1f, 10f, -1f, 0f], weight, [100f, 0f, -65f], y);
        Assert.Equal([121f, 43f, 0f, 99f, -3f, -70f], y);
        LinearProjection.Apply<Float32Precision>(engine, workers, [], weight, [], []);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void BFloat16RoundsOnceAfterTheBias(ExecutionEngine engine)
    {
        // 256 + 1 with a bias of 1: 258. Rounded before the bias it would be 256 + 1 → 256.
        using WorkerPool workers = new(1);
        float[] y = new float[1];
        LinearProjection.Apply<BFloat16Precision>(
            engine, workers, [256f, 1f], new DenseMatrix(1, 2, [1f, 1f]), [1f], y);
        Assert.Equal(258f, y[0]);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void BlocksOf128AreSummedByThemselves(ExecutionEngine engine)
    {
        // 2^24 swallows ones one at a time, but not the 128 of the second block together, nor the 44 of the third.
        using WorkerPool workers = new(1);
        float[] x = new float[300], ones = new float[300], y = new float[1];
        Array.Fill(x, 1f);
        Array.Fill(ones, 1f);
        x[0] = 16777216f;
        LinearProjection.Apply<Float32Precision>(engine, workers, x, new DenseMatrix(1, 300, ones), [], y);
        Assert.Equal(16777216f + 128f + 44f, y[0]);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void NotFiniteInputsStayInTheirRow(ExecutionEngine engine)
    {
        using WorkerPool workers = new(1);
        float[] y = new float[6];
        float[] x = [1f, 1f, float.NaN, 0f, float.PositiveInfinity, 1f];
        LinearProjection.Apply<Float32Precision>(engine, workers, x, new DenseMatrix(2, 2, [1f, 1f, -1f, 0f]), [], y);
        Assert.Equal(
            [2f, -1f, float.NaN, float.NaN, float.PositiveInfinity, float.NegativeInfinity], y);
    }

    [Fact]
    public void ActivationsAreQuantisedPerTokenAndPerBlockOf128()
    {
        // Block 0 of token 0 has the maximum 448: scale 1. 17 lies between 16 and 18 and goes to the even code 16;
        // 0.001 is half of the least code 2^-9 and more, so 2^-9. Block 1 is zero: its scale is the floor over 448.
        float[] x = new float[2 * 130], codes = new float[x.Length], scales = new float[4];
        (x[0], x[1], x[2], x[3], x[127]) = (448f, 17f, 0.001f, -19f, -448f);
        (x[130], x[131], x[132], x[258], x[259]) = (float.NaN, 2f, -1f, 0.5f, float.PositiveInfinity);
        LinearProjection.QuantiseActivations(x, 130, codes, scales);
        Assert.Equal([448f, 16f, 0.001953125f, -20f], codes[..4]);
        Assert.Equal(-448f, codes[127]);
        Assert.Equal(1f, scales[0]);
        Assert.Equal(LinearProjection.ActivationFloor / 448f, scales[1]);
        Assert.All(codes[128..130], code => Assert.Equal(0f, code));

        // Token 1: the NaN is no maximum but stays NaN; an ∞ is one, and then everything finite is 0.
        Assert.Equal(2f / 448f, scales[2]);
        Assert.Equal([float.NaN, 448f, -224f], codes[130..133]);
        Assert.Equal(float.PositiveInfinity, scales[3]);
        Assert.Equal([0f, float.NaN], codes[258..]);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void QuantisedBlocksAreScaledByActivationThenWeight(ExecutionEngine engine)
    {
        // Two blocks: 448·2 · 1 · 0.5 + 1·(448·3) · (1/448) · 4 (the second block's maximum is 1).
        using WorkerPool workers = new(1);
        MemorySource source = new();
        float[] codes = new float[129], x = new float[129], y = new float[1];
        (codes[0], codes[128], x[0], x[128]) = (2f, 3f, 448f, 1f);
        Float8BlockMatrix weight = new(
            source,
            source.Add("codes", ElementType.Float8E4M3, codes, 1, 129),
            source.Add("scales", ElementType.Float32, [0.5f, 4f], 1, 2));
        LinearProjection.ApplyQuantised<Float32Precision>(engine, workers, x, weight, [], y);
        Assert.Equal(448f + (448f * 3f * (1f / 448f) * 4f), y[0]);
        LinearProjection.ApplyQuantised<Float32Precision>(engine, workers, x, weight, [-460f], y);
        Assert.Equal(0f, y[0]);
    }

    [Fact]
    public void WrongSizesAreRefused()
    {
        using WorkerPool workers = new(1);
        DenseMatrix weight = new(3, 2, new float[6]);
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            Refused(3, 3, 0); // not whole rows of x
            Refused(4, 5, 0);
            Refused(2, 6, 0);
            Refused(2, 3, 2);

            void Refused(int x, int y, int bias) => Assert.Throws<ArgumentException>(
                () => LinearProjection.Apply<Float32Precision>(
                    engine, workers, new float[x], weight, new float[bias], new float[y]));
        }
    }
}
