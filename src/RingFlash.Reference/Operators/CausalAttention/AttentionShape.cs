namespace RingFlash.Reference.Operators;

/// <summary>The sizes of one attention call.</summary>
/// <param name="Batch">Sequences.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key and value heads; divides <paramref name="Heads"/>.</param>
/// <param name="QueryTokens">New tokens per sequence.</param>
/// <param name="PastTokens">Tokens already in the cache; the new ones follow.</param>
/// <param name="HeadDim">The width of a head.</param>
/// <param name="CacheCapacity">Tokens that the cache has room for: the stride between its heads.</param>
public readonly record struct AttentionShape(
    int Batch, int Heads, int KeyValueHeads, int QueryTokens, int PastTokens, int HeadDim, int CacheCapacity)
{
    /// <summary>Keys per sequence: past and new.</summary>
    public int KeyTokens => PastTokens + QueryTokens;

    /// <summary>The key/value head that a query head reads: heads are repeated in place, not tiled.</summary>
    /// <param name="head">The query head.</param>
    /// <returns>⌊head / (Heads / KeyValueHeads)⌋.</returns>
    public int KeyValueHead(int head) => head / (Heads / KeyValueHeads);
}
