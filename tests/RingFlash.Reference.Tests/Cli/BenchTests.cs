// Red here: ringflash bench leaves an operator out, times a wrong path, or its files cannot be read.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using System.Xml.Linq;
using RingFlash.Cli;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class BenchTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    private static readonly string[] Operators =
    [
        "query_key_value", "attention dense", "dense MLP gate, up", "dense MLP down", "lm_head", "router",
        "routed experts", "attention, prefill", "attention, decode", "RmsNorm", "RmsNorm, query heads",
        "RotaryEmbedding, queries", "softmax", "SwiGlu", "ResidualAdd", "ExpertCombine", "router scores, top-k",
        "synthetic weights", "model, prefill", "model, decode", "IcePop value, gradient",
    ];

    private static readonly BenchmarkShape Tiny = new(
        "tiny",
        BuiltInConfigurations.Get("ring-mini-2.0").Configuration with
        {
            HiddenSize = 256,
            AttentionHeadCount = 4,
            KeyValueHeadCount = 2,
            IntermediateSize = 272,
            ExpertIntermediateSize = 96,
            ExpertCount = 32,
            VocabularySize = 1000,
        });

    [Fact]
    public async Task EveryOperatorHasARowSamplesAndADot()
    {
        using TemporaryFolder temporary = new();
        string json = temporary.File("bench.json"), svg = temporary.File("bench.svg");
        ToolRun run = await Bench(options => options, "--quick", "--json", json, "--svg", svg);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        string[] lines = run.Output.Split('\n');
        Assert.All(lines, line => Assert.True(line.Length <= ToolContext.PlainWidth, line));
        Assert.All(Operators, name =>
            Assert.Contains(lines, line => line.StartsWith(name + " ", StringComparison.Ordinal)));
        Assert.All(Operators, name =>
            Assert.Contains(lines, line => line.StartsWith($"  {name}: ", StringComparison.Ordinal))); // the floors

        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(json));
        JsonElement root = document.RootElement;
        Assert.Equal("ringflash-bench/1", root.GetProperty("schema").GetString());
        foreach (string name in new[] { "processor", "instructionSet", "runtime", "date" })
        {
            Assert.NotEqual(string.Empty, root.GetProperty("machine").GetProperty(name).GetString());
        }

        JsonElement[] ceilings = [.. root.GetProperty("ceilings").EnumerateArray()];
        Assert.Equal([1, 2], ceilings.Select(ceiling => ceiling.GetProperty("threads").GetInt32()));
        Assert.All(ceilings, ceiling => Assert.True(
            ceiling.GetProperty("readBytesPerSecond").GetDouble() > 1e6
            && ceiling.GetProperty("operationsPerSecond").GetDouble() > 1e6));
        JsonElement[] cases = [.. root.GetProperty("cases").EnumerateArray()];
        Assert.Equal(Operators, cases.Select(next => next.GetProperty("operator").GetString()).Distinct());
        Assert.All(cases, next =>
        {
            Assert.True(next.GetProperty("comparedOutputs").GetInt32() > 0);
            JsonElement[] samples = [.. next.GetProperty("samples").EnumerateArray()];
            Assert.True(samples.Length >= 3);
            Assert.All(samples, sample => Assert.True(sample.GetProperty("seconds").GetDouble() > 0));
            Assert.True(next.GetProperty("shareOfFloor").GetProperty("median").GetDouble() > 0);
        });

        JsonElement[] onOneThread = [.. cases.Where(next => next.TryGetProperty("timesOneThread", out _))];
        Assert.NotEmpty(onOneThread);
        Assert.All(onOneThread, next => Assert.True(
            next.GetProperty("samples")[0].GetProperty("secondsOnOneThread").GetDouble() > 0));
        XElement picture = XElement.Parse(File.ReadAllText(svg));
        Assert.Equal(cases.Length, picture.Descendants(Svg + "circle").Count());
        HashSet<string> texts = [.. picture.Descendants(Svg + "text").Select(text => text.Value)];
        Assert.All(cases, next => Assert.Contains(
            $"{next.GetProperty("operator").GetString()} {next.GetProperty("size").GetString()}", texts));
    }

    [Fact]
    public async Task AWrongPathIsRefusedWhicheverOperatorItIs()
    {
        using TemporaryFolder temporary = new();
        string json = temporary.File("bench.json"), svg = temporary.File("bench.svg");
        ToolRun run = await Bench(
            options => options with
            {
                Spoil = (_, values) => values[^1] = BitConverter.Int32BitsToSingle(
                    BitConverter.SingleToInt32Bits(values[^1]) ^ 1),
            },
            "--quick", "--json", json, "--svg", svg);
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("does not have the scalar bits", run.Output, StringComparison.Ordinal);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(json));
        JsonElement[] cases = [.. document.RootElement.GetProperty("cases").EnumerateArray()];
        Assert.Equal(Operators, cases.Select(next => next.GetProperty("operator").GetString()).Distinct());
        Assert.All(cases, next => Assert.Equal(0, next.GetProperty("samples").GetArrayLength()));
        Assert.All(cases, next => Assert.NotNull(next.GetProperty("refusal").GetString()));
        Assert.Empty(XElement.Parse(File.ReadAllText(svg)).Descendants(Svg + "circle"));
    }

    [Fact]
    public async Task TheOthersAreStillTimed()
    {
        ToolRun run = await Bench(
            options => options with
            {
                Spoil = (name, values) => values[0] = name == "SwiGlu" ? float.NaN : values[0],
            },
            "--quick", "--filter", "T = 128");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("not timed: tiny SwiGlu T = 128", run.Output, StringComparison.Ordinal);
        Assert.Contains("7 of 8 cases timed", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MistakesHaveTheirCodes()
    {
        ToolRun unknown = await Bench(options => options, "ring-giant");
        Assert.Equal(ExitCodes.WrongUsage, unknown.Code);
        Assert.Contains("ring-mini-2.0", unknown.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.WrongUsage, (await Bench(options => options, "--threads", "0")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Bench(options => options, "--filter", "no such case")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Bench(options => options, "--json", "a", "--svg", "a")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Bench(options => options, "ring-mini-2.0", "growth")).Code);
        foreach (string[] words in new string[][] { ["--quick"], ["growth", "--quick"] })
        {
            ToolRun small = await Bench(options => options with { AvailableMemoryBytes = 1000 }, words);
            Assert.Equal(ExitCodes.Environment, small.Code);
            Assert.Matches(@"^ringflash: .* needs \d+\.\d\d GB of memory and 0\.00 GB are available.*\n$", small.Error);
        }
    }

    [Fact]
    public async Task GrowthSetsFittedBesideExpected()
    {
        using TemporaryFolder temporary = new();
        string json = temporary.File("growth.json"), svg = temporary.File("growth.svg");
        ToolRun run = await Bench(options => options, "growth", "--quick", "--json", json, "--svg", svg);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(json));
        JsonElement[] curves = [.. document.RootElement.GetProperty("curves").EnumerateArray()];
        Assert.Equal(10, curves.Length);
        Assert.All(curves, curve =>
        {
            Assert.Contains(curve.GetProperty("cost").GetString()!, run.Output, StringComparison.Ordinal);
            Assert.True(curve.GetProperty("points").GetArrayLength() >= 3);
            if (curve.GetProperty("unit").GetString() == "bytes")
            {
                // Counted and not timed, so it must fit; allocation has a constant part.
                Assert.Equal(
                    curve.GetProperty("expectedExponent").GetDouble(),
                    curve.GetProperty("fittedExponent").GetDouble(),
                    0.1);
            }
        });
        XElement picture = XElement.Parse(File.ReadAllText(svg));
        Assert.Equal(
            curves.Sum(curve => curve.GetProperty("points").GetArrayLength()),
            picture.Descendants(Svg + "circle").Count());
    }

    [Fact]
    public async Task GrowthOfAWrongPathIsNotTimed()
    {
        ToolRun run = await Bench(
            options => options with { Spoil = (name, values) => values[0] += name == "projection" ? 1 : 0 },
            "growth", "--quick");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("not timed: projection, 32 tokens", run.Output, StringComparison.Ordinal);
    }

    private static Task<ToolRun> Bench(Func<BenchmarkOptions, BenchmarkOptions> change, params string[] arguments)
    {
        BenchmarkOptions Small(BenchmarkOptions options) => change(options) with
        {
            Shapes = [Tiny],
            ThreadCount = 2,
            RotationBytes = 1 << 20,
        };
        ToolContext context =
            ToolRun.Surroundings((_, _, _) => throw new InvalidOperationException("nothing is verified here")) with
            {
                Bench = (options, progress, cancellation) => Benchmark.Run(Small(options), progress, cancellation),
                Growth = (options, progress, cancellation) => Growth.Run(Small(options), progress, cancellation),
            };
        return ToolRun.In(context, CancellationToken.None, ["bench", .. arguments]);
    }
}
