// Red here: a toy experiment of the theory pages no longer shows what its page says it shows.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using FsCheck.Xunit;
using RingFlash.Reference.Objective.Theory;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Theory;

public sealed class ToyTests
{
    // IcePop's band makes its trajectory discontinuous: a last bit grows to 1e-9 in 2000 steps (measured).
    [Theory]
    [InlineData("grpo", TheoryOperator.Uncorrected, 1e-11)]
    [InlineData("is", TheoryOperator.ImportanceSampling, 1e-11)]
    [InlineData("tis", TheoryOperator.TruncatedImportanceSampling, 1e-11)]
    [InlineData("icepop", TheoryOperator.IcePop, 1e-8)]
    [InlineData("mask_one", TheoryOperator.BinaryMask, 1e-11)]
    public void StaleEngineBanditFollowsTheStoredTrajectories(string name, TheoryOperator kind, double relative)
    {
        using JsonDocument document = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(RepositoryRoot.Golden, "icepop", "toy_stale_engine_bandit.json")));
        JsonElement[] stored =
            [.. document.RootElement.GetProperty("trajectories").GetProperty(name).EnumerateArray()];
        IReadOnlyList<BanditPoint> points =
            StaleEngineBandit.Run(kind, [.. stored.Select(point => point.GetProperty("step").GetInt32())]);
        Assert.Equal(stored.Length, points.Count);
        for (int index = 0; index < stored.Length; index++)
        {
            JsonElement expected = stored[index];
            BanditPoint actual = points[index];
            void Same(string key, double value)
            {
                double wanted = expected.GetProperty(key).GetDouble();
                Assert.True(
                    Math.Abs(wanted - value) <= (relative * Math.Abs(wanted)) + 1e-15,
                    $"{name}, step {actual.Step}, {key}: {value:R} for {wanted:R}");
            }

            Same("delta", actual.Divergence);
            Same("max_abs", actual.LargestLogRatio);
            Same("mean_abs", actual.MeanLogRatio);
            Same("masked_mass", actual.MaskedMass);
            Same("grad_norm", actual.GradientNorm);
            Same("train_reward", actual.TrainReward);
            Assert.Equal(
                expected.GetProperty("bias_align_over_delta").ValueKind == JsonValueKind.Null,
                actual.AlignmentOverDivergence is null);
            if (actual.AlignmentOverDivergence is double alignment)
            {
                Same("bias_align_over_delta", alignment);
            }
        }
    }

    [Fact]
    public void TheBanditsPageSaysWhatHappens()
    {
        int[] steps = [1000, 2000];
        Dictionary<TheoryOperator, BanditPoint> end = Enum.GetValues<TheoryOperator>()
            .ToDictionary(kind => kind, kind => StaleEngineBandit.Run(kind, steps)[1]);
        double growth = end[TheoryOperator.Uncorrected].Divergence
            / StaleEngineBandit.Run(TheoryOperator.Uncorrected, steps)[0].Divergence;
        Assert.InRange(growth, 1.9, 2.1); // linear
        Assert.All(end.Where(pair => pair.Key != TheoryOperator.Uncorrected), pair =>
            Assert.True(pair.Value.Divergence < end[TheoryOperator.Uncorrected].Divergence / 20));
        Assert.True(end[TheoryOperator.TruncatedImportanceSampling].Divergence < end[TheoryOperator.IcePop].Divergence);
        Assert.Equal(TheoryOperator.BinaryMask, end.MinBy(pair => pair.Value.TrainReward).Key);
        Assert.Throws<ArgumentException>(() => StaleEngineBandit.Run(TheoryOperator.IcePop, [5, 5]));
    }

    // Ten seeds of this generator; the table in the page's design was made with ten seeds of another one. What held for
    // ten of ten there and for sixty of sixty here is asserted for every seed; the rest of the ten-of-ten claims (55
    // and 58 of 60 here) on the average and for four seeds of five. Tendencies are not asserted.
    [Fact]
    public void RoutingNoiseClaimsHold()
    {
        RoutingNoiseClaims claims = RoutingNoiseClaims.Evaluate(1, 10);
        Assert.Equal(5, claims.Claims.Count(claim => claim.DesignHeld == 10));
        Assert.All(claims.Claims, claim => Assert.True(
            claim.Test switch
            {
                ClaimTest.EverySeed => claim.Held == claim.Seeds,
                ClaimTest.Average => 5 * claim.Held >= 4 * claim.Seeds,
                _ => claim.DesignHeld < 10,
            },
            claim.ToString()));
        Assert.True(
            claims.MeanAtEnd(TheoryOperator.ImportanceSampling, point => point.Divergence)
            > claims.MeanAtEnd(TheoryOperator.IcePop, point => point.Divergence));
        Assert.True(
            claims.MeanAtEnd(TheoryOperator.IcePop, point => point.MaskedEntropy)
            > claims.MeanAtEnd(TheoryOperator.IcePop, point => point.Entropy) + 0.1);

        // The reward rises for every operator: the collapse seen with GRPO is not reproduced, as the page says.
        Assert.All(claims.Runs.SelectMany(run => run.Values), run => Assert.True(run.End.Reward > run.Start.Reward));
    }

    [Fact]
    public void OperatorsMeetTheSameWorld()
    {
        RoutingNoiseRun left = RoutingNoiseSimulation.Run(TheoryOperator.IcePop, 7, steps: 1);
        RoutingNoiseRun right = RoutingNoiseSimulation.Run(TheoryOperator.Uncorrected, 7, steps: 1);
        Assert.Equal(left.Start, right.Start);
        Assert.NotEqual(left.Start, RoutingNoiseSimulation.Run(TheoryOperator.IcePop, 8, steps: 1).Start);
        Assert.Equal(left.End, RoutingNoiseSimulation.Run(TheoryOperator.IcePop, 7, steps: 1).End);
    }

    // The spec's figures were sampled; the closed form is exact. Two parts in a hundred cover their noise.
    [Theory]
    [InlineData(0, 0.0270, 1.19, 1.94, 0.95)]
    [InlineData(1, 0.0266, 1.56, 2.70, 1.16)]
    [InlineData(2, 0.0276, 1.13, 1.71, 0.95)]
    public void CalibratedMismatchHasTheReportedMagnitudes(
        int which, double mean, double wide, double narrow, double other)
    {
        CalibratedMismatch mismatch = CalibratedMismatch.Published[which];
        Assert.Equal(mean, mismatch.MeanAbsoluteLogRatio, 0.02 * mean);
        Assert.Equal(wide, 1000 * mismatch.ShareOutside(0.5, 5), 0.025 * wide);
        Assert.Equal(narrow, 1000 * mismatch.ShareOutside(0.5, 2), 0.025 * narrow);
        Assert.Equal(other, 1000 * mismatch.ShareOutside(0.4, 5), 0.025 * other);
        Assert.Equal(0, mismatch.ShareOutside(0, double.PositiveInfinity));

        SplitMixRandom random = new(11);
        double[] sample = [.. Enumerable.Range(0, 400_000).Select(_ => mismatch.Next(random))];
        Assert.Equal(mismatch.MeanAbsoluteLogRatio, sample.Average(Math.Abs), 0.01 * mean);
        double share = sample.Count(delta => delta < Math.Log(0.5) || delta > Math.Log(5)) / 400.0;
        Assert.Equal(wide, share, 0.12 * wide); // 470 events: four standard deviations are 0.18, this seed has less
    }

    [Theory]
    [InlineData(0.0, 0.5)]
    [InlineData(1.0, 0.15865525393145705)]
    [InlineData(-1.0, 0.8413447460685429)]
    [InlineData(2.999, 0.0013543365337271066)]
    [InlineData(3.001, 0.0013454728250849683)]
    [InlineData(8.0, 6.220960574271819e-16)]
    public void NormalTailsAreRight(double x, double expected) =>
        Assert.Equal(expected, CalibratedMismatch.NormalTail(x), 1e-9 * expected);

    [Fact]
    public void TheGeneratorGivesTheNumbersOfItsReference()
    {
        // From the reference implementation in C, seed 1234567.
        SplitMixRandom random = new(1234567);
        ulong[] expected =
        [
            6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
        ];
        Assert.Equal(expected, Enumerable.Range(0, 5).Select(_ => random.NextBits()));
    }

    [Property(Replay = "(20251125,20251127)", MaxTest = 1000)]
    public void UniformNumbersStayInTheirRange(int seed, ushort bound)
    {
        SplitMixRandom random = new((ulong)(uint)seed);
        Assert.InRange(random.NextUniform(), 0, Math.BitDecrement(1.0));
        Assert.InRange(random.NextInteger(1 + bound), 0, bound);
        Assert.True(double.IsFinite(random.NextNormal()));
    }
}
