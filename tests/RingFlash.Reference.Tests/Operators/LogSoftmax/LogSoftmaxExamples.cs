// Red here: log-probabilities, and with them every loss and every IcePop ratio, are wrong.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class LogSoftmaxExamples
{
    private const float Infinity = float.PositiveInfinity;

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void EqualLogitsShareTheProbability(ExecutionEngine engine)
    {
        // Four equal logits: the maximum is 5, the shifted sum 4, each log-probability −ln 4.
        Assert.Equal((5f, MathF.Log(4f)), LogSoftmax.Normaliser(engine, [5f, 5f, 5f, 5f]));
        Check.SameBits(
            [-MathF.Log(4f), -MathF.Log(4f), -MathF.Log(4f), -MathF.Log(4f)], Apply(engine, [5f, 5f, 5f, 5f]), "equal");
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void ExtremeLogitsNeitherOverflowNorLoseTheDifference(ExecutionEngine engine)
    {
        Check.SameBits([0f, -2e30f], Apply(engine, [1e30f, -1e30f]), "far apart");
        Check.SameBits([0f, -Infinity], Apply(engine, [3e38f, -3e38f]), "further apart than float32 reaches");

        // logit − (m + L) would round L = ln 2 away beside 1e8; the shift comes first.
        Check.SameBits([-0.6931472f, -0.6931472f], Apply(engine, [1e8f, 1e8f]), "large and equal");
        Check.SameBits([0f], Apply(engine, [-3e38f]), "one entry");
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void NotFiniteLogits(ExecutionEngine engine)
    {
        float[] none = [float.NaN, float.NaN, float.NaN];
        Check.SameBits(none, Apply(engine, [1f, float.NaN, 2f]), "NaN");
        Check.SameBits(none, Apply(engine, [1f, Infinity, 2f]), "+∞");
        Check.SameBits(none, Apply(engine, [-Infinity, -Infinity, -Infinity]), "only −∞");
        Check.SameBits([0f, -Infinity, -Infinity], Apply(engine, [4f, -Infinity, -Infinity]), "−∞ beside a number");
    }

    private static float[] Apply(ExecutionEngine engine, float[] logits)
    {
        LogSoftmax.Apply(engine, logits, logits);
        return logits;
    }
}
