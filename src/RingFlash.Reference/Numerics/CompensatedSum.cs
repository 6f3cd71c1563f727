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
}
