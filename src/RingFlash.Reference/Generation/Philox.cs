using System;

namespace RingFlash.Reference.Generation;

/// <summary>
/// The counter-based generator Philox4x32-10: ten rounds of multiply and mix turn a counter and a key into 128 random
/// bits. There is no state, so a draw depends on the seed, the position and the purpose alone, and not on how many were
/// drawn before, in which order, or for whom.
/// </summary>
/// <remarks>
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; test vectors from
/// Random123, tests/kat_vectors.
/// </remarks>
internal static class Philox
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>A number for a token.</summary>
    /// <param name="seed">The key, its low word first.</param>
    /// <param name="position">The token's place in the sequence, prompt included: words 0 and 1 of the counter.</param>
    /// <param name="purpose">Word 2 of the counter.</param>
    /// <returns>[0, 1), a multiple of 2⁻⁵³: the upper 53 bits of words 1 and 0 of the result.</returns>
    public static double Uniform(ulong seed, long position, DrawPurpose purpose)
    {
        UInt128 counter = (ulong)position | ((UInt128)(ulong)purpose << 64);
        return ((ulong)Block(counter, seed) >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>The function itself.</summary>
    /// <param name="counter">Four words, the lowest first.</param>
    /// <param name="key">Two words, the lowest first.</param>
    /// <returns>Four words, the lowest first.</returns>
    public static UInt128 Block(UInt128 counter, ulong key)
    {
        uint c0 = (uint)counter, c1 = (uint)(counter >> 32), c2 = (uint)(counter >> 64), c3 = (uint)(counter >> 96);
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong first = (ulong)Multiplier0 * c0, second = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) =
                ((uint)(second >> 32) ^ c1 ^ k0, (uint)second, (uint)(first >> 32) ^ c3 ^ k1, (uint)first);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return c0 | ((UInt128)c1 << 32) | ((UInt128)c2 << 64) | ((UInt128)c3 << 96);
    }
}

/// <summary>What a number is drawn for; numbers for one position and several purposes are independent.</summary>
internal enum DrawPurpose
{
    /// <summary>To choose a token from the model's distribution, or from what a rejected draft leaves of it.</summary>
    Token,

    /// <summary>To accept or reject a draft.</summary>
    Acceptance,

    /// <summary>To draft.</summary>
    Draft,
}
