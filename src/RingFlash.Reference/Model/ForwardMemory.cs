using System;
using System.Globalization;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <summary>
/// What a forward pass takes beside its weights, estimated, so that a limit for the whole can be kept.
/// </summary>
/// <remarks>
/// Counted: the program itself with its code and the names of the tensors (<see cref="Program"/>); the keys and
/// values of the cache; the float32 activations of one layer, threefold, because the tensors of two layers are kept and
/// the kernels hold their inputs once more in their own order; the logits, with those of an MTP layer. Not counted:
/// what the caller keeps, and the system's cache of the files.
/// </remarks>
public static class ForwardMemory
{
    /// <summary>.NET, the code, a small heap, and a checkpoint's table of tensors.</summary>
    public const long Program = 256L << 20;

    /// <summary>Estimates.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="batch">The number of sequences.</param>
    /// <param name="tokens">New tokens per sequence in the longest pass.</param>
    /// <param name="cacheCapacity">The capacity of the cache; 0 without one.</param>
    /// <returns>Bytes.</returns>
    public static long Bytes(ModelConfiguration configuration, int batch, int tokens, int cacheCapacity)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        int layers = configuration.LayerCount + configuration.NextTokenPredictionLayerCount;
        double cache = 2.0 * layers * configuration.KeyValueHeadCount * configuration.HeadDimension * cacheCapacity;
        double attention = (8.0 * configuration.HiddenSize) + (4.0 * configuration.QueryKeyValueWidth);
        double dense = 4.0 * configuration.IntermediateSize;
        double expert = configuration.HiddenSize + (2.0 * configuration.ExpertIntermediateSize);
        double sparse = (3.0 * configuration.ExpertCount) + (configuration.ExpertsPerToken * expert);
        double logits =
            (double)configuration.VocabularySize * (1 + configuration.NextTokenPredictionLayerCount);
        double perToken = (3 * (attention + Math.Max(dense, sparse))) + logits;
        return Program + (long)(sizeof(float) * batch * (cache + (tokens * perToken)));
    }

    /// <summary>What a limit for the whole leaves for weights.</summary>
    /// <param name="limit">Bytes for the whole.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="others">Bytes for all else; see <see cref="Bytes"/>.</param>
    /// <returns>Bytes, enough for a <see cref="WeightResidency"/>.</returns>
    /// <exception cref="EnvironmentException">It is too little; the message says how much is needed.</exception>
    public static long ForWeights(long limit, ModelWeights weights, long others)
    {
        long smallest = WeightResidency.SmallestLimit(weights);
        return limit - others >= smallest
            ? limit - others
            : throw new EnvironmentException(
                "memory limit",
                $"{Megabytes(limit)} is too little, {Megabytes(smallest + others)} is needed: {Megabytes(smallest)} "
                + $"for weights while they are used, {Megabytes(others)} for the program, the cache and activations");
    }

    // Rounded up, so that the figure is enough when it is typed in.
    private static string Megabytes(long bytes) =>
        string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(bytes / 1e6):0}MB");
}
