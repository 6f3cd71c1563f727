using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Threading;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>One weight of a checkpoint, so that it can be found again and told from any other.</summary>
/// <param name="Tensor">Name, element type and shape.</param>
/// <param name="FileName">The shard, relative to the checkpoint.</param>
/// <param name="Begin">Its first byte in the file.</param>
/// <param name="End">The byte behind its last.</param>
/// <param name="Sha256">The hash of these bytes, lower-case hexadecimal.</param>
public sealed record WeightFingerprint(TensorInfo Tensor, string FileName, long Begin, long End, string Sha256)
{
    private const int PieceLength = 1 << 20;

    /// <summary>Hashes weights of a checkpoint.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="names">The names of the weights.</param>
    /// <param name="workers">Who hashes; a tensor is one thread's work.</param>
    /// <param name="cancellation">Stops between pieces.</param>
    /// <returns>The fingerprints in the order of the names.</returns>
    /// <exception cref="InvalidInputException">The checkpoint lacks one.</exception>
    /// <exception cref="EnvironmentException">A file shrank or cannot be read.</exception>
    public static IReadOnlyList<WeightFingerprint> Of(
        CheckpointFolder folder,
        IReadOnlyList<string> names,
        WorkerPool workers,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(workers);
        WeightFingerprint[] results = new WeightFingerprint[names.Count];

        // The largest first, and whoever is free takes the next: the embedding table must not come last.
        TensorInfo[] tensors = [.. names.Select(folder.RequireTensor)];
        int[] order =
            [.. Enumerable.Range(0, tensors.Length).OrderByDescending(index => tensors[index].ElementCount)];
        int next = -1;
        workers.Run(workers.ThreadCount, (_, _, _) =>
        {
            byte[] piece = new byte[PieceLength];
            int turn;
            while ((turn = Interlocked.Increment(ref next)) < order.Length)
            {
                TensorInfo tensor = tensors[order[turn]];
                results[order[turn]] = Of(folder.ShardOf(tensor), tensor, piece, cancellation);
            }
        });
        return results;
    }

    private static WeightFingerprint Of(
        SafetensorsFile file, TensorInfo tensor, byte[] piece, CancellationToken cancellation)
    {
        (long begin, long end) = file.ByteRange(tensor);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long done = 0; done < end - begin; done += piece.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            Span<byte> bytes = piece.AsSpan(0, (int)Math.Min(piece.Length, end - begin - done));
            file.ReadBytes(tensor, done, bytes);
            hash.AppendData(bytes);
        }

        string sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
        return new WeightFingerprint(tensor, Path.GetFileName(file.Description), begin, end, sha256);
    }
}
