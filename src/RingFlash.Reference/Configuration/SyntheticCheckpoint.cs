using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

/// <summary>
/// A Hugging Face folder with synthetic weights: names, shapes, types, shards, index and <c>config.json</c> as
/// published, so that any backend loads it. Weights are made piece by piece; the size of the model does not matter.
/// </summary>
/// <remarks>
/// <para>The folder is complete when <c>config.json</c> is there: it is written last. Every file is written to a
/// temporary name and renamed, so a run that is stopped (or killed, or out of disk) leaves whole files only; the same
/// command goes on from there.</para>
/// <para>Weights: <see cref="SyntheticSource"/>, by the tensor's name in the whole model.</para>
/// </remarks>
public sealed partial class SyntheticCheckpoint
{
    private readonly SyntheticCheckpointOptions options;
    private readonly CheckpointWriter writer;
    private readonly byte[] configurationJson;

    /// <summary>Plans a checkpoint; nothing is written.</summary>
    /// <param name="options">What it holds.</param>
    /// <exception cref="InvalidInputException">The configuration breaks a rule or has no such layers.</exception>
    public SyntheticCheckpoint(SyntheticCheckpointOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ShardSize, 1);
        this.options = options;
        ModelConfiguration whole = ConfigurationReader.Read(options.ConfigurationJson, options.Name);
        Storage = options.Storage ?? Default(whole);
        LayerSlice slice = new(whole, options.Layers);
        configurationJson = slice.Configuration(options.ConfigurationJson, Storage);
        Configuration = ConfigurationReader.Read(configurationJson, options.Name);
        writer = new CheckpointWriter(Tensors(slice), options.ShardSize);
    }

    /// <summary>The model that the folder will hold.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>How its weights are stored.</summary>
    public WeightStorage Storage { get; }

    /// <summary>The bytes of all shards.</summary>
    public long TotalBytes => writer.TotalBytes;

    /// <summary>Writes the folder, or what is missing of it.</summary>
    /// <param name="folder">A folder that is absent, empty, or was begun with the same options.</param>
    /// <param name="workers">Who makes the weights.</param>
    /// <param name="tokenizerFolder">Where tokenizer files are copied from; null for none.</param>
    /// <param name="progress">Told where the work stands, by several threads; or null.</param>
    /// <param name="cancellation">Stops between pieces; whole shards stay.</param>
    /// <returns>What was done to each shard.</returns>
    /// <exception cref="EnvironmentException">
    /// The folder holds something else or is being written by another run, or the disk has no room.
    /// </exception>
    public IReadOnlyList<ShardResult> Write(
        string folder,
        WorkerPool workers,
        string? tokenizerFolder = null,
        IProgress<CheckpointProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(workers);
        IReadOnlyList<string> companions = CompanionFiles(tokenizerFolder);
        using FileStream ownership = Claim(folder);
        RequireRoom(folder);
        IReadOnlyList<ShardResult> results = writer.Write(folder, workers, progress, cancellation);
        foreach (string file in companions)
        {
            byte[] bytes = File.ReadAllBytes(file);
            AtomicFile.Write(Path.Combine(folder, Path.GetFileName(file)), stream => stream.Write(bytes));
        }

        AtomicFile.Write(Path.Combine(folder, "config.json"), stream => stream.Write(configurationJson));
        using CheckpointFolder written = CheckpointFolder.Open(folder);
        TensorCatalog.Check(Configuration, written);
        return results;
    }

    private static WeightStorage Default(ModelConfiguration whole) => whole switch
    {
        { Quantization: not null } => WeightStorage.Float8,
        { TorchDtype: "float32" } => WeightStorage.Float32,
        _ => WeightStorage.BFloat16,
    };

    private List<TensorPieces> Tensors(LayerSlice slice)
    {
        IReadOnlyList<CatalogTensor> entries = TensorCatalog.Entries(Configuration);
        TensorInfo[] origins =
        [
            .. entries
                .Where(entry => entry.ScaledName is null)
                .Select(entry => entry.Info with { Name = slice.NameInWhole(entry.Info.Name) }),
        ];
        SyntheticSource source = new($"synthetic:{options.Name}@{options.Seed}", options.Seed, origins);
        Dictionary<string, TensorInfo> scales = entries
            .Where(entry => entry.ScaledName is not null)
            .ToDictionary(entry => entry.ScaledName!, entry => entry.Info, StringComparer.Ordinal);
        List<TensorPieces> tensors = [];
        foreach (CatalogTensor entry in entries.Where(entry => entry.ScaledName is null))
        {
            TensorInfo stored = entry.Info;
            TensorInfo origin = source.RequireTensor(slice.NameInWhole(stored.Name));
            if (scales.TryGetValue(stored.Name, out TensorInfo? scale))
            {
                RequireNarrow(stored);
                tensors.Add(new Float8Pieces(source, origin, stored, scale));
            }
            else
            {
                stored = Storage == WeightStorage.Float32 ? stored with { ElementType = ElementType.Float32 } : stored;
                tensors.Add(new PlainPieces(source, origin, stored));
            }
        }

        return tensors;
    }

    private void RequireNarrow(TensorInfo matrix)
    {
        const long Widest = 1 << 20; // a row of blocks is made at once: 128 rows of float32
        if (matrix.Shape[1] > Widest)
        {
            throw new InvalidInputException(
                options.Name, matrix.Name, $"{matrix.Shape[1]} columns; block FP8 is written up to {Widest}");
        }
    }

    private void RequireRoom(string folder)
    {
        long missing = writer.MissingBytes(folder);
        long free = new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace;
        if (missing > free)
        {
            throw new EnvironmentException(
                folder, $"the shards need {missing} bytes more, the disk has {free} free; no shard was written");
        }
    }
}
