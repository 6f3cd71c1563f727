// Red here: positions turn at the wrong frequencies, default or YaRN, and every layer's attention with them.
using System;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RotaryTableExamples
{
    private static readonly RotaryConfiguration Default = new() { RotaryDimension = 64, Theta = 600_000 };

    private static readonly RotaryConfiguration Yarn = Default with
    {
        Scaling = RotaryScalingKind.Yarn,
        Factor = 4,
        OriginalMaxPositionEmbeddings = 32768,
    };

    [Theory]
    [InlineData(0, 1.0)]
    [InlineData(1, 0.6598310878651766)]
    [InlineData(2, 0.43537706451334246)]
    [InlineData(10, 0.015643276953406095)]
    [InlineData(16, 0.0012909944487358056)]
    [InlineData(31, 2.525898972203651e-06)]
    public void FrequenciesAreThoseOfTheSpecification(int index, double expected)
    {
        RotaryTable table = RotaryTable.For(Default);
        Assert.Equal(32, table.InverseFrequencies.Length);
        Assert.Equal(1.0, table.AttentionScaling);
        Assert.InRange(
            UlpDistance.UlpError(table.InverseFrequencies[index], expected), 0, 1.5); // power, then reciprocal
    }

    [Fact]
    public void YarnKeepsFastChannelsDividesSlowOnesAndMixesBetween()
    {
        // dim(32) = 12.25 → low = 12; dim(1) = 20.59 → high = 21; ramp (i − 12)/9; ratio 1 − ramp·(1 − 1/4).
        RotaryTable plain = RotaryTable.For(Default), yarn = RotaryTable.For(Yarn);
        Assert.Equal(1.1386294361119891, yarn.AttentionScaling);
        (int Index, double Ratio)[] published =
            [(13, 0.916667), (14, 0.833333), (15, 0.75), (16, 0.666667), (20, 0.333333)];
        foreach ((int index, double ratio) in published)
        {
            Assert.Equal(ratio, yarn.InverseFrequencies[index] / (double)plain.InverseFrequencies[index], 2e-6);
        }

        for (int i = 0; i < 32; i++)
        {
            double ramp = Math.Clamp((i - 12) / 9.0, 0, 1);
            Assert.Equal(1 - (0.75 * ramp), yarn.InverseFrequencies[i] / (double)plain.InverseFrequencies[i], 4e-7);
            if (i <= 12)
            {
                Assert.Equal(plain.InverseFrequencies[i], yarn.InverseFrequencies[i]);
            }
            else if (i >= 21)
            {
                Assert.Equal(plain.InverseFrequencies[i] / 4, yarn.InverseFrequencies[i]);
            }
        }
    }

    [Theory]
    [InlineData(16.0, 2.0, 13, 19)] // dim(r) = 64·ln(32768/(2π·r)) / (2·ln 600000): dim(16) = 13.92, dim(2) = 18.92
    [InlineData(64.0, 0.5, 10, 23)] // dim(64) = 10.58, dim(0.5) = 22.25
    public void OtherBetasMoveTheRamp(double fast, double slow, int low, int high)
    {
        RotaryTable plain = RotaryTable.For(Default);
        RotaryTable yarn = RotaryTable.For(Yarn with { BetaFast = fast, BetaSlow = slow });
        for (int i = 0; i < 32; i++)
        {
            double ramp = Math.Clamp((i - low) / (double)(high - low), 0, 1);
            Assert.Equal(1 - (0.75 * ramp), yarn.InverseFrequencies[i] / (double)plain.InverseFrequencies[i], 4e-7);
        }
    }

    [Fact]
    public void EqualEndsOfTheRampDoNotDivideByZero()
    {
        // dim(6000) < 0 is raised to 0, and dim(5216) = −0.0004 is rounded up to 0: a ramp 0.001 wide, so channel 0 is
        // kept and all others are divided.
        RotaryTable yarn = RotaryTable.For(Yarn with { BetaFast = 6000, BetaSlow = 5216 });
        RotaryTable plain = RotaryTable.For(Default);
        Assert.Equal(1f, yarn.InverseFrequencies[0]);
        Assert.Equal(plain.InverseFrequencies[1] / 4, yarn.InverseFrequencies[1]);
    }

    [Theory]
    [InlineData(null, null, null, 1.1386294361119891)]
    [InlineData(0.75, null, null, 0.75)]
    [InlineData(0.75, 1.0, 2.0, 0.75)] // a given factor wins
    [InlineData(null, 1.0, null, 1.1386294361119891)] // mscale alone does not count
    [InlineData(null, 0.0, 1.0, 1.1386294361119891)] // nor when one is zero
    [InlineData(null, 1.0, 1.0, 1.0)]
    [InlineData(null, 2.0, 1.0, 1.2772588722239781 / 1.1386294361119891)]
    public void TheAttentionFactorFollowsThePublishedPrecedence(
        double? given, double? mscale, double? mscaleAllDim, double expected)
    {
        RotaryTable table = RotaryTable.For(
            Yarn with { AttentionFactor = given, Mscale = mscale, MscaleAllDim = mscaleAllDim });
        Assert.Equal(expected, table.AttentionScaling, 1e-15);
        float[] cosine = new float[64], sine = new float[64];
        table.Fill([0], cosine, sine);
        Assert.All(cosine, value => Assert.Equal((float)expected, value));
        Assert.All(sine, value => Assert.Equal(0f, value));
    }

    [Fact]
    public void WithoutStretchingTheAttentionFactorIsOne() =>
        Assert.Equal(1.0, RotaryTable.For(Yarn with { Factor = 1 }).AttentionScaling);

    [Theory]
    [InlineData(1)]
    [InlineData(32767)]
    [InlineData(131071)]
    public void AnglesAreOneFloat32ProductAndBothHalvesShareThem(long position)
    {
        RotaryTable table = RotaryTable.For(Default);
        float[] cosine = new float[128], sine = new float[128];
        table.Fill([0, position], cosine, sine);
        for (int i = 0; i < 32; i++)
        {
            float angle = position * table.InverseFrequencies[i];
            Assert.Equal((float)Math.Cos(angle), cosine[64 + i]);
            Assert.Equal((float)Math.Sin(angle), sine[64 + i]);
            Assert.Equal(cosine[64 + i], cosine[96 + i]);
            Assert.Equal(sine[64 + i], sine[96 + i]);
            Assert.Equal(1f, cosine[i]);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(20)]
    [InlineData(128)]
    public void OtherWidthsAndBasesFollowTheFormula(int rotaryDim)
    {
        RotaryTable table = RotaryTable.For(new RotaryConfiguration { RotaryDimension = rotaryDim, Theta = 10_000 });
        Assert.Equal(rotaryDim / 2, table.InverseFrequencies.Length);
        for (int i = 0; i < rotaryDim / 2; i++)
        {
            // The exponent 2i/R is rounded to float32: relative error u·(2i/R)·ln θ ≤ 9.3·u in the power, which the
            // published code has too. 1.5 ulp beside it.
            double expected = Math.Pow(10_000, -(double)((float)(2 * i) / rotaryDim));
            Assert.InRange(UlpDistance.UlpError(table.InverseFrequencies[i], expected), 0, 1.5);
        }
    }
}
