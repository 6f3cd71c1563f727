// Red here means that a run which was stopped leaves a wrong checkpoint, or that a run destroys somebody's files.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class SyntheticCheckpointResume : IDisposable
{
    private readonly TemporaryFolder temporary = new();
    private readonly WorkerPool workers = new(3);

    private string Folder => temporary.File("model");

    public void Dispose()
    {
        workers.Dispose();
        temporary.Dispose();
    }

    [Fact]
    public void AStoppedRunIsContinuedAndGivesTheSameBytes()
    {
        Plan().Write(temporary.File("whole"), workers);
        Dictionary<string, byte[]> whole = Content(temporary.File("whole"));
        int stops = 0, kept = 0;
        for (int piece = 1; piece < 1000; piece += 37)
        {
            Remove(Folder);
            if (!StopAfter(piece))
            {
                break;
            }

            stops++;
            Assert.False(File.Exists(Path.Combine(Folder, "config.json")));
            Assert.DoesNotContain(Directory.GetFiles(Folder), file => file.EndsWith(".tmp", StringComparison.Ordinal));
            int finished = Directory.GetFiles(Folder, "*.safetensors").Length;
            IReadOnlyList<ShardResult> results = Plan().Write(Folder, workers);
            Assert.All(results, (result, index) =>
                Assert.Equal(index < finished ? ShardOutcome.Kept : ShardOutcome.Written, result.Outcome));
            kept += finished;
            Assert.Equal(whole, Content(Folder));
        }

        Assert.InRange(stops, 5, 100);
        Assert.InRange(kept, 3, 1000);
    }

    [Fact]
    public void AKilledRunsTemporaryFilesGo()
    {
        Plan().Write(Folder, workers);
        string shard = Directory.GetFiles(Folder, "*.safetensors").Order(StringComparer.Ordinal).First();
        string leftOver = Path.Combine(Folder, $".{Path.GetFileName(shard)}.abcdefgh.xyz.tmp");
        File.WriteAllText(leftOver, "half");
        File.Delete(shard);
        File.Delete(Path.Combine(Folder, "config.json"));
        IReadOnlyList<ShardResult> results = Plan().Write(Folder, workers);
        Assert.Equal(ShardOutcome.Written, results[0].Outcome);
        Assert.All(results.Skip(1), result => Assert.Equal(ShardOutcome.Kept, result.Outcome));
        Assert.False(File.Exists(leftOver));
        Assert.True(File.Exists(Path.Combine(Folder, "config.json")));
    }

    [Theory]
    [InlineData(3)] // in the header
    [InlineData(-1)] // in the last tensor
    public void ADamagedShardIsMadeAgain(int position)
    {
        Plan().Write(Folder, workers);
        Dictionary<string, byte[]> before = Content(Folder);
        string shard = Directory.GetFiles(Folder, "model-*").Order(StringComparer.Ordinal).ElementAt(1);
        byte[] bytes = File.ReadAllBytes(shard);
        bytes[(position + bytes.Length) % bytes.Length] ^= 1;
        File.WriteAllBytes(shard, bytes);
        Assert.Equal(
            [ShardOutcome.Kept, ShardOutcome.Replaced],
            Plan().Write(Folder, workers).Take(2).Select(result => result.Outcome));
        Assert.Equal(before, Content(Folder));
    }

    [Fact]
    public void AFolderOfAnotherSeedTypeRangeOrConfigurationIsRefused()
    {
        Plan().Write(Folder, workers);
        Dictionary<string, byte[]> before = Content(Folder);
        SyntheticCheckpointOptions same = Options();
        SyntheticCheckpointOptions[] others =
        [
            same with { Seed = 6 },
            same with { Storage = WeightStorage.Float8 },
            same with { Layers = new LayerRange(0, 1) },
            same with { ShardSize = 1 },
            same with { ConfigurationJson = ConfigurationTestFiles.Edited(root => root["rope_theta"] = 10000) },
        ];
        string[] names = ["seed", "dtype", "layers", "shard_size", "source_config_sha256"];
        foreach ((SyntheticCheckpointOptions other, string name) in others.Zip(names))
        {
            EnvironmentException refusal = Assert.Throws<EnvironmentException>(
                () => new SyntheticCheckpoint(other).Write(Folder, workers));
            Assert.Contains($"begun with {name} ", refusal.Message, StringComparison.Ordinal);
        }

        Assert.Equal(before, Content(Folder));
    }

    [Fact]
    public void AFolderWithSomebodysFilesIsRefused()
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllText(Path.Combine(Folder, "thesis.tex"), "years of work");
        EnvironmentException refusal =
            Assert.Throws<EnvironmentException>(() => Plan().Write(Folder, workers));
        Assert.Contains("holds other files", refusal.Message, StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(Folder));
    }

    [Fact]
    public void TwoRunsDoNotShareAFolder()
    {
        Plan().Write(Folder, workers);
        using FileStream other = new(
            Path.Combine(Folder, SyntheticCheckpoint.RecipeName), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        EnvironmentException refusal =
            Assert.Throws<EnvironmentException>(() => Plan().Write(Folder, workers));
        Assert.Contains("another run", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheTokenizerAndItsNeighboursAreCopiedAndNothingElse()
    {
        string from = Directory.CreateDirectory(temporary.File("published")).FullName;
        foreach (string name in new[]
        {
            "tokenizer.json", "tokenizer_config.json", "generation_config.json", "modeling_bailing_moe_v2.py",
            "config.json", "model.safetensors", "README.md",
        })
        {
            File.WriteAllText(Path.Combine(from, name), $"published {name}");
        }

        Plan().Write(Folder, workers, from);
        Assert.Equal(
            ["generation_config.json", "modeling_bailing_moe_v2.py", "tokenizer.json", "tokenizer_config.json"],
            Content(Folder).Where(file => file.Value.AsSpan().StartsWith("published "u8)).Select(file => file.Key)
                .Order(StringComparer.Ordinal));
        File.Delete(Path.Combine(from, "tokenizer.json"));
        Assert.Throws<EnvironmentException>(() => Plan().Write(temporary.File("other"), workers, from));
        Assert.False(Directory.Exists(temporary.File("other")));
    }

    private static SyntheticCheckpointOptions Options() =>
        new(ConfigurationTestFiles.Edited(_ => { }), "tiny", 5) { ShardSize = 300_000 };

    private static SyntheticCheckpoint Plan() => new(Options());

    private static Dictionary<string, byte[]> Content(string folder) =>
        Directory.GetFiles(folder).ToDictionary(file => Path.GetFileName(file)!, File.ReadAllBytes);

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Stops a run at a piece; false when the run was done before.</summary>
    private bool StopAfter(int pieces)
    {
        using CancellationTokenSource stop = new();
        int seen = 0;
        try
        {
            Plan().Write(Folder, workers, null, new Count(() =>
            {
                if (Interlocked.Increment(ref seen) == pieces)
                {
                    stop.Cancel();
                }
            }), stop.Token);
            return false;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    private sealed class Count(Action onReport) : IProgress<CheckpointProgress>
    {
        public void Report(CheckpointProgress value) => onReport();
    }
}
