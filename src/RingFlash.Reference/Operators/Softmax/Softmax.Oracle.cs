using System;

namespace RingFlash.Reference.Operators;

public static partial class Softmax
{
    /// <summary>In float64, unrounded.</summary>
    /// <param name="scores">[keys], float64, read.</param>
    /// <param name="visible">[keys], 1 where the query may look; or empty.</param>
    /// <param name="weights">[keys], float64, written; may be scores.</param>
    public static void Exact(ReadOnlySpan<double> scores, ReadOnlySpan<byte> visible, Span<double> weights)
    {
        double maximum = double.NegativeInfinity, denominator = 0;
        bool any = false;
        for (int j = 0; j < scores.Length; j++)
        {
            if (visible.IsEmpty || visible[j] != 0)
            {
                any = true;
                maximum = scores[j] > maximum ? scores[j] : maximum;
            }
        }

        for (int j = 0; j < scores.Length; j++)
        {
            bool isVisible = visible.IsEmpty || visible[j] != 0;
            weights[j] = !any ? 1 : isVisible ? Math.Exp(scores[j] - maximum) : 0;
            denominator += weights[j];
        }

        for (int j = 0; j < scores.Length; j++)
        {
            weights[j] /= denominator;
        }
    }
}
