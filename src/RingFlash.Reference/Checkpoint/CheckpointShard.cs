using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using Microsoft.Win32.SafeHandles;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>How a shard came to be what the checkpoint needs.</summary>
public enum ShardOutcome
{
    /// <summary>It was made.</summary>
    Written,

    /// <summary>An earlier run made it, and every byte was found to be right.</summary>
    Kept,

    /// <summary>It was there with other bytes, and was made again.</summary>
    Replaced,
}

/// <summary>One file of a checkpoint that is being written: its layout, and who makes its tensors.</summary>
internal sealed class CheckpointShard
{
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    private readonly SafetensorsLayout layout;
    private readonly TensorPieces[] tensors;
    private readonly long[] firstPieces; // of each tensor; the last entry is the number of all pieces

    /// <summary>Lays a shard out.</summary>
    /// <param name="name">The file name.</param>
    /// <param name="tensors">Its tensors.</param>
    public CheckpointShard(string name, IReadOnlyList<TensorPieces> tensors)
    {
        Name = name;
        layout = new SafetensorsLayout(tensors.SelectMany(tensor => tensor.Tensors), Metadata);

        // In the order of the file, so that the disk is written from front to back.
        this.tensors = [.. tensors.OrderBy(tensor => layout.FileOffset(tensor.Tensors[0].Name))];
        firstPieces = new long[this.tensors.Length + 1];
        for (int index = 0; index < this.tensors.Length; index++)
        {
            firstPieces[index + 1] = firstPieces[index] + this.tensors[index].Count;
        }
    }

    /// <summary>The file name.</summary>
    public string Name { get; }

    /// <summary>The stored tensors.</summary>
    public IReadOnlyList<TensorInfo> Tensors => layout.Tensors;

    /// <summary>The bytes of the file.</summary>
    public long FileLength => layout.FileLength;

    /// <summary>The name of a shard as every loader knows it.</summary>
    /// <param name="number">From 1.</param>
    /// <param name="count">The number of shards.</param>
    /// <returns>E.g. <c>model-00001-of-00022.safetensors</c>.</returns>
    public static string FileName(int number, int count) =>
        string.Create(CultureInfo.InvariantCulture, $"model-{number:00000}-of-{count:00000}.safetensors");

    /// <summary>Whether a file of the right length is there, so that <see cref="Ensure"/> needs no room.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>The answer.</returns>
    public bool Exists(string folder)
    {
        FileInfo file = new(Path.Combine(folder, Name));
        return file.Exists && file.Length == FileLength;
    }

    /// <summary>Keeps the file when all its bytes are right, and writes it whole or not at all otherwise.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="workers">Who makes the pieces.</param>
    /// <param name="onBytes">Told how many more bytes are done; called by several threads.</param>
    /// <param name="onMade">Told when all pieces of a new file are made: only the disk is waited for from then on, and
    /// the workers are free.</param>
    /// <param name="cancellation">Stops between pieces.</param>
    /// <returns>What was done.</returns>
    public ShardOutcome Ensure(
        string folder, WorkerPool workers, Action<long> onBytes, Action onMade, CancellationToken cancellation)
    {
        string path = Path.Combine(folder, Name);
        long verified = 0;
        if (Exists(folder) && IsRight(path, workers, Verified, cancellation))
        {
            return ShardOutcome.Kept;
        }

        onBytes(-Interlocked.Read(ref verified));
        ShardOutcome outcome = File.Exists(path) ? ShardOutcome.Replaced : ShardOutcome.Written;
        AtomicFile.RemoveLeftOvers(path);
        AtomicFile.WriteAt(path, handle =>
        {
            Write(handle, workers, onBytes, cancellation);
            onMade();
        });
        return outcome;

        void Verified(long bytes)
        {
            Interlocked.Add(ref verified, bytes);
            onBytes(bytes);
        }
    }

    private void Write(
        SafeFileHandle handle, WorkerPool workers, Action<long> onBytes, CancellationToken cancellation)
    {
        RandomAccess.Write(handle, layout.Header, 0);
        MakeAll(workers, cancellation, (_, offset, bytes) =>
        {
            RandomAccess.Write(handle, bytes, offset);
            onBytes(bytes.Length);
            return true;
        });
    }

    // Made again and compared: stronger than a stored hash, and no slower than the disk.
    private bool IsRight(string path, WorkerPool workers, Action<long> onBytes, CancellationToken cancellation)
    {
        using SafeFileHandle handle = File.OpenHandle(path);
        return Holds(handle, 0, layout.Header, new byte[layout.Header.Length])
            && MakeAll(workers, cancellation, (buffers, offset, bytes) =>
            {
                onBytes(bytes.Length);
                return Holds(handle, offset, bytes, buffers.Found(bytes.Length));
            });
    }

    private static bool Holds(SafeFileHandle handle, long offset, ReadOnlySpan<byte> expected, Span<byte> found)
    {
        int done = 0;
        while (done < found.Length)
        {
            int count = RandomAccess.Read(handle, found[done..], offset + done);
            if (count == 0)
            {
                return false;
            }

            done += count;
        }

        return found.SequenceEqual(expected);
    }

    /// <summary>Makes every piece; whoever is free takes the next one, because a write may block.</summary>
    /// <returns>False as soon as the sink said false.</returns>
    private bool MakeAll(WorkerPool workers, CancellationToken cancellation, FileSink sink)
    {
        long next = -1;
        int refused = 0;
        workers.Run(workers.ThreadCount, (_, _, _) =>
        {
            PieceBuffers buffers = new();
            try
            {
                for (long index = Interlocked.Increment(ref next);
                    index < firstPieces[^1] && Volatile.Read(ref refused) == 0;
                    index = Interlocked.Increment(ref next))
                {
                    cancellation.ThrowIfCancellationRequested();
                    int tensor = TensorOf(index);
                    int piece = (int)(index - firstPieces[tensor]);
                    tensors[tensor].Make(piece, buffers, (part, offset, bytes) =>
                    {
                        if (!sink(buffers, layout.FileOffset(part.Name) + offset, bytes))
                        {
                            Volatile.Write(ref refused, 1);
                        }
                    });
                }
            }
            catch
            {
                Volatile.Write(ref refused, 1); // the others need not go on for a file that will not be
                throw;
            }
        });
        return refused == 0;
    }

    private int TensorOf(long piece)
    {
        int found = Array.BinarySearch(firstPieces, piece);
        return found >= 0 ? found : ~found - 1;
    }

    private delegate bool FileSink(PieceBuffers buffers, long offset, ReadOnlySpan<byte> bytes);
}
