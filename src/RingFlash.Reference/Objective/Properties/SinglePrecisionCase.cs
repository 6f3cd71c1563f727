using System;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>
/// Makes a case one that float32 can answer like float64: a property then speaks about the loss and not about the type.
/// </summary>
internal static class SinglePrecisionCase
{
    /// <summary>e^±80 is where float32 begins to leave its range, advantages and counts included.</summary>
    private const double WidestLogRatio = 80;

    /// <summary>
    /// Rounds every number to float32 (to multiples of 2^−10 where shifts must be exact), and gives a token equal
    /// engines where Δ is so near an end of the band that float32 may decide otherwise, or where it is kept and its
    /// weight leaves the range. A policy step beside a bound of the clip moves on.
    /// </summary>
    public static void Fit(PropertyCase made, bool dyadic)
    {
        double Round(double value) => dyadic ? Math.Round(value * 1024) / 1024 : (float)value;
        for (int row = 0; row < made.Rollouts; row++)
        {
            made.Advantages[row] = (float)made.Advantages[row];
        }

        for (int i = 0; i < made.Tokens; i++)
        {
            made.Old[i] = Round(made.Old[i]);
            made.Current[i] = Round(made.Current[i]);
            made.Inference[i] = Round(made.Inference[i]);
            bool outOfRange = made.Kept(i) && Math.Abs(made.LogRatio(i)) > WidestLogRatio;
            if (outOfRange || NearEnd(made.Old[i], made.Inference[i], made.Alpha, made.Beta))
            {
                made.Inference[i] = made.Old[i];
            }

            double ratio = made.PolicyRatio(i);
            bool atKink = Math.Abs(ratio - 1 - made.EpsilonHigh) < 1e-4 || Math.Abs(ratio - 1 + made.EpsilonLow) < 1e-4;
            if (atKink && made.Current[i] != made.Old[i])
            {
                made.Current[i] = Round(made.Current[i] + 0.015625);
            }
        }
    }

    /// <summary>Whether float32 may decide otherwise than float64: Δ within (|o| + |q| + |Δ| + 4)·2^−24 of an end, and
    /// not exactly 0.</summary>
    public static bool NearEnd(double old, double inference, double alpha, double beta)
    {
        double difference = old - inference;
        double reach = (Math.Abs(old) + Math.Abs(inference) + Math.Abs(difference) + 4) / (1 << 24);
        return difference != 0
            && (Math.Abs(difference - Math.Log(alpha)) <= reach || Math.Abs(difference - Math.Log(beta)) <= reach);
    }
}
