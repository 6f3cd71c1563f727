using System;

namespace RingFlash.Reference.Configuration;

/// <summary>How a synthetic checkpoint stores its weights.</summary>
public enum WeightStorage
{
    /// <summary>bfloat16, as published; expert biases float32.</summary>
    BFloat16,

    /// <summary>float32, everything.</summary>
    Float32,

    /// <summary>
    /// Linear layers as block FP8 by the published converter's rule, the rest as <see cref="BFloat16"/>.
    /// </summary>
    Float8,
}

/// <summary>The words for <see cref="WeightStorage"/>.</summary>
public static class WeightStorages
{
    /// <summary>The word in options and reports.</summary>
    /// <param name="storage">The storage.</param>
    /// <returns><c>bf16</c>, <c>f32</c> or <c>fp8</c>.</returns>
    public static string Word(this WeightStorage storage) => storage switch
    {
        WeightStorage.BFloat16 => "bf16",
        WeightStorage.Float32 => "f32",
        WeightStorage.Float8 => "fp8",
        _ => throw new ArgumentOutOfRangeException(nameof(storage)),
    };
}

/// <summary>What a synthetic checkpoint holds.</summary>
/// <param name="ConfigurationJson">The whole model's <c>config.json</c>.</param>
/// <param name="Name">What a person calls that configuration; opens messages about it.</param>
/// <param name="Seed">The seed of the weights.</param>
public sealed record SyntheticCheckpointOptions(ReadOnlyMemory<byte> ConfigurationJson, string Name, ulong Seed)
{
    /// <summary>5 · 10⁹: what Transformers writes by default.</summary>
    public const long DefaultShardSize = 5_000_000_000;

    /// <summary>The main layers to keep; null for all.</summary>
    public LayerRange? Layers { get; init; }

    /// <summary>How weights are stored; null for what the configuration says, bfloat16 when it says nothing.</summary>
    public WeightStorage? Storage { get; init; }

    /// <summary>The most bytes of tensors in one file.</summary>
    public long ShardSize { get; init; } = DefaultShardSize;
}
