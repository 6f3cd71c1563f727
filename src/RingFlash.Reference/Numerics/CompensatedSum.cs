using System;

namespace RingFlash.Reference.Numerics;

/// <summary>Sums of float64 numbers whose error does not grow with their count; for oracles and normative
/// values.</summary>
/// <remarks>
/// <para>Maths: Neumaier's variant of Kahan's sum: each addition's rounding error is recovered exactly and the errors
/// are added once at the end. Order: ascending index.</para>
/// <para>Bound: |result − Σx| ≤ u·|Σx| + 2n²·u²·Σ|x|, u = 2^-53.</para>
/// <para>Special: where the plain sum is not finite it is the result, as the recovered errors would be ∞ − ∞.</para>
/// </remarks>
public static class CompensatedSum
{
    /// <summary>Σ x[i] in ascending order.</summary>
    /// <param name="values">[i], float64, read.</param>
    /// <returns>The sum.</returns>
    public static double Of(ReadOnlySpan<double> values)
    {
        double sum = 0, lost = 0;
        foreach (double value in values)
        {
            double next = sum + value;
            lost += Math.Abs(sum) >= Math.Abs(value) ? sum - next + value : value - next + sum;
            sum = next;
        }

        return double.IsFinite(sum) ? sum + lost : sum;
    }

    /// <summary>
    /// Σ x[i], the same bits for every order of the terms and the negated bits for negated terms: positive and negative
    /// terms are summed apart, each by size, and subtracted with the errors of both. Sorting by value alone would turn
    /// the order round with the signs.
    /// </summary>
    /// <param name="values">[i], float64, read.</param>
    /// <returns>The sum.</returns>
    public static double OfSymmetric(ReadOnlySpan<double> values)
    {
        double[] sorted = values.ToArray();
        Array.Sort(sorted);
        double above = 0, aboveLost = 0, below = 0, belowLost = 0;
        for (int i = sorted.Length - 1; i >= 0; i--)
        {
            // Backwards, so that negative terms too come smallest first. NaN is sorted to the front and lands here.
            if (!(sorted[i] >= 0))
            {
                Add(ref below, ref belowLost, -sorted[i]);
            }
        }

        foreach (double value in sorted)
        {
            if (value >= 0)
            {
                Add(ref above, ref aboveLost, value);
            }
        }

        double difference = above - below, lost = aboveLost - belowLost;
        if (!double.IsFinite(difference))
        {
            return difference;
        }

        lost += above >= below ? above - difference - below : above - (below + difference);
        return difference + lost;
    }

    private static void Add(ref double sum, ref double lost, double value)
    {
        double next = sum + value;
        lost += sum >= value ? sum - next + value : value - next + sum;
        sum = next;
    }
}
