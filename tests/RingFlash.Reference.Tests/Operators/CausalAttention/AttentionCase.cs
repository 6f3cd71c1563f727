// Inputs for the attention tests. Red nowhere by itself.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

public enum Mask
{
    /// <summary>No mask.</summary>
    None,

    /// <summary>The last sequence starts with padding; when it is longer than the past, some queries see
    /// nothing.</summary>
    Left,

    /// <summary>Like Left, and the last sequence consists of padding only.</summary>
    All,

    /// <summary>Padding anywhere but at the first token.</summary>
    Holes,
}

/// <summary>One attention call over a cache whose slots beyond the filled ones hold NaN.</summary>
internal sealed record AttentionCase(AttentionShape Shape, float[] Query, float[] Keys, float[] Values, byte[] Visible)
{
    public static AttentionCase Create<TPrecision>(AttentionShape shape, Mask mask, int seed)
        where TPrecision : struct, IPrecision
    {
        float[] keys = Cache<TPrecision>(shape, seed + 1), values = Cache<TPrecision>(shape, seed + 2);
        int queryLength = shape.Batch * shape.Heads * shape.QueryTokens * shape.HeadDim;
        float[] query = TestValues.Spread<TPrecision>(queryLength, seed, binades: 1);
        return new AttentionCase(shape, query, keys, values, Visibility(shape, mask, seed));
    }

    public (float[] Context, float[] Weights) Run<TPrecision>(
        ExecutionEngine engine, int threads = 1, bool wantWeights = true)
        where TPrecision : struct, IPrecision
    {
        using WorkerPool workers = new(threads);
        float[] context = new float[Shape.Batch * Shape.QueryTokens * Shape.Heads * Shape.HeadDim];
        float[] weights = new float[wantWeights ? Shape.Batch * Shape.Heads * Shape.QueryTokens * Shape.KeyTokens : 0];
        Array.Fill(weights, 77f); // every element is to be written, the zeros beyond the diagonal too
        CausalAttention.Apply<TPrecision>(engine, workers, Shape, Query, Keys, Values, Visible, context, weights);
        return (context, weights);
    }

    /// <summary>The same tokens as a later call with a longer past.</summary>
    public AttentionCase Chunk(int first, int count)
    {
        AttentionShape shape = Shape with { PastTokens = Shape.PastTokens + first, QueryTokens = count };
        float[] query = new float[shape.Batch * shape.Heads * count * shape.HeadDim];
        for (int head = 0; head < shape.Batch * shape.Heads; head++)
        {
            Array.Copy(
                Query,
                ((head * Shape.QueryTokens) + first) * shape.HeadDim,
                query,
                head * count * shape.HeadDim,
                count * shape.HeadDim);
        }

        byte[] visible = new byte[Visible.Length == 0 ? 0 : shape.Batch * shape.KeyTokens];
        for (int sequence = 0; visible.Length != 0 && sequence < shape.Batch; sequence++)
        {
            Array.Copy(Visible, sequence * Shape.KeyTokens, visible, sequence * shape.KeyTokens, shape.KeyTokens);
        }

        return new AttentionCase(shape, query, Keys, Values, visible);
    }

    /// <summary>One sequence of the batch as a batch of its own.</summary>
    public AttentionCase Sequence(int sequence)
    {
        AttentionShape shape = Shape with { Batch = 1 };
        return new AttentionCase(shape, Part(Query), Part(Keys), Part(Values), Part(Visible));

        T[] Part<T>(T[] all)
        {
            int length = all.Length / Shape.Batch;
            return all[(sequence * length)..((sequence + 1) * length)];
        }
    }

    /// <summary>Whether a key is no padding.</summary>
    public bool IsVisible(int sequence, int key) =>
        Visible.Length == 0 || Visible[(sequence * Shape.KeyTokens) + key] != 0;

    /// <summary>Whether a query sees any key at all.</summary>
    public bool SeesAnything(int sequence, int query)
    {
        for (int key = 0; key <= Shape.PastTokens + query; key++)
        {
            if (IsVisible(sequence, key))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The context of one token of one sequence, all heads.</summary>
    public ReadOnlySpan<float> ContextRow(float[] context, int sequence, int query)
    {
        int width = Shape.Heads * Shape.HeadDim;
        return context.AsSpan(((sequence * Shape.QueryTokens) + query) * width, width);
    }

    private static float[] Cache<TPrecision>(AttentionShape shape, int seed)
        where TPrecision : struct, IPrecision
    {
        float[] cache = new float[shape.Batch * shape.KeyValueHeads * shape.CacheCapacity * shape.HeadDim];
        Array.Fill(cache, float.NaN);
        int filled = shape.KeyTokens * shape.HeadDim;
        for (int head = 0; head < shape.Batch * shape.KeyValueHeads; head++)
        {
            TestValues.Spread<TPrecision>(filled, seed + (1000 * head), binades: 1)
                .CopyTo(cache, head * shape.CacheCapacity * shape.HeadDim);
        }

        return cache;
    }

    private static byte[] Visibility(AttentionShape shape, Mask mask, int seed)
    {
        if (mask == Mask.None)
        {
            return [];
        }

        Random random = new(seed);
        byte[] visible = new byte[shape.Batch * shape.KeyTokens];
        for (int sequence = 0; sequence < shape.Batch; sequence++)
        {
            bool last = sequence == shape.Batch - 1;
            for (int key = 0; key < shape.KeyTokens; key++)
            {
                bool padded = mask switch
                {
                    Mask.Left => last && key < Math.Min(shape.PastTokens + 2, shape.KeyTokens - 1),
                    Mask.All => last,
                    _ => key > 0 && random.Next(3) == 0,
                };
                visible[(sequence * shape.KeyTokens) + key] = (byte)(padded ? 0 : 1);
            }
        }

        return visible;
    }
}
