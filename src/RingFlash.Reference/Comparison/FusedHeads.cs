using System;
using System.Linq;
using RingFlash.Reference.Configuration;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// The order of heads in a fused query-key-value tensor. Ours: all query heads, then all key heads, then all value
/// heads. Stacked under tensor parallelism: each rank has its share of the three in that order. Grouped (Megatron): for
/// each key-value head its query heads, itself, its value head.
/// </summary>
/// <param name="configuration">The model.</param>
/// <param name="ranks">The ranks of tensor parallelism.</param>
internal sealed class FusedHeads(ModelConfiguration configuration, int ranks)
{
    private readonly int queries = configuration.AttentionHeadCount;
    private readonly int keys = configuration.KeyValueHeadCount;

    /// <summary>The heads of a piece.</summary>
    /// <param name="piece">The piece.</param>
    /// <returns>How many.</returns>
    public int Count(FusedPiece piece) => piece == FusedPiece.Query ? queries : keys;

    /// <summary>The heads that lie there, copies on several ranks included.</summary>
    /// <param name="splits">Whether ranks split the heads.</param>
    /// <returns>How many.</returns>
    public long StoredCount(bool splits) => splits ? ranks * RankHeads() : queries + (2 * keys);

    /// <summary>For each head of ours the head there.</summary>
    /// <param name="isGrouped">Whether they lie in groups.</param>
    /// <param name="splits">Whether ranks split the heads.</param>
    /// <param name="take">The piece that is wanted; all of them when whole.</param>
    /// <returns>The order.</returns>
    public long[] Order(bool isGrouped, bool splits, FusedPiece take)
    {
        int perKey = queries / keys;
        long[] query = [.. Enumerable.Range(0, queries).Select(head => isGrouped
            ? ((long)(head / perKey) * (perKey + 2)) + (head % perKey)
            : Stacked(0, head, splits))];
        long[] key = [.. Enumerable.Range(0, keys).Select(head => isGrouped
            ? ((long)head * (perKey + 2)) + perKey
            : Stacked(1, head, splits))];
        long[] value = [.. Enumerable.Range(0, keys).Select(head => isGrouped
            ? ((long)head * (perKey + 2)) + perKey + 1
            : Stacked(2, head, splits))];
        return take switch
        {
            FusedPiece.Query => query,
            FusedPiece.Key => key,
            FusedPiece.Value => value,
            _ => [.. query, .. key, .. value],
        };
    }

    /// <summary>Whether an order is that of the tensor itself.</summary>
    /// <param name="order">The order.</param>
    /// <param name="count">The heads of the tensor.</param>
    /// <returns>Whether.</returns>
    public static bool IsInOrder(long[] order, long count) =>
        order.LongLength == count && order.Select((head, index) => head == index).All(same => same);

    // A rank holds at least one key head: with more ranks than key heads several hold the same one.
    private int KeysPerRank => Math.Max(1, keys / ranks);

    private int RankHeads() => (queries / ranks) + (2 * KeysPerRank);

    private long Stacked(int piece, int head, bool splits)
    {
        if (!splits)
        {
            return head + (piece == 0 ? 0 : queries + ((piece - 1) * (long)keys));
        }

        int perRank = piece == 0 ? queries / ranks : KeysPerRank;
        int rank = piece != 0 && keys < ranks ? head * (ranks / keys) : head / perRank;
        int within = piece != 0 && keys < ranks ? 0 : head % perRank;
        int before = piece == 0 ? 0 : (queries / ranks) + ((piece - 1) * KeysPerRank);
        return ((long)rank * RankHeads()) + before + within;
    }
}
