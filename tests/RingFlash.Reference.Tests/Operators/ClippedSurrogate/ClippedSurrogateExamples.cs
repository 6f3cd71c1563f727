// Red here: a branch of the clip is on the wrong side, passes a gradient that it should stop, or stops one that flows.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class ClippedSurrogateExamples
{
    private static readonly SurrogateBounds Bounds = new(0.25, 0.5, 3);

    [Theory]
    [InlineData(ExecutionEngine.Scalar, 2f, new float[] { -1f, -2f, -3f, -3f, -3f }, new byte[] { 0, 0, 0, 1, 1 })]
    [InlineData(ExecutionEngine.Vector512, 2f, new float[] { -1f, -2f, -3f, -3f, -3f }, new byte[] { 0, 0, 0, 1, 1 })]
    [InlineData(ExecutionEngine.Scalar, -2f, new float[] { 1.5f, 2f, 3f, 4f, 6f }, new byte[] { 1, 0, 0, 0, 1 })]
    [InlineData(ExecutionEngine.Vector512, -2f, new float[] { 1.5f, 2f, 3f, 4f, 6f }, new byte[] { 1, 0, 0, 0, 1 })]
    public void EveryBranch(ExecutionEngine engine, float advantage, float[] expected, byte[] expectedClipped)
    {
        // Below, inside, at the upper bound, above, above the dual clip; repeated to fill registers.
        float[] ratios = [.. Enumerable.Repeat(new float[] { 0.5f, 1f, 1.5f, 2f, 4f }, 7).SelectMany(r => r)];
        int length = ratios.Length;
        float[] weights = [.. Enumerable.Repeat(1f, length)], y = new float[length], gradient = new float[length];
        TokenDecision[] kept = [.. Enumerable.Repeat(TokenDecision.Kept, length)];
        byte[] clipped = new byte[length];
        ClippedSurrogate.Apply(engine, ratios, weights, kept, advantage, Bounds, y, clipped);
        ClippedSurrogate.Backward<float>(y, clipped, gradient);
        for (int t = 0; t < length; t++)
        {
            Assert.Equal(expected[t % 5], y[t]);
            Assert.Equal(expectedClipped[t % 5], clipped[t]);
            Assert.Equal(clipped[t] == 1 ? 0f : y[t], gradient[t]);
        }
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void OnlyKeptTokensAreComputedAndZeroAdvantagesAreZero(ExecutionEngine engine)
    {
        TokenDecision[] decisions =
            [.. Enumerable.Range(0, 36).Select(t => (TokenDecision)(t % 6))];
        float[] ratios = [.. Enumerable.Repeat(float.PositiveInfinity, 36)], weights = [.. Enumerable.Repeat(2f, 36)];
        float[] y = new float[36];
        byte[] clipped = new byte[36];
        ClippedSurrogate.Apply(engine, ratios, weights, decisions, 0f, Bounds, y, clipped);
        Check.SameBits(new float[36], y, "zero advantage");
        Assert.All(clipped, flag => Assert.Equal(0, flag));
        ClippedSurrogate.Apply(engine, ratios, weights, decisions, 1f, Bounds, y, clipped);
        Assert.All(y.Select((value, t) => (value, t)), pair => Assert.Equal(pair.t % 6 == 1 ? -3f : 0f, pair.value));
        ratios[1] = float.NaN;
        ClippedSurrogate.Apply(engine, ratios, weights, decisions, 0f, Bounds, y, clipped);
        Assert.True(float.IsNaN(y[1])); // a NaN is not hidden
        SurrogateBounds wrong = new(-0.1, 0.2);
        Assert.Throws<ArgumentException>(
            () => ClippedSurrogate.Scalar([1f], [1f], decisions.AsSpan(1, 1), 1f, wrong, new float[1], new byte[1]));
    }

    [Fact]
    public void ScalarEqualsVectorisedAndErrorsAreWithinThePagesBound()
    {
        for (int length = 0; length <= 70; length++)
        {
            float[] ratios = [.. TestValues.Spread(length, length).Select(Math.Abs)];
            float[] weights = [.. TestValues.Spread(length, ~length).Select(Math.Abs)];
            float[] wild = TestValues.WithSpecials<Float32Precision>(length, length);
            TokenDecision[] decisions =
                [.. Enumerable.Range(0, length).Select(t => (TokenDecision)(t % 3 == 0 ? 2 : 1))];
            foreach (float advantage in new float[] { 1.3f, -0.7f, 0f })
            {
                foreach (float[] values in new float[][] { ratios, wild })
                {
                    float[] expected = new float[length], actual = new float[length];
                    byte[] clipped = new byte[length], vectors = new byte[length];
                    ClippedSurrogate.Scalar(values, weights, decisions, advantage, Bounds, expected, clipped);
                    ClippedSurrogate.Vectorised(values, weights, decisions, advantage, Bounds, actual, vectors);
                    Check.SameBits(expected, actual, $"length {length}, advantage {advantage}");
                    Assert.Equal(clipped, vectors);
                }

                float[] y = new float[length];
                double[] exact = new double[length];
                byte[] flags = new byte[length];
                ClippedSurrogate.Scalar(ratios, weights, decisions, advantage, Bounds, y, flags);
                ClippedSurrogate.Exact(
                    TestValues.Wide(ratios), TestValues.Wide(weights), decisions, advantage, Bounds, exact, flags);
                Check.Within(y, exact, i => 3.0001 * Check.FloatUnit * Math.Abs(exact[i]), $"length {length}");
            }
        }
    }
}
