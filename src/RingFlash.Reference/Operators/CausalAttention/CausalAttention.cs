using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Causal grouped-query attention over a key/value cache, with a padding mask.</summary>
/// <remarks>
/// <para>Maths: s[j] = round(round(q · k[j]) / √headDim) for keys j ≤ past + i; p = softmax(s) over the visible ones;
/// context = round(Σ_j p[j] · v[j]).</para>
/// <para>Axes: query [batch, heads, tokens, headDim]; keys, values [batch, keyValueHeads, capacity, headDim] of which
/// the first past + tokens are filled; visible [batch, past + tokens], 0 for padding; context [batch, tokens,
/// heads · headDim], heads concatenated in order. Query head h reads key/value head ⌊h / (heads/keyValueHeads)⌋.</para>
/// <para>Order: q·k over channels and p·v over keys are products; the blocks of p·v count from the first visible key of
/// the sequence, which is absolute position 0 without left padding. So chunks of a prompt and decoding give the bits of
/// the whole, and a left padded sequence those of itself unpadded (the denominator's halving tree pairs stripes at
/// cyclic distances, so moving every key by the same number of stripes does not change it).</para>
/// <para>Rounding points: q·k; the quotient by √headDim (a division, not a multiplication by 1/√headDim); p;
/// context.</para>
/// <para>Bound: with A = max_j Σ_d|q·k|/√headDim a score is within (headDim + 2)·u·A (headDim fused steps, the
/// quotient, the rounded √headDim); twice that is relative in p, once for e[j] and once for the denominator. Softmax
/// itself adds (2·2·A + ⌈keys/32⌉ + 10)·u, as no two scores are more than 2·A apart, and p·v adds (128 + ⌈keys/128⌉)·u:
/// |context − Exact| ≤ (2·(headDim + 4)·A + ⌈keys/32⌉ + ⌈keys/128⌉ + 138)·u·Σ p·|v|, to first order.</para>
/// <para>Special: later keys are never read, nor are values before the first visible key. A masked key between visible
/// ones has weight +0 but its value is multiplied by it, as published, so a NaN value there gives NaN. A query without
/// any visible key (left padding) weighs all keys of the call equally, later ones included, as published; its result
/// depends on where the chunk ends and means nothing.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, BailingMoeV2Attention.forward
/// (eager).</para>
/// </remarks>
public static partial class CausalAttention
{
    /// <summary>Attends on the chosen engine.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="workers">The threads.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="query">[batch, heads, tokens, headDim], float32, read.</param>
    /// <param name="keys">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="values">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="visible">[batch, past + tokens], 1 or 0 for padding; or empty for no padding.</param>
    /// <param name="context">[batch, tokens, heads · headDim], float32, written.</param>
    /// <param name="weights">[batch, heads, tokens, past + tokens], float32, written; or empty when not wanted.</param>
    public static void Apply<TPrecision>(
        ExecutionEngine engine,
        WorkerPool workers,
        AttentionShape shape,
        float[] query,
        float[] keys,
        float[] values,
        byte[] visible,
        float[] context,
        float[] weights)
        where TPrecision : struct, IPrecision
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar<TPrecision>(workers, shape, query, keys, values, visible, context, weights);
        }
        else
        {
            Vectorised<TPrecision>(workers, shape, query, keys, values, visible, context, weights);
        }
    }

    private static void Scalar<TPrecision>(
        WorkerPool workers,
        AttentionShape shape,
        float[] query,
        float[] keys,
        float[] values,
        byte[] visible,
        float[] context,
        float[] weights)
        where TPrecision : struct, IPrecision =>
        workers.Run(shape.Batch * shape.Heads, (first, end, _) =>
        {
            for (int item = first; item < end; item++)
            {
                int sequence = item / shape.Heads, head = item % shape.Heads;
                ScalarHead<TPrecision>(shape, sequence, head, query, keys, values, visible, context, weights);
            }
        });

    /// <summary>The definition, for one query head of one sequence.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="shape">The sizes.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The query head.</param>
    /// <param name="query">[batch, heads, tokens, headDim], float32, read.</param>
    /// <param name="keys">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="values">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="visible">[batch, past + tokens]; or empty.</param>
    /// <param name="context">[batch, tokens, heads · headDim], float32, written.</param>
    /// <param name="weights">[batch, heads, tokens, past + tokens], float32, written; or empty.</param>
    public static void ScalarHead<TPrecision>(
        AttentionShape shape,
        int sequence,
        int head,
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> keys,
        ReadOnlySpan<float> values,
        ReadOnlySpan<byte> visible,
        Span<float> context,
        Span<float> weights)
        where TPrecision : struct, IPrecision
    {
        int headDim = shape.HeadDim, cacheHead = (sequence * shape.KeyValueHeads) + shape.KeyValueHead(head);
        ReadOnlySpan<float> headKeys = keys.Slice(cacheHead * shape.CacheCapacity * headDim, shape.KeyTokens * headDim);
        ReadOnlySpan<float> headValues =
            values.Slice(cacheHead * shape.CacheCapacity * headDim, shape.KeyTokens * headDim);
        float scale = (float)Math.Sqrt(headDim);
        float[] row = new float[shape.KeyTokens];
        for (int i = 0; i < shape.QueryTokens; i++)
        {
            int queryRow = (((sequence * shape.Heads) + head) * shape.QueryTokens) + i;
            ReadOnlySpan<byte> rowVisible = VisibleKeys(shape, visible, sequence, i);
            Span<float> scores = row.AsSpan(0, KeyLimit(shape, rowVisible, i));
            for (int j = 0; j < scores.Length; j++)
            {
                float product =
                    Summation.Dot(query.Slice(queryRow * headDim, headDim), headKeys.Slice(j * headDim, headDim));
                scores[j] = TPrecision.Round(TPrecision.Round(product) / scale);
            }

            Softmax.Scalar<TPrecision>(scores, rowVisible, scores);
            int firstKey = FirstKey(rowVisible);
            Span<float> output = context.Slice(
                (((sequence * shape.QueryTokens) + i) * shape.Heads * headDim) + (head * headDim), headDim);
            for (int d = 0; d < headDim; d++)
            {
                float total = 0f;
                for (int block = firstKey; block < scores.Length; block += Summation.BlockLength)
                {
                    float sum = 0f;
                    for (int j = block; j < Math.Min(block + Summation.BlockLength, scores.Length); j++)
                    {
                        sum = MathF.FusedMultiplyAdd(scores[j], headValues[(j * headDim) + d], sum);
                    }

                    total += sum;
                }

                output[d] = TPrecision.Round(total);
            }

            StoreWeights(shape, queryRow, scores, weights);
        }
    }

    /// <summary>
    /// The visibility of the keys that a query's scores run over: its causal prefix, or every key for a padded query.
    /// </summary>
    private static ReadOnlySpan<byte> VisibleKeys(AttentionShape shape, ReadOnlySpan<byte> visible, int sequence, int i)
    {
        if (visible.IsEmpty)
        {
            return visible;
        }

        ReadOnlySpan<byte> all = visible.Slice(sequence * shape.KeyTokens, shape.KeyTokens);
        ReadOnlySpan<byte> prefix = all[..(shape.PastTokens + i + 1)];

        // Nothing visible in the causal prefix: the published softmax runs over all keys, each equally masked.
        return prefix.ContainsAnyExcept((byte)0) ? prefix : Invisible(shape.KeyTokens);
    }

    /// <summary>Where the blocks of p·v begin: after the left padding; at 0 for a query that sees nothing.</summary>
    private static int FirstKey(ReadOnlySpan<byte> rowVisible) => Math.Max(0, rowVisible.IndexOfAnyExcept((byte)0));

    private static byte[] Invisible(int count) => new byte[count];

    private static int KeyLimit(AttentionShape shape, ReadOnlySpan<byte> rowVisible, int i) =>
        rowVisible.IsEmpty ? shape.PastTokens + i + 1 : rowVisible.Length;

    private static void StoreWeights(AttentionShape shape, int queryRow, ReadOnlySpan<float> row, Span<float> weights)
    {
        if (!weights.IsEmpty)
        {
            Span<float> destination = weights.Slice(queryRow * shape.KeyTokens, shape.KeyTokens);
            row.CopyTo(destination);
            destination[row.Length..].Clear();
        }
    }
}
