// Red here: every feed-forward block, dense, shared or routed, activates wrongly.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class SwiGluExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void TheGateIsActivatedAndTheUpProjectionIsNot(ExecutionEngine engine)
    {
        // silu(ln 3) = ln 3 · 3/4; silu(−ln 3) = −ln 3 · 1/4.
        float log3 = MathF.Log(3f);
        float[] y = Apply<Float32Precision>(engine, [0f, log3, -log3, 100f], [5f, 4f, 4f, -2f]);
        Assert.Equal(0f, y[0]);
        Assert.Equal(3f * log3, y[1], 1e-6f);
        Assert.Equal(-log3, y[2], 1e-6f);
        Assert.Equal(-200f, y[3]);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void BFloat16RoundsTheActivationBeforeTheProduct(ExecutionEngine engine)
    {
        // silu(1) = 0.73105858; bfloat16 numbers lie 2^-8 apart there: 187/256. Times 129/128 that is 0.73617554, and
        // the nearest are 188/256 and 189/256: 188. The unrounded activation would give 0.73676997: 189.
        float[] y = Apply<BFloat16Precision>(engine, [1f, 1f], [1f, 129f / 128f]);
        Assert.Equal([187f / 256f, 188f / 256f], y);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void SpecialValuesAreThoseOfThePublishedQuotient(ExecutionEngine engine)
    {
        float[] gate = [float.NegativeInfinity, float.PositiveInfinity, -0f, -200f, float.NaN, 0f, float.MaxValue];
        float[] y = Apply<Float32Precision>(engine, gate, [1f, 1f, 1f, 1f, 1f, float.PositiveInfinity, 2f]);
        float[] expected =
            [float.NaN, float.PositiveInfinity, -0f, -0f, float.NaN, float.NaN, float.PositiveInfinity];
        Check.SameBits(expected, y, "specials");
    }

    private static float[] Apply<TPrecision>(ExecutionEngine engine, float[] gate, float[] up)
        where TPrecision : struct, IPrecision
    {
        float[] y = new float[gate.Length];
        SwiGlu.Apply<TPrecision>(engine, gate, up, y);
        return y;
    }
}
