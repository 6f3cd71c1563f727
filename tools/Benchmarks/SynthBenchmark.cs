using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Benchmarks;

/// <summary>
/// Writing a synthetic checkpoint against a plain write of as many bytes into files of the same sizes: the same folder,
/// the same flush at the end of each file, ready bytes from memory instead of weights that have to be made.
/// </summary>
internal static class SynthBenchmark
{
    private const int Rounds = 9;

    /// <summary>Runs.</summary>
    /// <param name="parent">A folder on the disk to be measured; 2 GB at a time are written and removed.</param>
    /// <returns>0, or 4 when a check failed.</returns>
    public static int Run(string parent)
    {
        string folder = Path.Combine(parent, $"ringflash-synth-benchmark-{Environment.ProcessId}");
        try
        {
            foreach (WeightStorage storage in new[] { WeightStorage.BFloat16, WeightStorage.Float8 })
            {
                if (!Measure(storage, folder))
                {
                    Console.Error.WriteLine("a written shard does not hold what is made again; nothing is timed");
                    return 4;
                }
            }

            return 0;
        }
        finally
        {
            Remove(folder);
        }
    }

    private static bool Measure(WeightStorage storage, string folder)
    {
        // A small vocabulary, so that most bytes are experts, as in a whole model.
        string json = BuiltInConfigurations.Get("ring-mini-2.0").Json
            .Replace("157184", "32768", StringComparison.Ordinal)
            .Replace("156892", "32767", StringComparison.Ordinal);
        byte[] config = Encoding.UTF8.GetBytes(json);
        SyntheticCheckpoint checkpoint = new(new SyntheticCheckpointOptions(config, "ring-mini-2.0", 1)
        {
            Layers = new LayerRange(1, 1),
            Storage = storage,
            ShardSize = 300_000_000,
        });
        using WorkerPool workers = new(2 * Environment.ProcessorCount);
        Remove(folder);
        IReadOnlyList<ShardResult> shards = checkpoint.Write(folder, workers);
        if (checkpoint.Write(folder, workers).Any(shard => shard.Outcome != ShardOutcome.Kept))
        {
            return false;
        }

        Console.WriteLine(
            $"ring-mini-2.0, layer 1 and a small vocabulary, {storage.Word()}: {checkpoint.TotalBytes / 1e9:F2} GB in "
            + $"{shards.Count} files, every file flushed to the disk");
        byte[] ready = new byte[4 << 20];
        new Random(1).NextBytes(ready);
        PairedRounds rounds = new();
        rounds.Add("plain write", () =>
        {
            Remove(folder);
            Directory.CreateDirectory(folder);
            foreach (ShardResult shard in shards)
            {
                PlainWrite(Path.Combine(folder, shard.FileName), ready, shard.Bytes);
            }
        });
        rounds.Add($"synth {storage.Word()}", () =>
        {
            Remove(folder);
            checkpoint.Write(folder, workers);
        });
        foreach (PairedRounds.Result result in rounds.Measure(Rounds, warmUps: 1))
        {
            double slow = 1 / result.UpperQuartile, fast = 1 / result.LowerQuartile;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {result.Name,-12} {result.Median / 1000,6:F2} s, "
                + $"{checkpoint.TotalBytes / 1e6 / result.Median:F2} GB/s, "
                + $"{1 / result.Ratio:F2} × the speed of the plain write [{slow:F2} … {fast:F2}]"));
        }

        return true;
    }

    private static void PlainWrite(string path, byte[] ready, long length)
    {
        using FileStream stream = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (long done = 0; done < length; done += ready.Length)
        {
            stream.Write(ready, 0, (int)Math.Min(ready.Length, length - done));
        }

        RandomAccess.FlushToDisk(stream.SafeFileHandle);
    }

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
