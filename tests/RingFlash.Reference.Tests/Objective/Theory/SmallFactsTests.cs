// Red here: an exact statement about IcePop's expected gradient, about TIS or about KPop is false as we compute it.
using System;
using System.Linq;
using FsCheck.Xunit;
using RingFlash.Reference.Objective.Theory;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Theory;

[Properties(Replay = "(20251125,20251127)", MaxTest = 1000)]
public sealed class SmallFactsTests
{
    private static readonly (double Alpha, double Beta)[] Bands =
        [(0.5, 5), (0.5, 2), (0.2, 5), (0.4, 5), (0.125, 8), (1, 1), (0, double.PositiveInfinity)];

    // P39, with its generator: Dirichlet p and q over 2 to 12 tokens, floored at 1e-12.
    [Property]
    public void EnumerationAgrees(int seed)
    {
        (SmallFacts facts, double[] values) = Draw(seed);
        double gauge = values.Max(Math.Abs) * 1e-13;
        EngineWeights weights = facts.Weights;
        double onPolicy = facts.OnPolicyExpectation(values);
        double icePop = facts.SampledExpectation(TheoryOperator.IcePop, values);
        double truncated = facts.SampledExpectation(TheoryOperator.TruncatedImportanceSampling, values);

        Assert.Equal(1, facts.ExpectedRatio, 1e-13);
        Assert.Equal(2 * facts.TotalVariation, facts.ExpectedRatioDistance, 1e-13);
        Assert.Equal(facts.InBandExpectation(values), icePop, gauge);
        Assert.Equal(facts.IcePopBias(values), icePop - onPolicy, gauge);
        Assert.Equal(facts.TruncationBias(values), truncated - onPolicy, gauge);
        Assert.Equal(onPolicy, facts.SampledExpectation(TheoryOperator.ImportanceSampling, values), gauge);
        Assert.True(facts.MassAbove <= (1 / weights.Beta) + 1e-13, $"above: {facts.MassAbove}");
        Assert.True(facts.MassBelow <= weights.Alpha + 1e-13, $"below: {facts.MassBelow}");
        Assert.True(facts.TruncatedMass <= 1 + 1e-13, $"truncated: {facts.TruncatedMass}");
    }

    [Fact]
    public void AHandWorkedPair()
    {
        // k = 0.4, 4 and 1: the first leaves the band of 0.5 … 5, the second exceeds the cap of 2.
        SmallFacts facts = new([0.2, 0.4, 0.4], [0.5, 0.1, 0.4], EngineWeights.Default);
        double[] values = [10, 1, -1];
        Assert.Equal(0.3, facts.TotalVariation, 1e-15);
        Assert.Equal(0.6, facts.ExpectedRatioDistance, 1e-15);
        Assert.Equal(0.4 - 0.4, facts.SampledExpectation(TheoryOperator.IcePop, values), 1e-15);
        Assert.Equal(-2, facts.IcePopBias(values), 1e-15);
        Assert.Equal(
            2 + 0.2 - 0.4, facts.SampledExpectation(TheoryOperator.TruncatedImportanceSampling, values), 1e-15);
        Assert.Equal(-0.2, facts.TruncationBias(values), 1e-15);
        Assert.Equal(0.1 - 0.4, facts.SampledExpectation(TheoryOperator.BinaryMask, values), 1e-15);
        Assert.Equal(0.2, facts.MassBelow, 1e-15);
        Assert.Equal(0, facts.MassAbove);
        Assert.Equal(0.2 + 0.2 + 0.4, facts.TruncatedMass, 1e-15);
    }

    // P51's last statement.
    [Property]
    public void KPopKeepsOnlyNeighbours(int seed)
    {
        SplitMixRandom random = new((ulong)(uint)seed);
        double width = new[] { 0.1, 0.5, 0.75, 2.0 }[random.NextInteger(4)];
        double train = random.NextUniform(), infer = random.NextUniform();
        bool keeps = SmallFacts.KPopKeeps(train, infer, width);
        Assert.Equal(keeps, SmallFacts.KPopKeeps(infer, train, width));
        Assert.True(
            !keeps || Math.Abs(train - infer) <= SmallFacts.KPopReach(width) + 1e-15, $"{train} {infer} {width}");
        Assert.True(SmallFacts.KPopKeeps(train, train, 0));
    }

    [Fact]
    public void WhatIsNoDistributionIsRefused()
    {
        Assert.Throws<ArgumentException>(() => new SmallFacts([0.5, 0.5], [1.0, 0.0], EngineWeights.Default));
        Assert.Throws<ArgumentException>(() => new SmallFacts([0.5, 0.4], [0.5, 0.5], EngineWeights.Default));
        Assert.Throws<ArgumentException>(() => new SmallFacts([1.0], [0.5, 0.5], EngineWeights.Default));
        Assert.Throws<ArgumentException>(() => new SmallFacts([], [], EngineWeights.Default));
        Assert.Throws<ArgumentException>(() => new SmallFacts([double.NaN, 1], [0.5, 0.5], EngineWeights.Default));
    }

    private static (SmallFacts Facts, double[] Values) Draw(int seed)
    {
        SplitMixRandom random = new((ulong)(uint)seed);
        int vocabulary = 2 + random.NextInteger(11);
        (double alpha, double beta) = Bands[random.NextInteger(Bands.Length)];
        double cap = 0.5 + (2 * random.NextUniform());
        SmallFacts facts = new(Dirichlet(random, vocabulary), Dirichlet(random, vocabulary), new(alpha, beta, cap));
        return (facts, [.. Enumerable.Range(0, vocabulary).Select(_ => random.NextNormal())]);
    }

    // Exponential variates over their sum; the power makes some distributions sharp.
    private static double[] Dirichlet(SplitMixRandom random, int vocabulary)
    {
        double power = 1 + (3 * random.NextInteger(2));
        double[] weights =
        [
            .. Enumerable.Range(0, vocabulary)
                .Select(_ => Math.Max(Math.Pow(-Math.Log(1 - random.NextUniform()), power), 1e-12)),
        ];
        double sum = weights.Sum();
        return Array.ConvertAll(weights, weight => weight / sum);
    }
}
