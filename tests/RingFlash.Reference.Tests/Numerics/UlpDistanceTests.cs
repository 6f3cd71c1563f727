// Red here: comparisons report wrong distances, and an engine's real error may pass its budget unseen.
using System;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class UlpDistanceTests
{
    [Theory]
    [InlineData(1f, 1f, 0L)]
    [InlineData(0f, -0f, 0L)]
    [InlineData(float.Epsilon, -float.Epsilon, 2L)]
    [InlineData(1f, 1.00000012f, 1L)]
    [InlineData(1f, 0.99999994f, 1L)]
    [InlineData(-1f, -0.99999994f, 1L)]
    [InlineData(1f, 2f, 1L << 23)]
    [InlineData(float.MaxValue, float.PositiveInfinity, 1L)]
    [InlineData(float.NegativeInfinity, float.PositiveInfinity, 2L * 0x7F800000L)]
    [InlineData(float.NaN, float.NaN, 0L)]
    [InlineData(float.NaN, float.PositiveInfinity, long.MaxValue)]
    [InlineData(0f, float.NaN, long.MaxValue)]
    public void Float32(float left, float right, long expected)
    {
        Assert.Equal(expected, UlpDistance.Between(left, right));
        Assert.Equal(expected, UlpDistance.Between(right, left));
    }

    [Theory]
    [InlineData(1f, 1.0078125f, 1L)]
    [InlineData(1f, 0.99609375f, 1L)]
    [InlineData(0f, -0f, 0L)]
    [InlineData(-1f, 1f, 2L * 0x3F80L)]
    [InlineData(float.NaN, float.NaN, 0L)]
    [InlineData(float.NaN, 1f, long.MaxValue)]
    public void BFloat16Numbers(float left, float right, long expected) =>
        Assert.Equal(expected, UlpDistance.BetweenBFloat16(left, right));

    [Theory]
    [InlineData(1.0, 1.0000000000000002, 1L)]
    [InlineData(0.0, -0.0, 0L)]
    [InlineData(-double.Epsilon, double.Epsilon, 2L)]
    [InlineData(double.NegativeInfinity, double.PositiveInfinity, long.MaxValue - 1)]
    [InlineData(double.NaN, double.NaN, 0L)]
    [InlineData(double.NaN, 0.0, long.MaxValue)]
    public void Float64(double left, double right, long expected) =>
        Assert.Equal(expected, UlpDistance.Between(left, right));

    [Theory]
    [InlineData(1f, 1.0, 0.0)]
    [InlineData(1f, 1.0 + (0.25 / (1 << 23)), 0.25)]
    [InlineData(1f, 1.0 - (0.25 / (1 << 23)), 0.5)] // below 1 the spacing halves
    [InlineData(-4f, -4.0 - (4.0 / (1 << 23)), 1.0)]
    [InlineData(float.Epsilon, 0.0, 1.0)]
    [InlineData(0f, 3.5032461608120427E-46, 0.25)] // a quarter of 2^-149
    [InlineData(float.PositiveInfinity, 1e300, 0.0)]
    [InlineData(float.PositiveInfinity, double.PositiveInfinity, 0.0)]
    [InlineData(float.MaxValue, double.PositiveInfinity, 1.0)]
    [InlineData(float.PositiveInfinity, (double)float.MaxValue, 1.0)]
    [InlineData(float.NaN, double.NaN, 0.0)]
    [InlineData(float.NaN, 1.0, double.PositiveInfinity)]
    [InlineData(1f, double.NaN, double.PositiveInfinity)]
    public void ErrorOfAResult(float value, double exact, double expected) =>
        Assert.Equal(expected, UlpDistance.UlpError(value, exact));

    [Fact]
    public void StepsOfOneAreOneApartAcrossZero()
    {
        for (float value = -64 * float.Epsilon; value < 64 * float.Epsilon; value = MathF.BitIncrement(value))
        {
            float next = MathF.BitIncrement(value);
            Assert.Equal(value == next ? 0 : 1, UlpDistance.Between(value, next));
        }
    }
}
