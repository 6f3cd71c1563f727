// Red here: the compounding theorem's constants, recursion or threshold are not those of the report's appendix.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using FsCheck.Xunit;
using RingFlash.Reference.Objective.Theory;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Theory;

[Properties(Replay = "(20251125,20251127)", MaxTest = 1000)]
public sealed class CompoundingBoundTests
{
    [Fact]
    public void StoredSequencesAreReproduced()
    {
        using JsonDocument document = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(RepositoryRoot.Golden, "icepop", "theorem_bounds.json")));
        JsonElement[] items = [.. document.RootElement.GetProperty("items").EnumerateArray()];
        Assert.NotEmpty(items);
        foreach (JsonElement item in items)
        {
            double Get(string name) => item.GetProperty(name).GetDouble();
            CompoundingBound bound = new(Get("c"), Get("M"), Get("L"), Get("G"), Get("mu_bar"));
            double[] expected =
                [.. item.GetProperty("lower_bound_sequence").EnumerateArray().Select(value => value.GetDouble())];
            double[] actual = bound.Sequence(Get("delta0"), Get("mu"), expected.Length - 1);
            Close(Get("eta"), bound.Growth);
            Close(Get("kappa"), bound.Loss);
            Close(Get("delta_c"), bound.Threshold);
            Close(Get("factor_half"), bound.CompoundingFactor(Get("mu")));
            Assert.Equal(item.GetProperty("compounds_from_start").GetBoolean(), Get("delta0") >= bound.Threshold);
            for (int t = 0; t < expected.Length; t++)
            {
                Close(expected[t], actual[t]);
                Close(expected[t], bound.ClosedForm(Get("delta0"), Get("mu"), t), 1e-11);
            }
        }
    }

    // P53, with its ranges: c .05–2, M 0–.05, L .1–3, G .1–1, μ 1e-3–.2.
    [Property]
    public void FromTheThresholdOnTheBoundCompounds(int seed)
    {
        (CompoundingBound bound, double step, SplitMixRandom random) = Draw(seed);
        double start = bound.Threshold * (1 + (random.NextInteger(4) == 0 ? 0 : 3 * random.NextUniform()));
        double[] sequence = bound.Sequence(start, step, 30);
        double factor = bound.CompoundingFactor(step);
        for (int t = 0; t <= 30; t++)
        {
            Assert.True(sequence[t] >= start * Math.Pow(factor, t) * (1 - 1e-12), $"step {t}, seed {seed}");
        }

        int doubled = (int)Math.Ceiling(bound.DoublingTime(step));
        double later = bound.ClosedForm(start, step, doubled);
        Assert.True(later >= 2 * start * (1 - 1e-9), $"{doubled} steps do not double {start}: {later}");
    }

    [Property]
    public void TheFixedPointIsHalfTheThresholdAndDoesNotMove(int seed)
    {
        (CompoundingBound bound, double step, _) = Draw(seed);
        Close(bound.Threshold / 2, bound.FixedPoint);
        Close(bound.FixedPoint, bound.Next(bound.FixedPoint, step));
        Assert.True(bound.Next(bound.FixedPoint * 0.9, step) <= bound.FixedPoint * 0.9);
    }

    [Property]
    public void TheClosedFormIsTheRecursion(int seed, byte steps)
    {
        (CompoundingBound bound, double step, SplitMixRandom random) = Draw(seed);
        double start = random.NextUniform();
        int count = steps % 40;
        double scale = Math.Pow(1 + (bound.Growth * step), count) * (start + bound.FixedPoint);
        Assert.Equal(bound.Sequence(start, step, count)[^1], bound.ClosedForm(start, step, count), 1e-12 * scale);
    }

    [Theory]
    [InlineData(0, 0, 1, 1, 0.1)]
    [InlineData(double.NaN, 0, 1, 1, 0.1)]
    [InlineData(1, -1, 1, 1, 0.1)]
    [InlineData(1, 0, -1, 1, 0.1)]
    [InlineData(1, 0, 1, double.PositiveInfinity, 0.1)]
    [InlineData(1, 0, 1, 1, 0)]
    public void ConstantsOutsideTheAssumptionsAreRefused(double c, double m, double l, double g, double largest) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new CompoundingBound(c, m, l, g, largest));

    [Fact]
    public void AStepThatTheConstantDoesNotCoverIsRefused()
    {
        CompoundingBound bound = new(1, 0.01, 1, 1, 0.1);
        Assert.Throws<ArgumentOutOfRangeException>(() => bound.Next(1, 0.11));
        Assert.Throws<ArgumentOutOfRangeException>(() => bound.Next(1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => bound.ClosedForm(1, double.NaN, 1));
    }

    private static (CompoundingBound Bound, double Step, SplitMixRandom Random) Draw(int seed)
    {
        SplitMixRandom random = new((ulong)(uint)seed);
        double Between(double low, double high) => low + ((high - low) * random.NextUniform());
        double offset = random.NextInteger(10) == 0 ? 0 : Between(0, 0.05);
        double largest = Between(1e-3, 0.2);
        CompoundingBound bound = new(Between(0.05, 2), offset, Between(0.1, 3), Between(0.1, 1), largest);
        return (bound, random.NextInteger(2) == 0 ? largest : largest * Between(0.1, 1), random);
    }

    private static void Close(double expected, double actual, double relative = 1e-13) =>
        Assert.True(
            Math.Abs(expected - actual) <= relative * Math.Abs(expected),
            $"expected {expected:R}, got {actual:R}");
}
