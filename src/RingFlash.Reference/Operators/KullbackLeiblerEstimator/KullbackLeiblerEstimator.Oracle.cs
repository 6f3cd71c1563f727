using System;

namespace RingFlash.Reference.Operators;

public static partial class KullbackLeiblerEstimator
{
    /// <summary>Terms beyond 1/22! are below 2^-53/4 for |x| ≤ 1.</summary>
    private const int DoubleTerms = 22;

    /// <summary>In float64; the normative value.</summary>
    /// <param name="kind">The estimator.</param>
    /// <param name="current">[tokens], float64, read.</param>
    /// <param name="reference">[tokens], float64, read.</param>
    /// <param name="y">[tokens], float64, written.</param>
    public static void Exact(
        KullbackLeiblerKind kind, ReadOnlySpan<double> current, ReadOnlySpan<double> reference, Span<double> y)
    {
        for (int t = 0; t < current.Length; t++)
        {
            double d = current[t] - reference[t];
            y[t] = kind switch
            {
                KullbackLeiblerKind.K1 => d,
                KullbackLeiblerKind.K2 => 0.5 * d * d,
                _ => ExponentialRemainder(-d),
            };
        }
    }

    /// <summary>The derivative in float64.</summary>
    /// <param name="kind">The estimator.</param>
    /// <param name="current">[tokens], float64, read.</param>
    /// <param name="reference">[tokens], float64, read.</param>
    /// <param name="gradient">[tokens], float64, written.</param>
    public static void ExactBackward(
        KullbackLeiblerKind kind,
        ReadOnlySpan<double> current,
        ReadOnlySpan<double> reference,
        Span<double> gradient)
    {
        for (int t = 0; t < current.Length; t++)
        {
            double d = current[t] - reference[t];
            gradient[t] = kind switch
            {
                KullbackLeiblerKind.K1 => double.IsNaN(d) ? d : 1,
                KullbackLeiblerKind.K2 => d,
                _ => -ExponentialMinusOne(-d),
            };
        }
    }

    /// <summary>e^x − 1 − x in float64, accurate near 0.</summary>
    /// <param name="x">Any number.</param>
    /// <returns>At least 0.</returns>
    public static double ExponentialRemainder(double x)
    {
        if (!(x >= -1 && x <= 1))
        {
            return Math.Exp(x) - 1 - x;
        }

        double series = 1;
        for (int n = DoubleTerms; n >= 3; n--)
        {
            series = 1 + (x / n * series);
        }

        return 0.5 * x * x * series;
    }

    private static double ExponentialMinusOne(double x)
    {
        if (!(x >= -1 && x <= 1))
        {
            return Math.Exp(x) - 1;
        }

        double series = 1;
        for (int n = DoubleTerms; n >= 2; n--)
        {
            series = 1 + (x / n * series);
        }

        return x * series;
    }
}
