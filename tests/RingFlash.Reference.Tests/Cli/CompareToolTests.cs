// Red here means that a person or a script learns nothing, or something wrong, from ringflash compare.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Configuration;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class CompareToolTests : IDisposable
{
    private const string Attended = "model.layers.2.attention.dense.output";

    private static readonly string Tiny = Path.Combine(RepositoryRoot.Golden, "tiny-f32");

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public async Task TheFaultIsInTheFirstLine()
    {
        string candidate = Write(Attended, values => values[100] += 0.5f);
        string json = temporary.File("report.json");
        ToolRun run = await Tool("compare", Tiny, candidate, "--json", json);
        Assert.Equal((ExitCodes.OverBudget, string.Empty), (run.Code, run.Error));
        string first = run.Output.Split('\n')[0];
        Assert.StartsWith(
            "DIFFERS: layer 2, attention: LinearProjection at model.layers.2.attention.dense.output, token 1, "
                + "[0, 1, 36]: candidate ",
            first,
            StringComparison.Ordinal);
        Assert.Contains("src/RingFlash.Reference/Operators/LinearProjection/LinearProjection.cs", first);
        Assert.All(run.Output.Split('\n').Skip(1), line => Assert.True(line.Length <= 100, line));
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(json));
        Assert.Equal("ringflash-compare/1", report.RootElement.GetProperty("schema").GetString());
        Assert.Equal(
            $"2/LinearProjection/{Attended}",
            report.RootElement.GetProperty("firstFault").GetProperty("id").GetString());
    }

    [Fact]
    public async Task ACorrectDumpAgrees()
    {
        string candidate = Write(string.Empty, _ => { });
        ToolRun run = await Tool("compare", Tiny, candidate, "--taps");
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.StartsWith("AGREES: ", run.Output, StringComparison.Ordinal);
        Assert.All(run.Output.Split('\n').Skip(1), line => Assert.True(line.Length <= 100, line));
        ToolRun stored = await Tool("compare", Tiny, candidate, "--mode", "free");
        Assert.Equal(ExitCodes.WithinBudget, stored.Code);
        Assert.Contains("no operator was checked by itself", stored.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StoredRunsShowTheFaultToo()
    {
        string candidate = Write(Attended, values => Array.Clear(values));
        ToolRun run = await Tool("compare", Tiny, candidate, "--mode", "free");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.StartsWith("DIFFERS: layer 2, ", run.Output, StringComparison.Ordinal);
        Assert.Contains("cannot be told apart", run.Output.Split('\n')[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task AModelIsComputedForTheIdsOfTheDump()
    {
        string candidate = Write(string.Empty, _ => { });
        string model = $"synthetic:{Path.Combine(Tiny, "config.json")}@20251327";
        Assert.Equal(ExitCodes.WithinBudget, (await Tool("compare", model, candidate)).Code);
        ToolRun other = await Tool("compare", $"synthetic:{Path.Combine(Tiny, "config.json")}@1", candidate);
        Assert.Equal(ExitCodes.OverBudget, other.Code);
        Assert.Contains("DIFFERS: embedding: TokenEmbedding", other.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "--precision", "float8")]
    [InlineData(2, "--mode", "both")]
    [InlineData(2, "--padding", "middle")]
    [InlineData(2, "--ids", "1,2")]
    [InlineData(2, "--threads", "0")]
    [InlineData(2, "--maap", "x")]
    public async Task AMistypedOptionIsRefused(int code, string option, string value)
    {
        ToolRun run = await Tool("compare", Tiny, Write(string.Empty, _ => { }), option, value);
        Assert.Equal(code, run.Code);
        Assert.Contains(option, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatIsNotThereIsNamed()
    {
        Assert.Equal(ExitCodes.Environment, (await Tool("compare", Tiny, temporary.File("nothing"))).Code);
        Assert.Equal(ExitCodes.Environment, (await Tool("compare", temporary.File("nothing"), Tiny)).Code);
    }

    private static Task<ToolRun> Tool(params string[] args) =>
        ToolRun.With(_ => throw new InvalidOperationException("verify was not asked for"), args);

    // The golden case's own values, without those of the MTP layer, as another program's dump.
    private string Write(string changed, Action<float[]> change)
    {
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(Tiny, "golden.safetensors"));
        List<SafetensorsContent> contents = [];
        foreach (TensorInfo tensor in golden.Tensors.Where(tensor =>
            !tensor.Name.Contains("layers.4.", StringComparison.Ordinal)
            && !tensor.Name.StartsWith("mtp.", StringComparison.Ordinal)))
        {
            if (tensor.ElementType == ElementType.Int64)
            {
                contents.Add(SafetensorsContent.FromInt64(tensor.Name, [.. tensor.Shape], golden.ReadInt64(tensor)));
            }
            else
            {
                float[] values = golden.ReadAllSingle(tensor);
                if (tensor.Name == changed)
                {
                    change(values);
                }

                contents.Add(SafetensorsContent.FromSingle(tensor.Name, [.. tensor.Shape], values));
            }
        }

        string path = temporary.File($"candidate-{contents.Count}.safetensors");
        SafetensorsWriter.Write(path, contents);
        return path;
    }
}
