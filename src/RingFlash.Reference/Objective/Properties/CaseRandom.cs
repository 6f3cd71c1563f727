using System;
using System.Numerics;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>SplitMix64 and the draws of the case generators; the same seed gives the same cases everywhere.</summary>
internal sealed class CaseRandom(ulong seed)
{
    private ulong state = seed;

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        state += 0x9E3779B97F4A7C15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>From 0 to below a count.</summary>
    public int Below(int count) => (int)(((UInt128)NextBits() * (ulong)count) >> 64);

    /// <summary>From the first to the last, both possible.</summary>
    public int Between(int first, int last) => first + Below(last - first + 1);

    /// <summary>In [0, 1).</summary>
    public double Unit() => (NextBits() >> 11) * (1.0 / (1L << 53));

    /// <summary>In [low, high).</summary>
    public double Uniform(double low, double high) => low + ((high - low) * Unit());

    /// <summary>True with a probability.</summary>
    public bool Chance(double probability) => Unit() < probability;

    /// <summary>Normal, mean 0.</summary>
    public double Normal(double deviation) =>
        deviation * Math.Sqrt(-2 * Math.Log(1 - Unit())) * Math.Cos(2 * Math.PI * Unit());

    /// <summary>One of the items.</summary>
    public T Pick<T>(params ReadOnlySpan<T> items) => items[Below(items.Length)];

    /// <summary>Beta(1/2, 1/2), away from its ends by 1e-12.</summary>
    public double Arcsine()
    {
        double sine = Math.Sin(Math.PI / 2 * Unit());
        return Math.Clamp(sine * sine, 1e-12, 1 - 1e-12);
    }

    /// <summary>A random order of 0 … count − 1.</summary>
    public int[] Order(int count)
    {
        int[] order = new int[count];
        for (int i = 0; i < count; i++)
        {
            order[i] = i;
        }

        for (int i = count - 1; i > 0; i--)
        {
            int other = Below(i + 1);
            (order[i], order[other]) = (order[other], order[i]);
        }

        return order;
    }

    /// <summary>A multiple of 2^−20 next to a number, so that sums and differences of such numbers are exact.</summary>
    public static double Dyadic(double value) => Math.Round(value * (1 << 20)) / (1 << 20);
}
