// Red here: the ratio of two engines or of two policies is inverted, unclamped or loses a NaN.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class ImportanceRatioExamples
{
    private const float None = float.PositiveInfinity;

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void TheFirstArgumentIsTheNumerator(ExecutionEngine engine)
    {
        float[] y = new float[3];
        ImportanceRatio.Apply(engine, [-1f, -1f, -3f], [-1f, -2f, -1f], None, y);
        Check.Within(y, [1, Math.E, Math.Exp(-2)], i => 4e-7, "−1/−1, −1/−2, −3/−1");
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void SpecialValues(ExecutionEngine engine)
    {
        float infinity = float.PositiveInfinity;
        float[] numerator = [-infinity, 0f, -infinity, float.NaN, 100f, -100f, 120f];
        float[] denominator = [0f, -infinity, -infinity, 0f, 0f, 5f, 0f];
        float[] y = new float[7], clamped = new float[7];
        ImportanceRatio.Apply(engine, numerator, denominator, None, y);
        Check.SameBits(
            [0f, infinity, float.NaN, float.NaN, infinity, 0f, infinity], y, "without a clamp");
        ImportanceRatio.Apply(engine, numerator, denominator, 20f, clamped);
        float high = Exponential.Exp(20f), low = Exponential.Exp(-20f);
        Check.SameBits([low, high, float.NaN, float.NaN, high, low, high], clamped, "clamped at 20");
    }

    [Fact]
    public void TheGradientStopsWhereTheClampActs()
    {
        float[] numerator = [0.5f, 2f, 3f, -3f, float.NaN], zero = new float[5];
        float[] y = new float[5], gradient = new float[5];
        ImportanceRatio.Scalar(numerator, zero, 2f, y);
        ImportanceRatio.Backward(numerator, zero, 2f, y, [1f, 1f, 1f, 1f, 1f], gradient);
        Check.SameBits([y[0], y[1], 0f, 0f, float.NaN], gradient, "inside, at the end, beyond");
    }

    [Fact]
    public void ScalarEqualsVectorisedForEveryLengthAndOffset()
    {
        for (int length = 0; length <= 70; length++)
        {
            foreach (int offset in TestValues.Offsets)
            {
                Span<float> a = TestValues.WithSpecials<Float32Precision>(length + offset, length).AsSpan(offset);
                Span<float> b = TestValues.WithSpecials<Float32Precision>(length + 1, ~length).AsSpan(1);
                float[] expected = new float[length], actual = new float[length];
                ImportanceRatio.Scalar(a, b, offset == 0 ? None : 3f, expected);
                ImportanceRatio.Vectorised(a, b, offset == 0 ? None : 3f, actual);
                Check.SameBits(expected, actual, $"length {length}, offset {offset}");
            }
        }
    }

    [Fact]
    public void ErrorsAreWithinThePagesBound()
    {
        float[] a = TestValues.Spread(2000, 1, binades: 5), b = TestValues.Spread(2000, 2, binades: 5);
        float[] y = new float[2000];
        double[] exact = new double[2000];
        ImportanceRatio.Apply(ExecutionEngine.Vector512, a, b, None, y);
        ImportanceRatio.Exact(TestValues.Wide(a), TestValues.Wide(b), double.PositiveInfinity, exact);
        Check.Within(
            y,
            exact,
            i => ((Math.Abs((double)a[i] - b[i]) + 2) * Check.FloatUnit * exact[i] * 1.0001) + 1e-44,
            "ratios");
    }
}
