using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>The pessimistic clipped surrogate of one response, times a constant weight per token, as a loss.</summary>
/// <remarks>
/// <para>Maths: y[t] = −w[t] · min(r[t]·Â, clip(r[t], 1 − ε_lo, 1 + ε_hi)·Â); with a dual clip c and Â &lt; 0 the
/// minimum is further limited from below by c·Â. clipped[t] ⇔ (Â > 0 and r > 1 + ε_hi) or (Â &lt; 0 and (r &lt; 1 −
/// ε_lo or r > c)). The inequalities are strict: at equality the token is not clipped and its gradient flows.</para>
/// <para>Axes: r, w, decisions, y, clipped [tokens] of one response; Â one number.</para>
/// <para>Types: float32; the bounds are computed in float64 and rounded once. Rounding points: none besides float32
/// arithmetic: (r · Â) · (−w).</para>
/// <para>Bound: two products round: |y − Exact| ≤ 2·u·|Exact| for a given r and w outside subnormals, 3·u where
/// clipped, for the rounded bound.</para>
/// <para>Special: only kept tokens are computed, all others give +0 by selection. Â = 0 gives +0 even where r is ∞. A
/// NaN in r or w of a kept token gives NaN. r = ∞ with Â &lt; 0 gives +∞, which is the true value; with Â > 0 the clip
/// makes it finite.</para>
/// <para>Source: Schulman et al., arXiv 1707.06347, equation 7; asymmetric bounds and dual clip as in verl, slime,
/// NeMo-RL; Ring-1T report, arXiv 2510.18855 v2, equation 1.</para>
/// </remarks>
public static partial class ClippedSurrogate
{
    /// <summary>Contributions on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="ratio">[tokens], float32, read.</param>
    /// <param name="weights">[tokens], float32, read.</param>
    /// <param name="decisions">[tokens], read; only <see cref="TokenDecision.Kept"/> counts.</param>
    /// <param name="advantage">Â, finite.</param>
    /// <param name="bounds">The clip.</param>
    /// <param name="contributions">[tokens], float32, written.</param>
    /// <param name="clipped">[tokens], written: 1 where clipped.</param>
    public static void Apply(
        ExecutionEngine engine,
        ReadOnlySpan<float> ratio,
        ReadOnlySpan<float> weights,
        ReadOnlySpan<TokenDecision> decisions,
        float advantage,
        SurrogateBounds bounds,
        Span<float> contributions,
        Span<byte> clipped)
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar(ratio, weights, decisions, advantage, bounds, contributions, clipped);
        }
        else
        {
            Vectorised(ratio, weights, decisions, advantage, bounds, contributions, clipped);
        }
    }

    /// <summary>The definition.</summary>
    /// <param name="ratio">[tokens], float32, read.</param>
    /// <param name="weights">[tokens], float32, read.</param>
    /// <param name="decisions">[tokens], read; only <see cref="TokenDecision.Kept"/> counts.</param>
    /// <param name="advantage">Â, finite.</param>
    /// <param name="bounds">The clip.</param>
    /// <param name="contributions">[tokens], float32, written.</param>
    /// <param name="clipped">[tokens], written: 1 where clipped.</param>
    public static void Scalar(
        ReadOnlySpan<float> ratio,
        ReadOnlySpan<float> weights,
        ReadOnlySpan<TokenDecision> decisions,
        float advantage,
        SurrogateBounds bounds,
        Span<float> contributions,
        Span<byte> clipped)
    {
        bounds.Require();

        // For one sign of the advantage one limit acts on each side, so the row has a single interval.
        float lowest = advantage < 0 ? (float)bounds.Lowest : float.NegativeInfinity;
        float highest = advantage > 0 ? (float)bounds.Highest
            : advantage < 0 ? (float)bounds.DualClip : float.PositiveInfinity;
        for (int t = 0; t < ratio.Length; t++)
        {
            bool kept = decisions[t] == TokenDecision.Kept;
            (contributions[t], bool isClipped) = Of(ratio[t], weights[t], kept, advantage, lowest, highest);
            clipped[t] = isClipped ? (byte)1 : (byte)0;
        }
    }

    /// <summary>One token; also what kernels call.</summary>
    /// <param name="ratio">r.</param>
    /// <param name="weight">w.</param>
    /// <param name="kept">Whether it counts.</param>
    /// <param name="advantage">Â, finite.</param>
    /// <param name="lowest">The limit of r from below, −∞ for none.</param>
    /// <param name="highest">The limit of r from above, +∞ for none.</param>
    /// <returns>y, and whether a limit acts.</returns>
    internal static (float Contribution, bool Clipped) Of(
        float ratio, float weight, bool kept, float advantage, float lowest, float highest)
    {
        float limited = ratio < lowest ? lowest : ratio > highest ? highest : ratio;
        float value = limited * advantage * -weight;

        // 0 · ∞ would be NaN; a ratio or weight that is itself NaN stays visible.
        bool zero = advantage == 0 && !float.IsNaN(ratio) && !float.IsNaN(weight);
        return (!kept || zero ? 0f : value, kept && (ratio < lowest || ratio > highest));
    }
}
