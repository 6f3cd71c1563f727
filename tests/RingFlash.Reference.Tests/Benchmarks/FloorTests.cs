// Red here: a floor counts other bytes or operations than the operator must move or do, or a statistic is wrong.
using System;
using System.Linq;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Configuration;
using Xunit;

namespace RingFlash.Reference.Tests.Benchmarks;

public sealed class FloorTests
{
    [Theory]
    [InlineData("query_key_value M = 1", (2.0 * 5120 * 4096) + (4 * (5120 + 4096)), 2.0 * 5120 * 4096)]
    [InlineData("lm_head M = 8", (2.0 * 157184 * 4096) + (32 * (157184 + 4096)), 16.0 * 157184 * 4096)]
    [InlineData("routed experts M = 1", 201326592 + (36 * 4096), 8.0 * 2 * 3 * 4096 * 1024)]
    [InlineData("routed experts M = 512", (256 * 25165824.0) + (512 * 36 * 4096), 512 * 8.0 * 2 * 3 * 4096 * 1024)]
    [InlineData("attention, prefill T = 512", 4.0 * 512 * 128 * 72, 4.0 * 32 * 128 * 512 * 513 / 2)]
    [InlineData("attention, decode C = 32768", (4.0 * 2 * 4 * 32768 * 128) + (4 * 64 * 128), 4.0 * 32 * 128 * 32768)]
    public void BytesAndOperationsOfRingFlash(string label, double bytes, double operations)
    {
        BenchmarkOptions options = new() { Shapes = [BenchmarkOptions.Shape("ring-flash-2.0")] };
        BenchmarkCase found = Assert.Single(
            Benchmark.Cases(options, 1), next => $"{next.Operator} {next.Size}" == label);
        Assert.Equal((bytes, operations), (found.Bytes, found.Operations));
    }

    /// <summary>
    /// Gigabytes read per decoded token of two slices, as counted when llama.cpp ran them; it keeps routers in float32.
    /// </summary>
    [Theory]
    [InlineData("ring-flash-2.0", 2, 128, 10240, 0.994)]
    [InlineData("ring-mini-2.0", 3, 256, 32768, 0.457)]
    public void ATokenOfASliceReadsWhatElsewhereWasCounted(
        string name, int sparse, int experts, int vocabulary, double gigabytes)
    {
        ModelConfiguration slice =
            ModelSlice.Cut(BenchmarkOptions.Shape(name).Configuration, sparse, experts) with
            {
                VocabularySize = vocabulary,
            };
        Assert.Equal(gigabytes, 2e-9 * ModelSlice.ActiveWeights(slice, slice.ExpertsPerToken), 0.0035);
    }

    [Fact]
    public void QuartilesInterpolate()
    {
        Assert.Equal(new Quartiles(2, 3, 4), Quartiles.Of([5, 1, 3, 2, 4]));
        Assert.Equal(new Quartiles(1.25, 1.5, 1.75), Quartiles.Of([2, 1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Quartiles.Of([]));
    }

    [Fact]
    public void NothingComparedIsADifference()
    {
        Assert.NotNull(new SampledOutputs([], []).Difference());
        Assert.NotNull(new SampledOutputs([1], [1, 2]).Difference());
        Assert.NotNull(new SampledOutputs([0f], [-0f]).Difference());
        Assert.Null(new SampledOutputs([float.NaN], [float.NaN]).Difference());
    }

    [Fact]
    public void TheFloorIsTheLongerOfBoth()
    {
        Assert.Equal(0.5, new BenchmarkSample(4, 2, 1).Share);
        Assert.Equal(0.75, new BenchmarkSample(4, 2, 3).Share);
        Assert.Equal(0.25, new BenchmarkSample(4, null, 1).Share);
    }

    [Fact]
    public void ScalingIsThePairedRatioToOneThread()
    {
        BenchmarkCase any = AnyCase();
        BenchmarkResult bound = new(any, null, 1, [new(2, null, 1, 3), new(2, null, 1, 4), new(1, null, 1, 1)]);
        Assert.Equal(1.5, bound.Scaling!.Median);
        Assert.Null(new BenchmarkResult(any, null, 1, [new(4, 2, 1)]).Scaling);

        static BenchmarkCase AnyCase() => new()
        {
            Shape = "s",
            Operator = "o",
            Size = "1",
            Floor = "f",
            Bytes = 1,
            Operations = 1,
            Memory = 1,
        };
    }

    [Fact]
    public void AnExponentIsFitted()
    {
        GrowthCurve curve = new("cost", "size", false, 2, [.. new[] { 1.0, 2, 4, 8 }.Select(x => (x, 3 * x * x))]);
        Assert.Equal(2, curve.FittedExponent, 12);
    }
}
