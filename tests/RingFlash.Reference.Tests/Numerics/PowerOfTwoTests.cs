// Red here: exp, sigmoid and SiLU are off by powers of two, or round twice, near overflow and among the subnormals.
using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class PowerOfTwoTests
{
    [Theory]
    [InlineData(1f)]
    [InlineData(-1.4142135f)]
    [InlineData(0.70710677f)]
    [InlineData(119.99999f)]
    public void ScaleRoundsOnceForEveryExponent(float value)
    {
        for (int exponent = -252; exponent <= 254; exponent++)
        {
            float expected = (float)Math.ScaleB((double)value, exponent); // exact in float64, then rounded once
            float actual = PowerOfTwo.Scale(value, exponent);
            Assert.Equal(BitConverter.SingleToUInt32Bits(expected), BitConverter.SingleToUInt32Bits(actual));

            Vector512<float> lanes = PowerOfTwo.Scale(Vector512.Create(value), Vector512.Create(exponent));
            Assert.Equal(Vector512.Create(expected), lanes);
        }
    }

    [Fact]
    public void CreateIsExactForEveryNormalExponent()
    {
        for (int exponent = -126; exponent <= 127; exponent++)
        {
            Assert.Equal((float)Math.ScaleB(1.0, exponent), PowerOfTwo.Create(exponent));
            Assert.Equal(PowerOfTwo.Create(exponent), PowerOfTwo.Create(Vector512.Create(exponent)).GetElement(15));
        }
    }
}
