using System;
using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <summary>
/// Keys (after QK-norm and RoPE) and values of the tokens so far, per layer, before the heads are repeated. An MTP
/// layer has the slot after the last main layer.
/// </summary>
/// <remarks>
/// A cache grows by doubling up to its limit, when <see cref="Reserve"/> is called. Layer by layer, so that at no time
/// more than one layer is held twice. Where a head lies in memory changes no bit.
/// </remarks>
/// <typeparam name="T">What activations are held in.</typeparam>
public sealed class KeyValueCache<T> : IDisposable
    where T : unmanaged, INumber<T>
{
    private readonly HostTensor<T>[] keys;
    private readonly HostTensor<T>[] values;
    private readonly int[] lengths;

    /// <summary>Reserves room.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="batch">The number of sequences.</param>
    /// <param name="capacity">Tokens per sequence to have room for at once.</param>
    /// <param name="limit">The most tokens per sequence; null for the capacity.</param>
    public KeyValueCache(ModelConfiguration configuration, int batch, int capacity, int? limit = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit ?? capacity, capacity, nameof(limit));
        int layers = configuration.LayerCount + configuration.NextTokenPredictionLayerCount;
        keys = new HostTensor<T>[layers];
        values = new HostTensor<T>[layers];
        lengths = new int[layers];
        for (int layer = 0; layer < layers; layer++)
        {
            keys[layer] = Room(batch, configuration.KeyValueHeadCount, capacity, configuration.HeadDimension);
            values[layer] = Room(batch, configuration.KeyValueHeadCount, capacity, configuration.HeadDimension);
        }

        Batch = batch;
        Capacity = capacity;
        Limit = limit ?? capacity;
    }

    /// <summary>The number of sequences.</summary>
    public int Batch { get; }

    /// <summary>Tokens per sequence that there is room for now.</summary>
    public int Capacity { get; private set; }

    /// <summary>The most tokens per sequence.</summary>
    public int Limit { get; }

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

    /// <summary>Makes room for this many tokens in every layer; nothing if there is.</summary>
    /// <param name="tokens">Tokens per sequence.</param>
    /// <param name="operators">Who copies what is held.</param>
    /// <exception cref="ArgumentException">They are more than the limit.</exception>
    public void Reserve(int tokens, ForwardOperators<T> operators)
    {
        ArgumentNullException.ThrowIfNull(operators);
        if (tokens > Limit)
        {
            throw new ArgumentException($"the cache may hold {Limit} tokens; {tokens} do not fit", nameof(tokens));
        }

        if (tokens <= Capacity)
        {
            return;
        }

        int capacity = (int)Math.Min(Limit, Math.Max(tokens, 2L * Capacity));
        for (int layer = 0; layer < lengths.Length; layer++)
        {
            keys[layer] = Moved(keys[layer], lengths[layer], capacity, operators);
            values[layer] = Moved(values[layer], lengths[layer], capacity, operators);
        }

        Capacity = capacity;
    }

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

        operators.CopyTokens(key, 0, keys[layer], start, tokens);
        operators.CopyTokens(value, 0, values[layer], start, tokens);
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

    /// <summary>Frees the memory of a device; the tokens are lost.</summary>
    public void Dispose()
    {
        foreach (HostTensor<T> room in (IEnumerable<HostTensor<T>>)[.. keys, .. values])
        {
            room.Storage.FreeDevice();
        }
    }

    // Memory is taken where it is first needed, on the host or on a device.
    private static HostTensor<T> Room(int batch, int heads, int capacity, int headDim)
    {
        HostTensor<T> room = new(batch, heads, capacity, headDim);
        room.Storage.WantsHugePages = true;
        return room;
    }

    private static HostTensor<T> Moved(
        HostTensor<T> held, int tokens, int capacity, ForwardOperators<T> operators)
    {
        HostTensor<T> moved = Room(held.Shape[0], held.Shape[1], capacity, held.Width);
        if (tokens > 0)
        {
            operators.CopyTokens(held, 0, moved, 0, tokens);
        }

        held.Storage.FreeDevice();
        return moved;
    }
}
