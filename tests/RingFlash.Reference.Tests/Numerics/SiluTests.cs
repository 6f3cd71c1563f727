// Red here: every expert's activation is wrong by more than an ulp, or engines differ in bits.
using System;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class SiluTests
{
    private static FunctionSweep Sweep => new(Silu.Apply, Silu.Apply, Exact);

    [Fact]
    public void StridedPatternsAreWithinOneUlpAndBothFormsAgree() =>
        Sweep.RunStrided(checksum: 0x8F81DF7BD93B8B79);

    // About 90 s on two cores; not in the ordinary run. From the root:
    // dotnet test -c Release --filter FullyQualifiedName~SiluTests --logger "console;verbosity=detailed" -- \
    //     xUnit.Explicit=only
    // or, for all four functions, --filter Category=Exhaustive.
    [Fact(Explicit = true)]
    [Trait("Category", "Exhaustive")]
    public void EveryPatternIsWithinOneUlpAndBothFormsAgree() => Sweep.RunExhaustive();

    [Theory]
    [InlineData(0f, 0f)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity, float.NaN)]
    [InlineData(float.MaxValue, float.MaxValue)]
    [InlineData(float.MinValue, -0f)]
    [InlineData(-110f, -0f)]
    public void SpecialValuesAreExact(float argument, float expected) =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(expected),
            BitConverter.SingleToUInt32Bits(Silu.Apply(argument)));

    [Fact]
    public void NegativeZero() =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(-0f), BitConverter.SingleToUInt32Bits(Silu.Apply(-0f)));

    [Theory]
    [InlineData(0x7F800001u)]
    [InlineData(0x7FFFFFFFu)]
    [InlineData(0xFFC12345u)]
    public void EveryNaNGivesTheOneQuietNaN(uint bits) =>
        Assert.Equal(
            BitConverter.SingleToUInt32Bits(float.NaN),
            BitConverter.SingleToUInt32Bits(Silu.Apply(BitConverter.UInt32BitsToSingle(bits))));

    private static double Exact(double x) => x / (1.0 + Math.Exp(-x));
}
