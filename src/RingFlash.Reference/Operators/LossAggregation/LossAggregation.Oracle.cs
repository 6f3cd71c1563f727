using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LossAggregation
{
    /// <summary>In float64 with compensated sums; the normative loss. Sorted row terms, as in float32.</summary>
    /// <param name="kind">The aggregation.</param>
    /// <param name="contributions">[rollouts, response], float64, read.</param>
    /// <param name="responseMask">[rollouts, response], read.</param>
    /// <param name="rollouts">B of these rows.</param>
    /// <param name="denominators">The counts of the whole batch.</param>
    /// <returns>L.</returns>
    public static double Exact(
        LossAggregationKind kind,
        ReadOnlySpan<double> contributions,
        ReadOnlySpan<byte> responseMask,
        int rollouts,
        LossDenominators denominators)
    {
        double[] terms = new double[rollouts];
        int response = rollouts == 0 ? 0 : contributions.Length / rollouts;
        double[] selected = new double[response];
        for (int row = 0; row < rollouts; row++)
        {
            int count = 0;
            for (int t = 0; t < response; t++)
            {
                bool valid = responseMask[(row * response) + t] != 0;
                selected[t] = valid ? contributions[(row * response) + t] : 0;
                count += valid ? 1 : 0;
            }

            terms[row] = Coefficient(kind, count, denominators) * CompensatedSum.Of(selected);
        }

        Array.Sort(terms);
        return CompensatedSum.Of(terms);
    }
}
