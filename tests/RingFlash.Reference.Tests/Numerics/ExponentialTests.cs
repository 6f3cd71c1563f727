// Red here: softmax weights and gates are wrong by more than an ulp, or engines differ in bits.
using System;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class ExponentialTests
{
    private static FunctionSweep Sweep => new(Exponential.Exp, Exponential.Exp, Exact);

    [Fact]
    public void StridedPatternsAreWithinOneUlpAndBothFormsAgree() =>
        Sweep.RunStrided(checksum: 0xD17DBAB8FE9A253F);

    // About 90 s on two cores; not in the ordinary run. From the root:
    // dotnet test -c Release --filter FullyQualifiedName~ExponentialTests --logger "console;verbosity=detailed" -- \
    //     xUnit.Explicit=only
    // or, for all four functions, --filter Category=Exhaustive.
    [Fact(Explicit = true)]
    [Trait("Category", "Exhaustive")]
    public void EveryPatternIsWithinOneUlpAndBothFormsAgree() => Sweep.RunExhaustive();

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(float.MaxValue, float.PositiveInfinity)]
    [InlineData(float.MinValue, 0f)]
    [InlineData(float.Epsilon, 1f)]
    [InlineData(88.72284f, float.PositiveInfinity)]
    [InlineData(-103.972084f, 0f)]
    [InlineData(-103.97208f, float.Epsilon)]
    public void SpecialValuesAreExact(float argument, float expected) =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(expected),
            BitConverter.SingleToUInt32Bits(Exponential.Exp(argument)));

    [Fact]
    public void NegativeZero() =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(1f), BitConverter.SingleToUInt32Bits(Exponential.Exp(-0f)));

    [Theory]
    [InlineData(0x7F800001u)]
    [InlineData(0x7FFFFFFFu)]
    [InlineData(0xFFC12345u)]
    public void EveryNaNGivesTheOneQuietNaN(uint bits) =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(float.NaN),
            BitConverter.SingleToUInt32Bits(Exponential.Exp(BitConverter.UInt32BitsToSingle(bits))));

    private static double Exact(double x) => Math.Exp(x);
}
