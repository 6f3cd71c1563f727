using System;
using System.Numerics;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <summary>
/// Keys (after QK-norm and RoPE) and values of the tokens so far, per layer, before the heads are repeated. An MTP
/// layer has the slot after the last main layer.
/// </summary>
/// <typeparam name="T">What activations are held in.</typeparam>
public sealed class KeyValueCache<T>
    where T : unmanaged, INumber<T>
{
    private readonly HostTensor<T>[] keys;
    private readonly HostTensor<T>[] values;
    private readonly int[] lengths;

    /// <summary>Reserves room.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="batch">The number of sequences.</param>
    /// <param name="capacity">The most tokens per sequence.</param>
    public KeyValueCache(ModelConfiguration configuration, int batch, int capacity)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        int layers = configuration.LayerCount + configuration.NextTokenPredictionLayerCount;
        keys = new HostTensor<T>[layers];
        values = new HostTensor<T>[layers];
        lengths = new int[layers];
        for (int layer = 0; layer < layers; layer++)
        {
            keys[layer] =
                new HostTensor<T>(batch, configuration.KeyValueHeadCount, capacity, configuration.HeadDimension);
            values[layer] =
                new HostTensor<T>(batch, configuration.KeyValueHeadCount, capacity, configuration.HeadDimension);
            HugePages.Ask(keys[layer].Values);
            HugePages.Ask(values[layer].Values);
        }

        Batch = batch;
        Capacity = capacity;
    }

    /// <summary>The number of sequences.</summary>
    public int Batch { get; }

    /// <summary>The most tokens per sequence.</summary>
    public int Capacity { get; }

    /// <summary>Tokens held by the main layers.</summary>
    public int Length => lengths[0];

    /// <summary>Tokens held by a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <returns>The number.</returns>
    public int LengthOf(int layer) => lengths[layer];

    /// <summary>The keys of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <returns>[batch, keyValueHeads, capacity, headDim], of which the first LengthOf tokens are filled.</returns>
    public HostTensor<T> Keys(int layer) => keys[layer];

    /// <summary>The values of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <returns>[batch, keyValueHeads, capacity, headDim], of which the first LengthOf tokens are filled.</returns>
    public HostTensor<T> Values(int layer) => values[layer];

    /// <summary>Appends new tokens to a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="key">[batch, keyValueHeads, tokens, headDim].</param>
    /// <param name="value">[batch, keyValueHeads, tokens, headDim].</param>
    /// <param name="operators">Who copies.</param>
    /// <exception cref="ArgumentException">The cache is full.</exception>
    public void Append(int layer, HostTensor<T> key, HostTensor<T> value, ForwardOperators<T> operators)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        ArgumentNullException.ThrowIfNull(operators);
        int tokens = key.Shape[2], start = lengths[layer];
        if (start + tokens > Capacity)
        {
            throw new ArgumentException(
                $"the cache holds {Capacity} tokens; {start} + {tokens} do not fit", nameof(key));
        }

        operators.AppendTokens(key, keys[layer], start);
        operators.AppendTokens(value, values[layer], start);
        lengths[layer] = start + tokens;
    }

    /// <summary>Forgets the tokens from a position on, in every layer; drafts that were not accepted.</summary>
    /// <param name="length">Tokens to keep.</param>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        for (int layer = 0; layer < lengths.Length; layer++)
        {
            lengths[layer] = Math.Min(lengths[layer], length);
        }
    }
}
