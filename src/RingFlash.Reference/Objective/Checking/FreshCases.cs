using System;
using System.Collections.Generic;
using System.Globalization;
using RingFlash.Reference.Objective.Properties;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>Random loss cases by the generators of the properties; the same seed gives the same cases.</summary>
public static class FreshCases
{
    private const double KullbackLeiblerCoefficient = 0.05;

    /// <summary>Makes cases: ragged rows with holes, ends of the band to the bit, extreme differences; every fourth
    /// with a KL term.</summary>
    /// <param name="seed">The seed of the first case; the next one has the next seed.</param>
    /// <param name="count">How many.</param>
    /// <param name="edges">Makes as many again with NaN and ±∞ in padding, −∞ and NaN on a response token, empty
    /// responses, or everything out of band.</param>
    /// <returns>Each case and its seed, in order.</returns>
    public static IEnumerable<(IcePopCaseFile Case, ulong Seed)> Make(ulong seed, int count, bool edges)
    {
        for (int index = 0; index < (edges ? 2 * count : count); index++)
        {
            CaseKind kind = index < count ? CaseKind.General : CaseKind.Edges;
            ulong own = unchecked(seed + (ulong)index);
            yield return (Make(kind, own, index + 1), own);
        }
    }

    private static IcePopCaseFile Make(CaseKind kind, ulong seed, int number)
    {
        PropertyCase made = PropertyCaseGenerator.Make(kind, seed);
        CaseRandom random = made.Random;
        double[] reference = Array.ConvertAll(
            made.Current, value => double.IsFinite(value) ? Math.Min(value + random.Normal(0.25), 0) : -1);
        RolloutBatch batch = new(
            made.Rollouts,
            made.Length,
            made.Current,
            made.Old,
            made.Inference,
            made.Advantages,
            made.Mask,
            reference,
            new long[made.Rollouts]);
        string word = kind == CaseKind.Edges ? "edge" : "general";
        return IcePopCaseFile.Create(
            string.Create(CultureInfo.InvariantCulture, $"{word}_{seed}"),
            number,
            batch,
            made.Options with { KullbackLeiblerCoefficient = number % 4 == 0 ? KullbackLeiblerCoefficient : 0 },
            ["generated", word]);
    }
}
