// Red here: router scores and attention gates are wrong by more than an ulp, or engines differ in bits.
using System;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class SigmoidTests
{
    private static FunctionSweep Sweep => new(Sigmoid.Apply, Sigmoid.Apply, Exact);

    [Fact]
    public void StridedPatternsAreWithinOneUlpAndBothFormsAgree() =>
        Sweep.RunStrided(checksum: 0x8D9E8311DCBDBFFA);

    // About 90 s on two cores; not in the ordinary run. From the root:
    // dotnet test -c Release --filter FullyQualifiedName~SigmoidTests --logger "console;verbosity=detailed" -- \
    //     xUnit.Explicit=only
    // or, for all four functions, --filter Category=Exhaustive.
    [Fact(Explicit = true)]
    [Trait("Category", "Exhaustive")]
    public void EveryPatternIsWithinOneUlpAndBothFormsAgree() => Sweep.RunExhaustive();

    [Theory]
    [InlineData(0f, 0.5f)]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(float.MaxValue, 1f)]
    [InlineData(float.MinValue, 0f)]
    [InlineData(-104f, 0f)]
    public void SpecialValuesAreExact(float argument, float expected) =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(expected),
            BitConverter.SingleToUInt32Bits(Sigmoid.Apply(argument)));

    [Fact]
    public void NegativeZero() =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(0.5f), BitConverter.SingleToUInt32Bits(Sigmoid.Apply(-0f)));

    [Theory]
    [InlineData(0x7F800001u)]
    [InlineData(0x7FFFFFFFu)]
    [InlineData(0xFFC12345u)]
    public void EveryNaNGivesTheOneQuietNaN(uint bits) =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(float.NaN),
            BitConverter.SingleToUInt32Bits(Sigmoid.Apply(BitConverter.UInt32BitsToSingle(bits))));

    private static double Exact(double x) => 1.0 / (1.0 + Math.Exp(-x));
}
