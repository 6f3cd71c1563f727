// Red here means that inspect says something else than what the folder holds, or does not fit a screen.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Tokenization;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class InspectToolTests : IDisposable
{
    private static readonly string Tiny = Path.Combine(RepositoryRoot.Golden, "tiny-f32", "config.json");

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public async Task TheWholeModelInOneScreen()
    {
        string json = temporary.File("flash.json");
        ToolRun run = await Tool("inspect", "synthetic:ring-flash-2.0", "--json", json);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        string[] lines = run.Output.TrimEnd('\n').Split('\n');
        Assert.True(lines.Length <= 40, run.Output);
        Assert.All(lines, line => Assert.True(line.Length <= 100, line));
        Assert.Contains("layers: 32 (1 dense); hidden 4096", run.Output, StringComparison.Ordinal);
        Assert.Contains("102,889,705,216", run.Output, StringComparison.Ordinal);
        Assert.Contains("6,152,269,824", run.Output, StringComparison.Ordinal);
        Assert.Contains("all that the configuration needs and no other", run.Output, StringComparison.Ordinal);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(json));
        Assert.Equal(102_889_705_216, report.RootElement.GetProperty("parameters").GetInt64());
        Assert.Equal(131_072, report.RootElement.GetProperty("memory").GetProperty("cache_bytes_per_token").GetInt64());
    }

    [Fact]
    public async Task AFolderWithItsTokenizer()
    {
        string folder = await Synth();
        File.Copy(SmallTokenizer.PathOf("tokenizer.json"), Path.Combine(folder, "tokenizer.json"));
        ToolRun run = await Tool("inspect", folder);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.Contains("layers: 4 (1 dense) and an MTP layer (4)", run.Output, StringComparison.Ordinal);
        Assert.Contains("weights: F32 256 bytes, BF16 1,177,664 bytes in 1 file", run.Output, StringComparison.Ordinal);
        Assert.Contains(
            "tokenizer: 495 tokens, 15 of them added, ids below 495\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("chat template: ", run.Output, StringComparison.Ordinal);
        Assert.Contains("has no chat template", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MissingAndExtraTensorsAreNamedAndFail()
    {
        // A configuration with one layer more than the weights have; its MTP layer is then counted among the layers.
        string folder = await Synth();
        string path = Path.Combine(folder, "config.json"), json = temporary.File("report.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["moe_intermediate_size"] = 32;
        config["num_experts"] = 32;
        config["num_nextn_predict_layers"] = 0;
        File.WriteAllText(path, config.ToJsonString());
        ToolRun run = await Tool("inspect", folder, "--json", json);
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains("required tensors are missing", run.Error, StringComparison.Ordinal);
        Assert.Contains("not used", run.Output, StringComparison.Ordinal);
        Assert.Contains("memory: not known while tensors are missing or wrong", run.Output, StringComparison.Ordinal);
        Assert.All(run.Output.Split('\n'), line => Assert.True(line.Length <= 100, line));
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(json));
        Assert.Equal(3 * 16 * 3, report.RootElement.GetProperty("missing").GetArrayLength());
        Assert.Contains(
            "model.layers.4.eh_proj.weight",
            report.RootElement.GetProperty("not_used").EnumerateArray().Select(name => name.GetString()));
        Assert.NotEqual(0, report.RootElement.GetProperty("wrong").GetArrayLength());
    }

    [Fact]
    public async Task NoFolder()
    {
        ToolRun run = await Tool("inspect", temporary.File("none"));
        Assert.Equal(ExitCodes.Environment, run.Code);
        Assert.Contains("no such folder", run.Error, StringComparison.Ordinal);
    }

    private async Task<string> Synth()
    {
        string folder = temporary.File("model");
        ToolRun run = await Tool("synth", "--config", Tiny, "--seed", "3", "--out", folder);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        return folder;
    }

    private static Task<ToolRun> Tool(params string[] args) => ToolRun.With(
        (Func<VerifyOptions, VerifyReport>)(_ => throw new InvalidOperationException("Nothing is verified.")), args);
}
