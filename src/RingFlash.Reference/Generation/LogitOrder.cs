using System;

namespace RingFlash.Reference.Generation;

/// <summary>
/// Tokens in order: falling logit and, among equal ones (+0 and −0 are), rising id. As one number, so that sorting
/// needs no comparer.
/// </summary>
internal static class LogitOrder
{
    /// <summary>A key that is smaller the earlier a token comes.</summary>
    /// <param name="logit">Not NaN.</param>
    /// <param name="id">The token.</param>
    /// <returns>The key.</returns>
    public static ulong Key(float logit, int id)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f); // −0 becomes +0
        uint rising = (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
        return ((ulong)~rising << 32) | (uint)id;
    }

    /// <summary>The token of a key.</summary>
    /// <param name="key">The key.</param>
    /// <returns>The token.</returns>
    public static int Id(ulong key) => (int)(uint)key;
}
