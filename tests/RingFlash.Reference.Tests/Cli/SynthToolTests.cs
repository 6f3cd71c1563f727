// Red here means that a user who asks for a synthetic checkpoint gets another one, several lines, or the wrong code.
using System;
using System.IO;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class SynthToolTests : IDisposable
{
    private static readonly string Tiny = Path.Combine(RepositoryRoot.Golden, "tiny-f32", "config.json");

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public async Task WritesACheckpointAndSaysSo()
    {
        string folder = temporary.File("tiny"), json = temporary.File("report.json");
        string[] command =
            ["--config", Tiny, "--seed", "3", "--out", folder, "--shard-size", "400KB", "--dtype", "fp8"];
        ToolRun run = await Synth([.. command, "--json", json]);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.Contains("588,896 parameters", run.Output, StringComparison.Ordinal);
        Assert.Contains("GB/s", run.Output, StringComparison.Ordinal);
        using CheckpointFolder written = CheckpointFolder.Open(folder);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(json));
        JsonElement files = report.RootElement.GetProperty("files");
        Assert.Equal(written.Shards.Count, files.GetArrayLength());
        Assert.Equal("written", files[0].GetProperty("outcome").GetString());
        Assert.True(files.GetArrayLength() > 1);

        ToolRun again = await Synth(command);
        Assert.Equal(ExitCodes.WithinBudget, again.Code);
        Assert.Contains("were there and right", again.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADiskWithoutRoomIsFoundBeforeTheFirstShard()
    {
        // Two matrices of 35 TB each: the plan costs nothing, and no disk has the room.
        string config = temporary.Write("config.json", File.ReadAllText(Tiny)
            .Replace("\"hidden_size\": 64,", "\"hidden_size\": 1048576,", StringComparison.Ordinal)
            .Replace("\"vocab_size\": 512,", "\"vocab_size\": 16777216,", StringComparison.Ordinal));
        ToolRun run = await Synth("--config", config, "--out", temporary.File("big"));
        AssertLine(run, ExitCodes.Environment, "bytes more, the disk has");
        Assert.Equal([temporary.File("big/ringflash-synth.json")], Directory.GetFiles(temporary.File("big")));
    }

    [Theory]
    [InlineData("--config: 'ring-giga' is neither", "--config", "ring-giga")]
    [InlineData("'--config' is required", "--seed", "1")]
    [InlineData("--seed: '-1'", "--config", "ring-mini-2.0", "--seed", "-1")]
    [InlineData("--seed: '18446744073709551616'", "--config", "ring-mini-2.0", "--seed", "18446744073709551616")]
    [InlineData("--layers: '2-1'", "--config", "ring-mini-2.0", "--layers", "2-1")]
    [InlineData("--layers: '0-'", "--config", "ring-mini-2.0", "--layers", "0-")]
    [InlineData("--layers: 'all'", "--config", "ring-mini-2.0", "--layers", "all")]
    [InlineData("--layers: 0-20 was asked for, ring-mini-2.0 has layers 0-19", "--config", "ring-mini-2.0", "--layers",
        "0-20")]
    [InlineData("--dtype: 'fp16'", "--config", "ring-mini-2.0", "--dtype", "fp16")]
    [InlineData("--shard-size: '0GB'", "--config", "ring-mini-2.0", "--shard-size", "0GB")]
    [InlineData("--shard-size: 'big'", "--config", "ring-mini-2.0", "--shard-size", "big")]
    [InlineData("'--shards'", "--config", "ring-mini-2.0", "--shards", "3")]
    public async Task WrongUsageIsTwoAndWritesNothing(string rule, params string[] arguments)
    {
        ToolRun run = await Synth([.. arguments, "--out", temporary.File("out")]);
        AssertLine(run, ExitCodes.WrongUsage, rule);
        Assert.Empty(Directory.GetFileSystemEntries(temporary.Path));
    }

    [Fact]
    public async Task BadConfigurationsAndPlacesHaveTheirCodes()
    {
        string config = temporary.Write("config.json", "{\"model_type\":\"llama\"}");
        AssertLine(
            await Synth("--config", config, "--out", temporary.File("x")), ExitCodes.BadInput, "not this model");
        AssertLine(
            await Synth("--config", Tiny, "--out", temporary.File("a/b")), ExitCodes.Environment, "does not exist");
        AssertLine(await Synth("--config", Tiny, "--out", config), ExitCodes.Environment, "is a file");
        AssertLine(
            await Synth("--config", Tiny, "--out", temporary.Path), ExitCodes.Environment, "holds other files");
        AssertLine(
            await Synth("--config", Tiny, "--out", temporary.File("x"), "--tokenizer", temporary.Path),
            ExitCodes.Environment,
            "no tokenizer.json");
        Assert.Equal([config], Directory.GetFileSystemEntries(temporary.Path));

        string folder = temporary.File("good");
        Assert.Equal(ExitCodes.WithinBudget, (await Synth("--config", Tiny, "--out", folder)).Code);
        AssertLine(
            await Synth("--config", Tiny, "--out", folder, "--seed", "1"),
            ExitCodes.Environment,
            "the folder was begun with seed \"0\", this run has \"1\"");
        File.WriteAllText(Path.Combine(folder, SyntheticCheckpoint.RecipeName), "{ nonsense");
        AssertLine(await Synth("--config", Tiny, "--out", folder), ExitCodes.BadInput, "not strict JSON");
    }

    [Fact]
    public async Task CtrlCIs130AndTheSameCommandGoesOn()
    {
        using CancellationTokenSource stopped = new();
        stopped.Cancel();
        ToolContext context = ToolRun.Surroundings((_, _, _) => throw new InvalidOperationException("not here"));
        string[] command = ["synth", "--config", Tiny, "--out", temporary.File("tiny")];
        ToolRun run = await ToolRun.In(context, stopped.Token, command);
        Assert.Equal(ExitCodes.Interrupted, run.Code);
        Assert.False(File.Exists(temporary.File("tiny/config.json")));
        Assert.Equal(ExitCodes.WithinBudget, (await ToolRun.In(context, CancellationToken.None, command)).Code);
    }

    // Needs a file system of 1 MiB, which a test cannot make for itself:
    // mount -t tmpfs -o size=1m tmpfs /tmp/small; RINGFLASH_SMALL_DISK=/tmp/small.
    [Fact(Explicit = true)]
    public async Task AReallyFullDiskIsFiveAndOneLine()
    {
        string folder = Path.Combine(Environment.GetEnvironmentVariable("RINGFLASH_SMALL_DISK")!, "tiny");
        AssertLine(await Synth("--config", Tiny, "--out", folder), ExitCodes.Environment, "the disk");
        Assert.Empty(Directory.GetFiles(folder, "*.safetensors"));
        Assert.DoesNotContain(Directory.GetFiles(folder), file => file.EndsWith(".tmp", StringComparison.Ordinal));
    }

    private static void AssertLine(ToolRun run, int code, string rule)
    {
        Assert.Equal(code, run.Code);
        string line = Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("ringflash: ", line, StringComparison.Ordinal);
        Assert.Contains(rule, line, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    private static Task<ToolRun> Synth(params string[] arguments) => ToolRun.With(
        _ => throw new InvalidOperationException("nothing is verified here"), ["synth", .. arguments]);
}
