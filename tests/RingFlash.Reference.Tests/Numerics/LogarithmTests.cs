// Red here: log-probabilities are wrong by more than an ulp, or engines differ in bits.
using System;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class LogarithmTests
{
    private static FunctionSweep Sweep => new(Logarithm.Log, Logarithm.Log, Exact);

    [Fact]
    public void StridedPatternsAreWithinOneUlpAndBothFormsAgree() =>
        Sweep.RunStrided(checksum: 0x13860806041D0C62);

    // About 90 s on two cores; not in the ordinary run. From the root:
    // dotnet test -c Release --filter FullyQualifiedName~LogarithmTests --logger "console;verbosity=detailed" -- \
    //     xUnit.Explicit=only
    // or, for all four functions, --filter Category=Exhaustive.
    [Fact(Explicit = true)]
    [Trait("Category", "Exhaustive")]
    public void EveryPatternIsWithinOneUlpAndBothFormsAgree() => Sweep.RunExhaustive();

    [Theory]
    [InlineData(1f, 0f)]
    [InlineData(0f, float.NegativeInfinity)]
    [InlineData(-1f, float.NaN)]
    [InlineData(-float.Epsilon, float.NaN)]
    [InlineData(float.NegativeInfinity, float.NaN)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    public void SpecialValuesAreExact(float argument, float expected) =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(expected),
            BitConverter.SingleToUInt32Bits(Logarithm.Log(argument)));

    [Fact]
    public void NegativeZero() =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(float.NegativeInfinity),
            BitConverter.SingleToUInt32Bits(Logarithm.Log(-0f)));

    [Theory]
    [InlineData(0x7F800001u)]
    [InlineData(0x7FFFFFFFu)]
    [InlineData(0xFFC12345u)]
    public void EveryNaNGivesTheOneQuietNaN(uint bits) =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(float.NaN),
            BitConverter.SingleToUInt32Bits(Logarithm.Log(BitConverter.UInt32BitsToSingle(bits))));

    private static double Exact(double x) => Math.Log(x);
}
