// Red here: IcePop trains tokens that it should drop, drops tokens that it should train, or weights them wrongly.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class IcePopMaskExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void EveryDecision(ExecutionEngine engine)
    {
        float low = (float)Math.Log(0.5), high = (float)Math.Log(5);
        float[] differences =
        [
            0f, low, high, MathF.BitDecrement(low), MathF.BitIncrement(high), float.NaN, float.PositiveInfinity,
            float.NegativeInfinity, 1f,
        ];

        // Twice the length of a register, so that the vector path decides too.
        differences = [.. differences, .. differences];
        byte[] mask = [.. differences.Select((_, t) => t % 9 == 8 ? (byte)0 : (byte)1)];
        float[] weights = new float[18];
        TokenDecision[] decisions = new TokenDecision[18];
        IcePopMask.Apply(engine, differences, new float[18], mask, 0.5, 5, weights, decisions);
        TokenDecision[] expected =
        [
            TokenDecision.Kept, TokenDecision.Kept, TokenDecision.Kept, TokenDecision.MaskedLow,
            TokenDecision.MaskedHigh, TokenDecision.NonFinite, TokenDecision.NonFinite, TokenDecision.NonFinite,
            TokenDecision.Padding,
        ];
        Assert.Equal([.. expected, .. expected], decisions);
        float[] values = [1f, Exponential.Exp(low), Exponential.Exp(high), 0f, 0f, 0f, 0f, 0f, 0f];
        Check.SameBits([.. values, .. values], weights, "weights");
    }

    [Fact]
    public void TheDegenerateBandKeepsOnlyEqualEngines()
    {
        double[] weights = new double[2];
        TokenDecision[] decisions = new TokenDecision[2];
        IcePopMask.Exact([0, 1e-16], [0, 0], [1, 1], 1, 1, weights, decisions);
        Assert.Equal([1.0, 0.0], weights); // although e^1e-16 is 1
    }

    [Fact]
    public void ScalarEqualsVectorisedForEveryLengthAndOffset()
    {
        (double, double)[] bands = [(0.5, 5), (0, double.PositiveInfinity), (1, 1), (0, 1e40)];
        for (int length = 0; length <= 70; length++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                (double alpha, double beta) = bands[(length + offset) % 4];
                Span<float> a = TestValues.WithSpecials<Float32Precision>(length + offset, length).AsSpan(offset);
                Span<float> b = TestValues.WithSpecials<Float32Precision>(length + 1, ~length).AsSpan(1);
                byte[] mask = [.. Enumerable.Range(0, length).Select(t => (byte)(t % 5 == 0 ? 0 : 1))];
                float[] expected = new float[length], actual = new float[length];
                TokenDecision[] decisions = new TokenDecision[length], vectors = new TokenDecision[length];
                IcePopMask.Scalar(a, b, mask, alpha, beta, expected, decisions);
                IcePopMask.Vectorised(a, b, mask, alpha, beta, actual, vectors);
                Check.SameBits(expected, actual, $"length {length}, offset {offset}");
                Assert.Equal(decisions, vectors);
            }
        }
    }

    [Fact]
    public void ErrorsAreWithinThePagesBound()
    {
        float[] a = TestValues.Spread(2000, 3, binades: 1), b = TestValues.Spread(2000, 4, binades: 1);
        byte[] mask = [.. Enumerable.Repeat((byte)1, 2000)];
        float[] weights = new float[2000];
        double[] exact = new double[2000];
        TokenDecision[] decisions = new TokenDecision[2000], exactDecisions = new TokenDecision[2000];
        IcePopMask.Apply(ExecutionEngine.Vector512, a, b, mask, 0.5, 5, weights, decisions);
        IcePopMask.Exact(TestValues.Wide(a), TestValues.Wide(b), mask, 0.5, 5, exact, exactDecisions);
        Assert.Equal(exactDecisions, decisions);
        Assert.Contains(TokenDecision.MaskedLow, decisions);
        Check.Within(
            weights, exact, i => (Math.Abs((double)a[i] - b[i]) + 2) * Check.FloatUnit * exact[i] * 1.0001, "weights");
    }
}
