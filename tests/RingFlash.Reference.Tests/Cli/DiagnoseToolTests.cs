// Red here means that a deliberately broken candidate cannot be made, or is not diagnosed, at the command line.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Diagnosis;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class DiagnoseToolTests : IDisposable
{
    private const string Ids = "119,150,408,5,140,171,215,481";

    private const string Sparse = "embedding,attention,router,mlp,layers,norm,logits";

    private static readonly string Tiny =
        "synthetic:" + Path.Combine(RepositoryRoot.Golden, "tiny-f32", "config.json") + "@7";

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    public async Task AMistakeOnPurposeIsFound(string precision)
    {
        string broken = temporary.File("broken"), json = temporary.File("diagnosis.json");
        ToolRun capture = await Tool(
            "capture", Tiny, "--ids", Ids, "--precision", precision, "--taps", Sparse, "--mistake",
            "router.bias-in-weights", "--out", broken);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (capture.Code, capture.Error));
        Assert.Contains("made wrong on purpose: router.bias-in-weights", capture.Output, StringComparison.Ordinal);
        ToolRun run = await Tool("diagnose", Tiny, broken, "--json", json);
        Assert.Equal((ExitCodes.OverBudget, string.Empty), (run.Code, run.Error));
        Assert.StartsWith(
            "FOUND: your output equals the reference with the expert bias used in the weights",
            run.Output,
            StringComparison.Ordinal);
        Assert.All(run.Output.Split('\n').Skip(1), line => Assert.True(line.Length <= 100, line));
        using JsonDocument document = JsonDocument.Parse(await File.ReadAllBytesAsync(
            json, TestContext.Current.CancellationToken));
        JsonElement finding = document.RootElement.GetProperty("findings")[0];
        Assert.Equal("router.bias-in-weights", finding.GetProperty("mistakes")[0].GetProperty("id").GetString());
        Assert.Equal("layers 1–3", finding.GetProperty("where").GetString());
    }

    [Fact]
    public async Task AModelWithoutAMistakeIsNotAccused()
    {
        string right = temporary.File("right");
        await Tool("capture", Tiny, "--ids", Ids, "--taps", Sparse, "--out", right);
        ToolRun run = await Tool("diagnose", Tiny, right);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.StartsWith("no mistake: the same bits", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheCatalogueIsListed()
    {
        string json = temporary.File("mistakes.json");
        ToolRun run = await Tool("diagnose", "--list", "--json", json);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.All(MistakeCatalogue.All, mistake => Assert.Contains(mistake.Id, run.Output, StringComparison.Ordinal));
        Assert.All(run.Output.Split('\n'), line => Assert.True(line.Length <= 100, line));
        using JsonDocument document = JsonDocument.Parse(await File.ReadAllBytesAsync(
            json, TestContext.Current.CancellationToken));
        Assert.Equal(MistakeCatalogue.All.Count, document.RootElement.GetProperty("mistakes").GetArrayLength());
    }

    [Theory]
    [InlineData("diagnose", "x")]
    [InlineData("diagnose", "golden", "x", "--pair-seconds", "-1")]
    [InlineData("capture", "synthetic:ring-mini-2.0", "--ids", "1", "--out", "y", "--mistake", "norm.nothing")]
    [InlineData("capture", "synthetic:ring-mini-2.0", "--ids", "1", "--out", "y", "--taps", "everything")]
    public async Task WrongUsageIsRefused(params string[] args)
    {
        ToolRun run = await Tool(args);
        Assert.Equal(ExitCodes.WrongUsage, run.Code);
        Assert.DoesNotContain('\n', run.Error.TrimEnd('\n'));
    }

    private async Task<ToolRun> Tool(params string[] args)
    {
        ToolContext context = ToolRun.Surroundings((_, _, _) => throw new InvalidOperationException("not asked for"))
            with { CurrentDirectory = temporary.Path };
        return await ToolRun.In(context, CancellationToken.None, args);
    }
}
