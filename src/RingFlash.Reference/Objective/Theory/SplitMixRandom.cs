using System;

namespace RingFlash.Reference.Objective.Theory;

/// <summary>
/// Steele, Lea and Flood's SplitMix64 (OOPSLA 2014): a counter that steps by the golden ratio, finished by a mixing of
/// its bits. Sixteen lines, one word of state, every seed good; the same numbers in every language.
/// </summary>
/// <remarks>
/// <para><see cref="Random"/> promises the same numbers for a seed only within one version of .NET; an experiment whose
/// outcome is printed must promise more.</para>
/// <para>Uniform numbers are exact in every runtime. Normal numbers go through <see cref="Math.Log(double)"/>, whose
/// last bit belongs to the C library: a published figure may move in its last places, a claim may not.</para>
/// <para>Not for secrets.</para>
/// </remarks>
public sealed class SplitMixRandom
{
    private const ulong GoldenRatio = 0x9E3779B97F4A7C15;

    private ulong state;
    private double spareNormal;
    private bool hasSpareNormal;

    /// <summary>Starts a sequence.</summary>
    /// <param name="seed">Any number; neighbouring seeds give unrelated sequences.</param>
    public SplitMixRandom(ulong seed) => state = seed;

    /// <summary>64 random bits.</summary>
    /// <returns>Any value of the type.</returns>
    public ulong NextBits()
    {
        state += GoldenRatio;
        ulong mixed = state;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>A uniform number on the grid of 2⁻⁵³.</summary>
    /// <returns>In [0, 1).</returns>
    public double NextUniform() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A uniform integer; the bias of the multiplication is below bound · 2⁻⁶⁴.</summary>
    /// <param name="bound">At least 1.</param>
    /// <returns>In [0, bound).</returns>
    public int NextInteger(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        return (int)Math.BigMul(NextBits(), (ulong)bound, out _);
    }

    /// <summary>A standard normal number by Marsaglia's polar method: no sine, no cosine, two numbers per accepted
    /// pair.</summary>
    /// <returns>Mean 0, variance 1.</returns>
    public double NextNormal()
    {
        if (hasSpareNormal)
        {
            hasSpareNormal = false;
            return spareNormal;
        }

        while (true)
        {
            double x = (2 * NextUniform()) - 1;
            double y = (2 * NextUniform()) - 1;
            double squared = (x * x) + (y * y);
            if (squared is > 0 and < 1)
            {
                double scale = Math.Sqrt(-2 * Math.Log(squared) / squared);
                spareNormal = y * scale;
                hasSpareNormal = true;
                return x * scale;
            }
        }
    }
}
