// Red here: a file of log-probabilities is misread, or a broken one is taken for a good one.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using FsCheck.Xunit;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective.Mismatch;
using RingFlash.Reference.Objective.Theory;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Mismatch;

public sealed class LogProbabilityFileTests
{
    private const string Good =
        """{"schema":1,"log_probabilities":[[-1.5,"NaN"],["-Infinity",-2e-3]],"mask":[[1,0],[true,1]]}""";

    [Fact]
    public void JsonIsRead()
    {
        LogProbabilityData data = Json(Good);
        Assert.Equal((2, 2), (data.Rollouts, data.ResponseLength));
        Assert.Equal([-1.5, double.NaN, double.NegativeInfinity, -2e-3], data.LogProbabilities);
        Assert.Equal([true, false, true, true], data.Mask!);
        Assert.Null(data.RoutedExperts);
        LogProbabilityData routed = Json(
            """{"schema":1,"log_probabilities":[[-1]],"routed_experts":[[[[3,1],[2,-1],[0,7]]]]}""");
        Assert.Equal((3, 2), (routed.RoutedExperts!.Layers, routed.RoutedExperts.TopK));
        Assert.Equal([3, 1, 2, -1, 0, 7], routed.RoutedExperts.Experts);
    }

    [Theory]
    [InlineData("""{"log_probabilities":[[-1]]}""", "$.schema")]
    [InlineData("""{"schema":2,"log_probabilities":[[-1]]}""", "must be 1; found 2")]
    [InlineData("""{"schema":1}""", "$.log_probabilities")]
    [InlineData("""{"schema":1,"log_probabilities":[-1]}""", "must be an array")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1,-2],[-1]]}""", "$.log_probabilities[1]: has 1 elements")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1],[-1,-2]]}""", "$.log_probabilities[1]: has 2 elements")]
    [InlineData("""{"schema":1,"log_probabilities":[[null]]}""", "found null")]
    [InlineData("""{"schema":1,"log_probabilities":[["inf"]]}""", "\"Infinity\"")]
    [InlineData("""{"schema":1,"log_probabilities":[[1e999]]}""", "must be a number")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],"mask":[[2]]}""", "$.mask[0][0]: must be 0, 1")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],"mask":[[1,1]]}""", "is [1][2], log_probabilities is [1][1]")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],"mask":[[1]],"mask":[[0]]}""", "duplicate key")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],"masks":[[1]]}""", "$.masks: unknown key")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],"routed_experts":[[[1]]]}""", "must be an array")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],"routed_experts":[[[[-2]]]]}""", "expert's number")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],"routed_experts":[[[[1.5]]]]}""", "expert's number")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],"routed_experts":[[[]]]}""", "at least one layer")]
    [InlineData("""{"schema":1,"log_probabilities":[[-1]],}""", "strict JSON")]
    [InlineData("{", "strict JSON")]
    public void BrokenJsonGetsOneLine(string text, string expected) => OneLine(() => Json(text), expected);

    [Fact]
    public void SafetensorsIsRead()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("a.safetensors");
        SafetensorsWriter.Write(path,
        [
            SafetensorsContent.FromDouble("log_probabilities", [2, 2], new[] { -0.1, double.NaN, -2, -3 }),
            SafetensorsContent.FromBytes(new("mask", ElementType.Boolean, [2, 2]), new byte[] { 1, 0, 1, 1 }),
            SafetensorsContent.FromInt64("routed_experts", [2, 2, 1, 2], new long[] { 0, 1, 2, 3, 4, 5, 6, -1 }),
            SafetensorsContent.FromSingle("rewards", [2], new[] { 1f, 0f }),
        ]);
        LogProbabilityData data = LogProbabilityFile.Read(path);
        Assert.Equal([-0.1, double.NaN, -2, -3], data.LogProbabilities);
        Assert.Equal([true, false, true, true], data.Mask!);
        Assert.Equal((1, 2), (data.RoutedExperts!.Layers, data.RoutedExperts.TopK));
        Assert.Contains("\"rewards\" is not used", Assert.Single(data.Warnings), StringComparison.Ordinal);

        SafetensorsWriter.Write(path, [SafetensorsContent.FromSingle("log_probabilities", [1, 1], new[] { -0.1f })]);
        Assert.Equal(-0.1f, LogProbabilityFile.Read(path).LogProbabilities[0]);
        Assert.Equal(-1.5, LogProbabilityFile.Read(folder.Write("b.json", " \n" + Good)).LogProbabilities[0]);
    }

    [Fact]
    public void BrokenSafetensorsGetsOneLine()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("a.safetensors");
        SafetensorsContent good = SafetensorsContent.FromSingle("log_probabilities", [1, 2], new[] { -1f, -2f });
        void Refused(string expected, params SafetensorsContent[] contents)
        {
            SafetensorsWriter.Write(path, contents);
            OneLine(() => LogProbabilityFile.Read(path), expected);
        }

        Refused("is missing", SafetensorsContent.FromSingle("logprobs", [1], new[] { 1f }));
        Refused("must have 2 axes", SafetensorsContent.FromSingle("log_probabilities", [2], new[] { 1f, 1f }));
        Refused(
            "found BF16",
            SafetensorsContent.FromBytes(new("log_probabilities", ElementType.BFloat16, [1, 1]), new byte[2]));
        Refused("shape [2, 1] differs", good, SafetensorsContent.FromInt64("mask", [2, 1], new long[] { 1, 1 }));
        Refused(
            "rollout 0, token 1: must be 0 or 1",
            good,
            SafetensorsContent.FromInt64("mask", [1, 2], new long[] { 1, 2 }));
        Refused("found F32", good, SafetensorsContent.FromSingle("mask", [1, 2], new[] { 1f, 1f }));
        Refused(
            "layers, topK",
            good,
            SafetensorsContent.FromInt64("routed_experts", [2, 1, 1, 1], new long[] { 1, 1 }));
        Refused(
            "at least −1",
            good,
            SafetensorsContent.FromInt64("routed_experts", [1, 2, 1, 1], new long[] { 1, -3 }));
        OneLine(() => LogProbabilityFile.Read(folder.Write("c", [0x50, 0x4B, 3, 4, 0, 0, 0, 0, 0, 0])), "c: ");
        OneLine(() => LogProbabilityFile.Read(folder.Write("empty", string.Empty)), "empty: ");
        Assert.Throws<EnvironmentException>(() => LogProbabilityFile.Read(folder.File("nowhere")));
    }

    [Fact]
    public void FilesThatDoNotFitEachOtherAreRefused()
    {
        LogProbabilityData a = MismatchCases.Data("a", 1, [-1, -2], "11");
        LogProbabilityData b = MismatchCases.Data("b", 2, [-1, -2], "11");
        OneLine(() => MismatchInput.Create(a, b), "b: log_probabilities: shape [2, 1] differs from [1, 2] of a");
        OneLine(() => MismatchInput.Create(a, MismatchCases.Data("b", 1, [-1, -2], "10")), "mask rollout 0, token 1");
        LogProbabilityData none = MismatchCases.Data("b", 1, [-1, -2], "00");
        OneLine(() => MismatchInput.Create(a with { Mask = null }, none), "nothing to compare");
        OneLine(
            () => MismatchInput.Create(
                a with { RoutedExperts = new(1, 1, [1, 2]) }, a with { RoutedExperts = new(1, 2, [1, 2, 3, 4]) }),
            "1 layers of 2 experts");
        OneLine(
            () => MismatchInput.Create(MismatchCases.Data("a", 0, []), MismatchCases.Data("b", 0, [])),
            "nothing to compare");
    }

    [Fact]
    public void WhatIsOddIsAWarning()
    {
        LogProbabilityData a = MismatchCases.Data("a", 1, [-1, 0.5, 7], "110");
        LogProbabilityData b = MismatchCases.Data("b", 1, [-1, -2, 9], "110");
        string warning = Assert.Single(MismatchInput.Create(a, b).Warnings);
        Assert.Equal("a: 1 valid log-probabilities are above 0, first rollout 0, token 1: 0.5", warning);
        Assert.Contains(
            MismatchInput.Create(a with { Mask = null }, b with { Mask = null }).Warnings,
            text => text.StartsWith("neither file has a mask", StringComparison.Ordinal));
        Assert.Contains(
            MismatchInput.Create(a with { RoutedExperts = new(1, 1, [1, 2, 3]) }, b).Warnings,
            text => text.Contains("only a has routed_experts", StringComparison.Ordinal));
    }

    // Damage anywhere gives a value or one line, never another exception.
    [Property(Replay = "(20251125,20251127)", MaxTest = 1000)]
    public void DamagedFilesAreRefusedOrRead(int seed)
    {
        SplitMixRandom random = new((ulong)(uint)seed);
        List<byte> bytes = [.. Encoding.UTF8.GetBytes(Good)];
        for (int change = random.NextInteger(4); change >= 0; change--)
        {
            int place = random.NextInteger(bytes.Count);
            switch (random.NextInteger(3))
            {
                case 0: bytes[place] = (byte)random.NextInteger(256); break;
                case 1: bytes.RemoveAt(place); break;
                default: bytes.Insert(place, bytes[random.NextInteger(bytes.Count)]); break;
            }
        }

        try
        {
            LogProbabilityData data = LogProbabilityFile.ReadJson(bytes.ToArray(), "damaged");
            Assert.Equal(data.Rollouts * data.ResponseLength, data.LogProbabilities.Length);
        }
        catch (InvalidInputException exception)
        {
            Assert.DoesNotContain('\n', exception.Message);
        }
    }

    private static LogProbabilityData Json(string text) =>
        LogProbabilityFile.ReadJson(Encoding.UTF8.GetBytes(text), "x.json");

    private static void OneLine(Func<object> act, string expected)
    {
        InvalidInputException exception = Assert.Throws<InvalidInputException>(act);
        Assert.DoesNotContain('\n', exception.Message);
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }
}
