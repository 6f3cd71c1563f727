using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.IO;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// A checkpoint in the layout of Hugging Face: one <c>model.safetensors</c>, or <c>model.safetensors.index.json</c> and
/// the shards it names. Opening reads and checks every header, so a damaged shard is found before any computation.
/// </summary>
/// <remarks>
/// No file outside the folder is opened. The one exception is the Hugging Face cache, where
/// <c>models--X/snapshots/REVISION/file</c> links to <c>models--X/blobs/HASH</c>: a link is followed when its final
/// target stays under <c>models--X</c>.
/// </remarks>
public sealed class CheckpointFolder : IWeightSource
{
    private const string SingleName = "model.safetensors";
    private const string IndexName = "model.safetensors.index.json";

    private readonly string path;
    private readonly SortedDictionary<string, SafetensorsFile> shards = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (SafetensorsFile Shard, TensorInfo Tensor)> tensors =
        new(StringComparer.Ordinal);

    private readonly List<string> warnings = [];

    private CheckpointFolder(string path) => this.path = path;

    /// <inheritdoc/>
    public string Description => path;

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors { get; private set; } = [];

    /// <summary>The files that hold the tensors, by name.</summary>
    public IReadOnlyCollection<SafetensorsFile> Shards => shards.Values;

    /// <summary>What is odd but harmless, a line each: tensors that the index does not list, a wrong total.</summary>
    public IReadOnlyList<string> Warnings => warnings;

    /// <summary>Opens a checkpoint and checks the headers of all its files.</summary>
    /// <param name="path">The folder.</param>
    /// <returns>The open checkpoint.</returns>
    /// <exception cref="InvalidInputException">A file breaks a rule, or a name leads outside the folder.</exception>
    /// <exception cref="EnvironmentException">The folder or a file is missing or cannot be read.</exception>
    public static CheckpointFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
        {
            throw new EnvironmentException(path, "no such folder");
        }

        CheckpointFolder folder = new(path);
        try
        {
            folder.OpenFiles();
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor)
    {
        bool found = tensors.TryGetValue(name, out (SafetensorsFile Shard, TensorInfo Tensor) entry);
        tensor = found ? entry.Tensor : null;
        return found;
    }

    /// <inheritdoc/>
    public void Read(TensorInfo tensor, long firstElement, Span<float> destination) =>
        Require(tensor).Read(tensor, firstElement, destination);

    /// <inheritdoc/>
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel) =>
        Require(tensor).ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);

    /// <summary>The file that holds a tensor.</summary>
    /// <param name="tensor">A tensor of this checkpoint.</param>
    /// <returns>The file; it stays open with the checkpoint.</returns>
    public SafetensorsFile ShardOf(TensorInfo tensor) => Require(tensor);

    /// <summary>Checks that no file was replaced since it was opened.</summary>
    /// <exception cref="InvalidInputException">The size or time of a file changed.</exception>
    /// <exception cref="EnvironmentException">A file is gone.</exception>
    public void EnsureUnchanged()
    {
        foreach (SafetensorsFile shard in shards.Values)
        {
            shard.EnsureUnchanged();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsFile shard in shards.Values)
        {
            shard.Dispose();
        }
    }

    private SafetensorsFile Require(TensorInfo tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensors.TryGetValue(tensor.Name, out (SafetensorsFile Shard, TensorInfo Tensor) entry)
            ? entry.Shard
            : throw new InvalidInputException(path, $"tensor \"{tensor.Name}\"", "not in this checkpoint");
    }

    private void OpenFiles()
    {
        bool single = File.Exists(Path.Combine(path, SingleName));
        bool index = File.Exists(Path.Combine(path, IndexName));
        if (single)
        {
            if (index)
            {
                warnings.Add($"both {SingleName} and {IndexName} exist; {SingleName} is read, as transformers does");
            }

            SafetensorsFile file = OpenShard(SingleName);
            foreach (TensorInfo tensor in file.Tensors)
            {
                tensors.Add(tensor.Name, (file, tensor));
            }
        }
        else if (index)
        {
            OpenIndexed(ShardIndex.Read(Inside(IndexName)));
        }
        else
        {
            throw new EnvironmentException(path, $"neither {SingleName} nor {IndexName} is there");
        }

        Tensors = [.. tensors.Values.Select(entry => entry.Tensor)];
    }

    private void OpenIndexed(ShardIndex index)
    {
        foreach ((string name, string shardName) in index.ShardOfTensor)
        {
            SafetensorsFile shard =
                shards.TryGetValue(shardName, out SafetensorsFile? open) ? open : OpenShard(shardName);
            if (!shard.TryGetTensor(name, out TensorInfo? tensor))
            {
                throw new InvalidInputException(
                    index.Source,
                    $"$.weight_map[\"{SafetensorsHeader.Shown(name)}\"]",
                    $"names shard {shardName}, which lacks this tensor");
            }

            tensors.Add(name, (shard, tensor));
        }

        long totalSize = 0;
        foreach ((string shardName, SafetensorsFile shard) in shards)
        {
            foreach (TensorInfo tensor in shard.Tensors)
            {
                string shown = SafetensorsHeader.Shown(tensor.Name);
                totalSize += tensor.ElementCount * tensor.ElementType.ByteCount();
                if (!index.ShardOfTensor.TryGetValue(tensor.Name, out string? listed))
                {
                    Warn($"{shardName}: tensor \"{shown}\" is not in the index and is not used");
                }
                else if (listed != shardName)
                {
                    Warn($"{shardName}: tensor \"{shown}\" is not used, the index takes it from {listed}");
                }
            }
        }

        if (index.TotalSize is long stated && stated != totalSize)
        {
            // The published converter counts bytes before it narrows them, so this is no proof of damage.
            Warn($"{IndexName}: total_size is {stated}, the shards hold {totalSize} bytes of tensors");
        }
    }

    private void Warn(string text) => warnings.Add(InvalidInputException.Escape(text));

    private SafetensorsFile OpenShard(string name)
    {
        SafetensorsFile file = SafetensorsFile.Open(Inside(name));
        shards.Add(name, file);
        return file;
    }

    // The path of a file of this folder, after checking where its links lead.
    private string Inside(string name)
    {
        string file = Path.Combine(path, name);
        string folder = RealPath.Resolve(path);
        string target = RealPath.Resolve(file);
        if (RealPath.IsInside(target, folder) || (CacheRoot(folder) is string root && RealPath.IsInside(target, root)))
        {
            return file;
        }

        throw new InvalidInputException(file, string.Empty, $"a link that leads outside the folder, to {target}");
    }

    // models--X for models--X/snapshots/REVISION, null for any other folder.
    private static string? CacheRoot(string folder)
    {
        DirectoryInfo? snapshots = Directory.GetParent(folder);
        DirectoryInfo? root = snapshots?.Parent;
        bool cache = snapshots?.Name == "snapshots"
            && root is not null
            && root.Name.StartsWith("models--", StringComparison.Ordinal);
        return cache ? root!.FullName : null;
    }
}
