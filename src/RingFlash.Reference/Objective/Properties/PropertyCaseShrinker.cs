using System;
using System.Collections.Generic;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>Makes a failing case small and plain: one response of one token, Δ = 0, r = 1, Â = 1, band 0.5 …
/// 5.</summary>
internal static class PropertyCaseShrinker
{
    private const int Effort = 2000;

    /// <summary>The smallest case found that still fails.</summary>
    public static PropertyCase Shrink(PropertyCase failing, Func<PropertyCase, bool> fails)
    {
        int effort = 0;
        bool better = true;
        while (better)
        {
            better = false;
            foreach (PropertyCase candidate in Simpler(failing))
            {
                if (++effort > Effort)
                {
                    return failing;
                }

                if (fails(candidate))
                {
                    failing = candidate;
                    better = true;
                    break;
                }
            }
        }

        return failing;
    }

    private static IEnumerable<PropertyCase> Simpler(PropertyCase sample)
    {
        for (int row = 0; row < sample.Rollouts && sample.Rollouts > 1; row++)
        {
            yield return sample.Arrange(
                Without(sample.Rollouts, row), PropertyCase.Upto(sample.Length));
        }

        for (int column = 0; column < sample.Length; column++)
        {
            yield return sample.Arrange(
                PropertyCase.Upto(sample.Rollouts), Without(sample.Length, column));
        }

        if ((sample.Alpha, sample.Beta) != (0.5, 5))
        {
            yield return sample.WithBand(0.5, 5);
        }

        if ((sample.EpsilonLow, sample.EpsilonHigh) != (0.2, 0.2))
        {
            yield return sample.With(copy => copy.EpsilonLow = copy.EpsilonHigh = 0.2);
        }

        for (int row = 0; row < sample.Rollouts; row++)
        {
            if (sample.Advantages[row] != 1)
            {
                yield return sample.With(copy => copy.Advantages[row] = 1);
            }
        }

        for (int i = 0; i < sample.Tokens; i++)
        {
            double old = sample.Old[i], move = sample.Current[i] - old;
            if (!sample.Inference[i].Equals(old))
            {
                yield return sample.With(copy => copy.Inference[i] = old);
            }

            if (!sample.Current[i].Equals(old))
            {
                yield return sample.With(copy => copy.Current[i] = old);
            }

            if (double.IsFinite(old) && old != 0)
            {
                double difference = sample.LogRatio(i);
                yield return sample.With(copy =>
                    (copy.Old[i], copy.Inference[i], copy.Current[i]) = (0, -difference, move));
            }

            if (!sample.Valid(i))
            {
                yield return sample.With(copy => copy.Mask[i] = 1);
            }
        }
    }

    private static int[] Without(int count, int left)
    {
        List<int> kept = [.. PropertyCase.Upto(count)];
        kept.RemoveAt(left);
        return [.. kept];
    }
}
