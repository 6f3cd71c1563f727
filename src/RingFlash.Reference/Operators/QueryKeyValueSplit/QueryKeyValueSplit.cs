using System;

namespace RingFlash.Reference.Operators;

/// <summary>Splits the fused projection by heads: all query heads, then all key heads, then all value heads.</summary>
/// <remarks>
/// <para>Maths: query[b,j,t] = qkv[b,t,j], key[b,j,t] = qkv[b,t,Hq+j], value[b,j,t] = qkv[b,t,Hq+Hkv+j], per head of
/// headDim.</para>
/// <para>Axes: qkv [batch, tokens, (heads + 2·keyValueHeads)·headDim]; query [batch, heads, tokens, headDim]; key and
/// value [batch, keyValueHeads, tokens, headDim].</para>
/// <para>Rounding points: none; a copy. There is no vector path of its own: moving bytes has no arithmetic.</para>
/// <para>Differs: Megatron stores, per key/value group, [queries of the group | key | value]; converters
/// regroup.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, BailingMoeV2Attention.forward.</para>
/// </remarks>
public static partial class QueryKeyValueSplit
{
    /// <summary>Splits.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="queryKeyValue">[batch, tokens, (heads + 2·keyValueHeads)·headDim], read.</param>
    /// <param name="batch">The number of sequences.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keyValueHeads">Key and value heads.</param>
    /// <param name="headDim">The width of a head.</param>
    /// <param name="query">[batch, heads, tokens, headDim], written.</param>
    /// <param name="key">[batch, keyValueHeads, tokens, headDim], written.</param>
    /// <param name="value">[batch, keyValueHeads, tokens, headDim], written.</param>
    public static void Scalar<T>(
        ReadOnlySpan<T> queryKeyValue,
        int batch,
        int heads,
        int keyValueHeads,
        int headDim,
        Span<T> query,
        Span<T> key,
        Span<T> value)
        where T : unmanaged
    {
        int rowWidth = (heads + (2 * keyValueHeads)) * headDim;
        int tokens = queryKeyValue.Length / (batch * rowWidth);
        for (int row = 0; row < batch * tokens; row++)
        {
            ReadOnlySpan<T> fused = queryKeyValue.Slice(row * rowWidth, rowWidth);
            int sequence = row / tokens, token = row % tokens;
            CopyHeads(fused[..(heads * headDim)], sequence, token, tokens, headDim, query);
            CopyHeads(fused.Slice(heads * headDim, keyValueHeads * headDim), sequence, token, tokens, headDim, key);
            CopyHeads(fused[((heads + keyValueHeads) * headDim)..], sequence, token, tokens, headDim, value);
        }
    }

    private static void CopyHeads<T>(
        ReadOnlySpan<T> source, int sequence, int token, int tokens, int headDim, Span<T> destination)
    {
        int heads = source.Length / headDim;
        for (int head = 0; head < heads; head++)
        {
            int start = ((((sequence * heads) + head) * tokens) + token) * headDim;
            source.Slice(head * headDim, headDim).CopyTo(destination.Slice(start, headDim));
        }
    }
}
