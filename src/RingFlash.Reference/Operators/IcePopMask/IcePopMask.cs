using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>IcePop's calibration: the importance weight between two engines inside a band, zero outside.</summary>
/// <remarks>
/// <para>Maths: Δ[t] = training[t] − inference[t]; w[t] = e^Δ if log α ≤ Δ ≤ log β, else 0. The band is closed on both
/// sides, the factor inside is the ratio itself, and the direction is training over inference.</para>
/// <para>Axes: all [tokens]; nats. Both log-probabilities belong to the weights that made the rollout, so w is a
/// constant of the update and this operator has no derivative.</para>
/// <para>Decision: in log space, because e^Δ rounds: e^(log 5) is below 5 in float64, and e^(log 0.2) would fall out of
/// a closed band in float32. log 0 = −∞, log ∞ = +∞. The bounds' logarithms are computed once in float64 and
/// rounded.</para>
/// <para>Types: float32; the exponential is <see cref="Exponential"/>. Rounding points: none besides float32
/// arithmetic.</para>
/// <para>Bound: for a kept token |w − Exact| ≤ (|Δ| + 2)·u·Exact, to first order: the subtraction rounds once and the
/// exponential is within 1 ulp. The decisions agree unless Δ is within u·(|Δ| + |log bound|) of an end.</para>
/// <para>Special: a Δ that is not finite (−∞ or NaN on either side, or an overflow of the difference) and a kept Δ
/// whose exponential overflows drop the token with a decision of their own. Tokens outside the response mask are
/// excluded by selection: whatever they hold leaves no trace. A dropped token has w = +0.</para>
/// <para>Source: Ring-1T report, arXiv 2510.18855 v2, equation 1; the blog "Small Leak Can Sink a Great Ship".</para>
/// </remarks>
public static partial class IcePopMask
{
    /// <summary>Weights and decisions on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="training">[tokens], float32, read.</param>
    /// <param name="inference">[tokens], float32, read.</param>
    /// <param name="responseMask">[tokens], 1 for a response token, read.</param>
    /// <param name="alpha">The lower end, ≥ 0.</param>
    /// <param name="beta">The upper end, ≥ alpha; +∞ allowed.</param>
    /// <param name="weights">[tokens], float32, written.</param>
    /// <param name="decisions">[tokens], written.</param>
    public static void Apply(
        ExecutionEngine engine,
        ReadOnlySpan<float> training,
        ReadOnlySpan<float> inference,
        ReadOnlySpan<byte> responseMask,
        double alpha,
        double beta,
        Span<float> weights,
        Span<TokenDecision> decisions)
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar(training, inference, responseMask, alpha, beta, weights, decisions);
        }
        else
        {
            Vectorised(training, inference, responseMask, alpha, beta, weights, decisions);
        }
    }

    /// <summary>The definition.</summary>
    /// <param name="training">[tokens], float32, read.</param>
    /// <param name="inference">[tokens], float32, read.</param>
    /// <param name="responseMask">[tokens], 1 for a response token, read.</param>
    /// <param name="alpha">The lower end, ≥ 0.</param>
    /// <param name="beta">The upper end, ≥ alpha; +∞ allowed.</param>
    /// <param name="weights">[tokens], float32, written.</param>
    /// <param name="decisions">[tokens], written.</param>
    public static void Scalar(
        ReadOnlySpan<float> training,
        ReadOnlySpan<float> inference,
        ReadOnlySpan<byte> responseMask,
        double alpha,
        double beta,
        Span<float> weights,
        Span<TokenDecision> decisions)
    {
        RequireBand(alpha, beta);
        float lowest = (float)Math.Log(alpha), highest = (float)Math.Log(beta);
        for (int t = 0; t < training.Length; t++)
        {
            (decisions[t], weights[t]) = Decide(training[t] - inference[t], responseMask[t], lowest, highest);
        }
    }

    /// <summary>The bare function of a ratio, M(k; α, β), decided in ratio space.</summary>
    /// <param name="ratio">k; NaN gives 0.</param>
    /// <param name="alpha">The lower end, ≥ 0.</param>
    /// <param name="beta">The upper end, ≥ alpha; +∞ allowed, and then k = ∞ is kept.</param>
    /// <returns>k inside the closed band, +0 outside.</returns>
    public static double OfRatio(double ratio, double alpha, double beta)
    {
        RequireBand(alpha, beta);
        return ratio >= alpha && ratio <= beta ? ratio : 0;
    }

    /// <summary>Refuses a band that is swapped, negative, empty or not a number.</summary>
    /// <param name="alpha">The lower end.</param>
    /// <param name="beta">The upper end.</param>
    public static void RequireBand(double alpha, double beta)
    {
        if (!(alpha >= 0 && alpha <= beta && beta > 0))
        {
            throw new ArgumentException(string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"The band needs 0 ≤ alpha ≤ beta and beta > 0; found alpha {alpha}, beta {beta}."));
        }
    }

    /// <summary>One token; also what kernels call.</summary>
    /// <param name="difference">Δ.</param>
    /// <param name="responseMask">1 for a response token.</param>
    /// <param name="lowest">log α.</param>
    /// <param name="highest">log β.</param>
    /// <returns>The decision and w.</returns>
    internal static (TokenDecision Decision, float Weight) Decide(
        float difference, byte responseMask, float lowest, float highest)
    {
        TokenDecision decision = responseMask == 0 ? TokenDecision.Padding
            : !float.IsFinite(difference) ? TokenDecision.NonFinite
            : difference < lowest ? TokenDecision.MaskedLow
            : difference > highest ? TokenDecision.MaskedHigh
            : TokenDecision.Kept;
        float exponential = decision == TokenDecision.Kept ? Exponential.Exp(difference) : 0f;
        bool overflow = float.IsPositiveInfinity(exponential);
        return (overflow ? TokenDecision.NonFinite : decision, overflow ? 0f : exponential);
    }
}
