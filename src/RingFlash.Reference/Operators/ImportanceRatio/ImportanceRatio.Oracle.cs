using System;

namespace RingFlash.Reference.Operators;

public static partial class ImportanceRatio
{
    /// <summary>In float64; the normative value of the objective.</summary>
    /// <param name="numerator">[tokens], float64, read.</param>
    /// <param name="denominator">[tokens], float64, read.</param>
    /// <param name="clamp">The largest |d|; +∞ for none.</param>
    /// <param name="ratio">[tokens], float64, written; may be an input.</param>
    public static void Exact(
        ReadOnlySpan<double> numerator, ReadOnlySpan<double> denominator, double clamp, Span<double> ratio)
    {
        for (int t = 0; t < numerator.Length; t++)
        {
            double difference = numerator[t] - denominator[t];
            difference = difference > clamp ? clamp : difference;
            difference = difference < -clamp ? -clamp : difference;
            ratio[t] = Math.Exp(difference);
        }
    }
}
