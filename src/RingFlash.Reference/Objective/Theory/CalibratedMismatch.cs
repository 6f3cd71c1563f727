using System;
using System.Collections.Generic;

namespace RingFlash.Reference.Objective.Theory;

/// <summary>
/// S3, log-ratios of a realistic size: mostly rounding noise, now and then another expert.
/// Δ is N(0, σ²) with probability 1 − p and N(0, τ²) with probability p.
/// </summary>
/// <remarks>
/// <para>Claim: both magnitudes that were reported for real runs, a mean |Δ| of 0.027 and one to two per mille of
/// tokens outside
/// the band, come out at once; the three calibrations in <see cref="Published"/> do it.</para>
/// <para>How: for a centred normal E|Δ| = σ·√(2/π), so the mean is √(2/π)·((1 − p)σ + pτ); the share outside is a
/// mixture of
/// normal tails. Both are computed here in closed form; <see cref="Next"/> draws samples.</para>
/// <para>Assumptions: tokens are independent and alike at all positions, the two signs alike. None of it holds in a
/// real run.</para>
/// <para><b>What it does not show.</b> Why the gap is there, that it grows with position or with training, and E_q[k] =
/// 1: the
/// mean of e^Δ is above 1, since Δ is not a ratio of two distributions here.</para>
/// <para>Source: ours (spec, section 2.7); the magnitudes it reproduces are from the report (figure 6) and the
/// blog.</para>
/// </remarks>
/// <param name="Noise">σ, the spread of nearly all tokens.</param>
/// <param name="OutlierShare">p.</param>
/// <param name="OutlierNoise">τ, the spread of the others.</param>
public sealed record CalibratedMismatch(double Noise, double OutlierShare, double OutlierNoise)
{
    /// <summary>Three calibrations that give the reported magnitudes.</summary>
    public static IReadOnlyList<CalibratedMismatch> Published { get; } =
        [new(0.030, 0.004, 1.0), new(0.028, 0.006, 0.9), new(0.031, 0.003, 1.2)];

    /// <summary>E|Δ|.</summary>
    public double MeanAbsoluteLogRatio =>
        Math.Sqrt(2 / Math.PI) * (((1 - OutlierShare) * Noise) + (OutlierShare * OutlierNoise));

    /// <summary>The probability that k = e^Δ lies outside a band.</summary>
    /// <param name="alpha">The lower end; 0 cuts nothing.</param>
    /// <param name="beta">The upper end; ∞ cuts nothing.</param>
    /// <returns>The share.</returns>
    public double ShareOutside(double alpha, double beta)
    {
        double low = -Math.Log(alpha), high = Math.Log(beta);
        return ((1 - OutlierShare) * (NormalTail(low / Noise) + NormalTail(high / Noise)))
            + (OutlierShare * (NormalTail(low / OutlierNoise) + NormalTail(high / OutlierNoise)));
    }

    /// <summary>Draws one log-ratio.</summary>
    /// <param name="random">The source of randomness.</param>
    /// <returns>Δ.</returns>
    public double Next(SplitMixRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        double spread = random.NextUniform() < OutlierShare ? OutlierNoise : Noise;
        return spread * random.NextNormal();
    }

    /// <summary>P(N(0, 1) &gt; x), to about 1e-13 relative.</summary>
    /// <param name="x">Any number.</param>
    /// <returns>The tail.</returns>
    /// <remarks>
    /// Below 3 by the series ½ − φ(x)·(x + x³/3 + x⁵/15 + …), whose terms are all of one sign; above by Laplace's
    /// continued
    /// fraction φ(x)/(x + 1/(x + 2/(x + 3/…))), which converges the faster the larger x is.
    /// </remarks>
    internal static double NormalTail(double x)
    {
        if (x < 0)
        {
            return 1 - NormalTail(-x);
        }

        double density = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
        if (x < 3)
        {
            double term = x, sum = x;
            for (int odd = 3; term > sum * 1e-17; odd += 2)
            {
                term *= x * x / odd;
                sum += term;
            }

            return 0.5 - (density * sum);
        }

        double fraction = x;
        for (int level = 200; level >= 1; level--)
        {
            fraction = x + (level / fraction);
        }

        return density / fraction;
    }
}
