using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>Where the writing of a checkpoint stands.</summary>
/// <param name="Shard">The shard's number, from 1.</param>
/// <param name="Shards">The number of shards.</param>
/// <param name="FileName">The shard's file name.</param>
/// <param name="BytesDone">Bytes written, or found right, over all shards.</param>
/// <param name="TotalBytes">Bytes of all shards.</param>
public sealed record CheckpointProgress(int Shard, int Shards, string FileName, long BytesDone, long TotalBytes);

/// <summary>A shard of a written checkpoint.</summary>
/// <param name="FileName">The file name.</param>
/// <param name="Bytes">The bytes of the file.</param>
/// <param name="Outcome">What was done.</param>
public sealed record ShardResult(string FileName, long Bytes, ShardOutcome Outcome);

/// <summary>
/// Writes the weights of a checkpoint in the layout of Hugging Face: numbered shards and the index that names them. A
/// run that was stopped goes on where it stood: whole shards are checked and kept.
/// </summary>
internal sealed class CheckpointWriter
{
    /// <summary>The index's file name.</summary>
    public const string IndexName = "model.safetensors.index.json";

    private readonly CheckpointShard[] shards;

    /// <summary>Divides tensors into shards.</summary>
    /// <param name="tensors">The tensors, in the order in which they fill the shards.</param>
    /// <param name="shardSize">
    /// The most bytes of tensors in a shard; one tensor (or matrix with its scales) may exceed it, alone.
    /// </param>
    public CheckpointWriter(IReadOnlyList<TensorPieces> tensors, long shardSize)
    {
        List<List<TensorPieces>> groups = [[]];
        long filled = 0;
        foreach (TensorPieces tensor in tensors)
        {
            long bytes = tensor.Tensors.Sum(SafetensorsLayout.ByteLength);
            if (filled > 0 && filled + bytes > shardSize)
            {
                groups.Add([]);
                filled = 0;
            }

            groups[^1].Add(tensor);
            filled += bytes;
        }

        shards =
        [
            .. groups.Select((group, index) =>
                new CheckpointShard(CheckpointShard.FileName(index + 1, groups.Count), group)),
        ];
        TotalBytes = shards.Sum(shard => shard.FileLength);
    }

    /// <summary>The bytes of all shards.</summary>
    public long TotalBytes { get; }

    /// <summary>The shards' file names, in order.</summary>
    public IEnumerable<string> FileNames => shards.Select(shard => shard.Name);

    /// <summary>The bytes of the shards that are not there yet.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>The number.</returns>
    public long MissingBytes(string folder) =>
        shards.Where(shard => !shard.Exists(folder)).Sum(shard => shard.FileLength);

    /// <summary>
    /// Writes all shards, then the index. While the disk takes a finished shard, the next one is made; more than one is
    /// never waited for.
    /// </summary>
    /// <param name="folder">The folder; no other run may write to it now.</param>
    /// <param name="workers">Who makes the pieces.</param>
    /// <param name="progress">Told where the work stands, by several threads; or null.</param>
    /// <param name="cancellation">Stops between pieces; whole shards stay.</param>
    /// <returns>What was done to each shard.</returns>
    /// <exception cref="EnvironmentException">The disk is full or the folder cannot be written.</exception>
    public IReadOnlyList<ShardResult> Write(
        string folder, WorkerPool workers, IProgress<CheckpointProgress>? progress, CancellationToken cancellation)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        List<Task<ShardOutcome>> outcomes = [];
        long done = 0;
        try
        {
            foreach (CheckpointShard shard in shards)
            {
                int number = outcomes.Count + 1;
                TaskCompletionSource made = new();
                outcomes.Add(Task.Run(() => shard.Ensure(
                    folder,
                    workers,
                    bytes =>
                    {
                        long sum = Interlocked.Add(ref done, bytes);
                        progress?.Report(new CheckpointProgress(number, shards.Length, shard.Name, sum, TotalBytes));
                    },
                    made.SetResult,
                    stop.Token)));
                Task.WaitAny(made.Task, outcomes[^1]);
                if (outcomes[^1].IsCompleted)
                {
                    outcomes[^1].GetAwaiter().GetResult(); // a failure stops here
                }

                if (outcomes.Count > 1)
                {
                    outcomes[^2].GetAwaiter().GetResult();
                }
            }

            outcomes[^1].GetAwaiter().GetResult();
        }
        catch
        {
            // Nobody may use the workers or the folder any more when the caller hears of it.
            stop.Cancel();
            Task.WhenAll(outcomes).ContinueWith(_ => { }, TaskScheduler.Default).Wait(CancellationToken.None);
            throw;
        }

        AtomicFile.Write(Path.Combine(folder, IndexName), WriteIndex);
        return
        [
            .. shards.Zip(outcomes, (shard, outcome) =>
                new ShardResult(shard.Name, shard.FileLength, outcome.GetAwaiter().GetResult())),
        ];
    }

    private void WriteIndex(Stream stream)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", shards.SelectMany(shard => shard.Tensors).Sum(SafetensorsLayout.ByteLength));
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        IEnumerable<(string Name, string File)> map =
            shards.SelectMany(shard => shard.Tensors.Select(tensor => (tensor.Name, shard.Name)));
        foreach ((string name, string file) in map.OrderBy(entry => entry.Name, StringComparer.Ordinal))
        {
            json.WriteString(name, file);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }
}
