using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Per-token estimates of the divergence from a reference policy, and their derivatives.</summary>
/// <remarks>
/// <para>Maths: d = current[t] − reference[t]. k1 = d, k2 = d²/2, k3 = e^−d + d − 1. Derivatives in current: 1, d,
/// 1 − e^−d.</para>
/// <para>Axes: all [tokens]; nats.</para>
/// <para>Types: float32. k3 and its derivative cancel near d = 0; for |d| ≤ 1 they are taken from the power series of
/// e^x − 1 − x and e^x − 1, x = −d, in Horner form with fused multiply-adds, and only beyond from
/// <see cref="Exponential"/>. Rounding points: none besides float32 arithmetic.</para>
/// <para>Bound: given the rounded d, k1 is exact, k2 within 1·u, k3 and its derivative within 8·u relative: the series
/// are cut below u/4 and each Horner step contributes less than half of the one outside it; beyond |d| = 1 the
/// exponential's 2·u is at most 3.8 times as large relative to the result, and two subtractions round. The rounding of
/// d itself, u·|d|, changes k3 by u·|d|·|1 − e^−d|.</para>
/// <para>Special: k3 and its derivative overflow for d &lt; −88.7 (−709.8 in float64), as they do in truth; NaN flows.
/// k3 = 0 exactly when d = 0, and never below 0.</para>
/// <para>Source: J. Schulman, "Approximating KL divergence" (2020); k3 in TRL, Megatron-LM, NeMo-RL, open-instruct, k1
/// in slime.</para>
/// </remarks>
public static partial class KullbackLeiblerEstimator
{
    /// <summary>1/n! ratios: the Horner step of term n multiplies by x/n. Terms beyond 1/13! are below u/4 for |x| ≤
    /// 1.</summary>
    private const int SingleTerms = 13;

    /// <summary>Estimates on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="kind">The estimator.</param>
    /// <param name="current">[tokens], float32, read.</param>
    /// <param name="reference">[tokens], float32, read.</param>
    /// <param name="y">[tokens], float32, written.</param>
    public static void Apply(
        ExecutionEngine engine,
        KullbackLeiblerKind kind,
        ReadOnlySpan<float> current,
        ReadOnlySpan<float> reference,
        Span<float> y)
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar(kind, current, reference, y);
        }
        else
        {
            Vectorised(kind, current, reference, y);
        }
    }

    /// <summary>The definition.</summary>
    /// <param name="kind">The estimator.</param>
    /// <param name="current">[tokens], float32, read.</param>
    /// <param name="reference">[tokens], float32, read.</param>
    /// <param name="y">[tokens], float32, written.</param>
    public static void Scalar(
        KullbackLeiblerKind kind, ReadOnlySpan<float> current, ReadOnlySpan<float> reference, Span<float> y)
    {
        for (int t = 0; t < current.Length; t++)
        {
            y[t] = Of(kind, current[t], reference[t]);
        }
    }

    /// <summary>One estimate; also what kernels call.</summary>
    /// <param name="kind">The estimator.</param>
    /// <param name="current">Nats.</param>
    /// <param name="reference">Nats.</param>
    /// <returns>y.</returns>
    internal static float Of(KullbackLeiblerKind kind, float current, float reference)
    {
        float d = current - reference;
        return kind switch
        {
            KullbackLeiblerKind.K1 => d,
            KullbackLeiblerKind.K2 => 0.5f * d * d,
            _ => ExponentialRemainder(-d),
        };
    }

    /// <summary>e^x − 1 − x.</summary>
    private static float ExponentialRemainder(float x)
    {
        if (!(x >= -1f && x <= 1f))
        {
            return Exponential.Exp(x) - 1f - x;
        }

        float series = 1f; // x²/2 · (1 + x/3 · (1 + x/4 · (…)))
        for (int n = SingleTerms; n >= 3; n--)
        {
            series = MathF.FusedMultiplyAdd(x * (1f / n), series, 1f);
        }

        return 0.5f * x * x * series;
    }
}
