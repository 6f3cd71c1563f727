using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>The ratio of two probabilities of the same token, from their logarithms.</summary>
/// <remarks>
/// <para>Maths: d = numerator[t] − denominator[t], limited to [−c, c] where a clamp c is given; y[t] = e^d.</para>
/// <para>Axes: all [tokens]; nats. Two ratios matter in training: engine mismatch k = training / inference, both at the
/// weights of the rollout, and policy movement r = current / rollout weights, both on the training engine.</para>
/// <para>Types: float32; the exponential is <see cref="Exponential"/>. Rounding points: none besides float32
/// arithmetic.</para>
/// <para>Bound: the subtraction rounds once, u·|d| in the exponent, which is relative in e^d; the exponential is within
/// 1 ulp, 2·u: |y − Exact| ≤ (|d| + 2)·u·Exact, to first order, where the result is normal.</para>
/// <para>Special: e^d overflows to +∞ above 88.72 (709.78 in float64) and underflows to 0; ∞ − ∞ and NaN give NaN, as
/// the clamp leaves NaN alone; the clamp makes ±∞ finite. c = +∞ means no clamp.</para>
/// <para>Source: Schulman et al., Proximal Policy Optimization Algorithms (arXiv 1707.06347), section 3; the clamp of
/// ±20 is verl's and OpenRLHF's.</para>
/// </remarks>
public static partial class ImportanceRatio
{
    /// <summary>Ratios on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="numerator">[tokens], float32, read.</param>
    /// <param name="denominator">[tokens], float32, read.</param>
    /// <param name="clamp">The largest |d|; +∞ for none.</param>
    /// <param name="ratio">[tokens], float32, written; may be an input.</param>
    public static void Apply(
        ExecutionEngine engine,
        ReadOnlySpan<float> numerator,
        ReadOnlySpan<float> denominator,
        float clamp,
        Span<float> ratio)
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar(numerator, denominator, clamp, ratio);
        }
        else
        {
            Vectorised(numerator, denominator, clamp, ratio);
        }
    }

    /// <summary>The definition.</summary>
    /// <param name="numerator">[tokens], float32, read.</param>
    /// <param name="denominator">[tokens], float32, read.</param>
    /// <param name="clamp">The largest |d|; +∞ for none.</param>
    /// <param name="ratio">[tokens], float32, written; may be an input.</param>
    public static void Scalar(
        ReadOnlySpan<float> numerator, ReadOnlySpan<float> denominator, float clamp, Span<float> ratio)
    {
        for (int t = 0; t < numerator.Length; t++)
        {
            ratio[t] = Of(numerator[t], denominator[t], clamp);
        }
    }

    /// <summary>One ratio; also what kernels call.</summary>
    /// <param name="numerator">Nats.</param>
    /// <param name="denominator">Nats.</param>
    /// <param name="clamp">The largest |d|; +∞ for none.</param>
    /// <returns>e^d.</returns>
    internal static float Of(float numerator, float denominator, float clamp)
    {
        float difference = numerator - denominator;
        difference = difference > clamp ? clamp : difference; // both comparisons are false for NaN
        difference = difference < -clamp ? -clamp : difference;
        return Exponential.Exp(difference);
    }
}
