// Red here: attention weights are not the softmax of the visible scores.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class SoftmaxExamples
{
    private const float Infinity = float.PositiveInfinity;

    [Fact]
    public void EqualScoresWeighEquallyAndLogarithmsOfIntegersWeighAsTheIntegers()
    {
        Both<Float32Precision>([7f, 7f, 7f, 7f], [], [0.25f, 0.25f, 0.25f, 0.25f]);
        float[] weights = new float[3];
        Softmax.Scalar<Float32Precision>([0f, MathF.Log(2f), MathF.Log(5f)], [], weights);
        Check.Within(weights, [0.125, 0.25, 0.625], _ => 1e-7, "1 : 2 : 5");
    }

    [Fact]
    public void MaskedKeysWeighNothingWhateverTheirScore() =>
        Both<Float32Precision>([3f, 1000f, 3f, float.NaN], [1, 0, 1, 0], [0.5f, 0f, 0.5f, 0f]);

    [Fact]
    public void ARowThatSeesNothingWeighsAllKeysEqually() =>
        Both<BFloat16Precision>(
            [1f, float.NaN, -4f], [0, 0, 0],
                [BFloat16.Round(1f / 3f), BFloat16.Round(1f / 3f), BFloat16.Round(1f / 3f)]);

    [Fact]
    public void LargeScoresDoNotOverflow() => Both<Float32Precision>([3e38f, 3e38f, -3e38f], [], [0.5f, 0.5f, 0f]);

    [Fact]
    public void NotFiniteScoresMakeTheRowNaN()
    {
        float[] none = [float.NaN, float.NaN, float.NaN];
        Both<Float32Precision>([1f, float.NaN, 2f], [], none);
        Both<Float32Precision>([1f, Infinity, 2f], [], none);
        Both<Float32Precision>([-Infinity, -Infinity, -Infinity], [], none);
        Both<Float32Precision>([-Infinity, -Infinity, 1f], [1, 1, 0], none);
        Both<Float32Precision>([1f, -Infinity, 1f], [], [0.5f, 0f, 0.5f]); // beside a number −∞ is merely 0
    }

    private static void Both<TPrecision>(float[] scores, byte[] visible, float[] expected)
        where TPrecision : struct, IPrecision
    {
        float[] weights = new float[scores.Length];
        Softmax.Scalar<TPrecision>(scores, visible, weights);
        Check.SameBits(expected, weights, "scalar");
        Softmax.Vectorised<TPrecision>(scores, visible, weights);
        Check.SameBits(expected, weights, "vector512");
    }
}
