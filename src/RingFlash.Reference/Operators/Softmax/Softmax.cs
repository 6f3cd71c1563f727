using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Softmax of one row of attention scores over the keys that the query may see.</summary>
/// <remarks>
/// <para>Maths: m = max over visible j of s[j]; e[j] = exp(s[j] − m), 0 where masked; p[j] = round(e[j] / Σ_j
/// e[j]).</para>
/// <para>Axes: scores, weights [keys]; visible [keys], 0 or 1, or empty for all.</para>
/// <para>Types: float32 inside under every policy; the denominator is summed in the vector order over the absolute key
/// index, so a masked key (+0) changes no stripe.</para>
/// <para>Rounding points: one, after the quotient.</para>
/// <para>Bound: the subtraction rounds once and an error of u·|s − m| in the exponent is relative in e; exp is within
/// 1 ulp; the sum of positive terms is within (⌈keys/32⌉ + 5)·u; the quotient rounds once:
/// |p − Exact| ≤ (2·(max s − min s) + ⌈keys/32⌉ + 10)·u·p, to first order; where e or p is subnormal, 2⁻¹⁴⁹ more for
/// each. Whatever the scores, |Σ p − 1| ≤ (⌈keys/32⌉ + 6)·u: the errors of e cancel.</para>
/// <para>Special: a NaN or +∞ among the visible scores, or only −∞, makes the row NaN. A row without any visible key
/// gets exactly equal weights over all keys: the published mask adds the most negative finite number, which swallows
/// the scores, and the rounded scores are then equal.</para>
/// <para>Differs: masked scores are not read, so a NaN behind the mask does not spread as it does in the published
/// code.</para>
/// <para>Source: torch.nn.functional.softmax(dtype=float32) in inclusionAI/Ling-V2@af8837e
/// models/modeling_bailing_moe_v2.py, BailingMoeV2Attention.forward.</para>
/// </remarks>
public static partial class Softmax
{
    /// <summary>The definition.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="scores">[keys], float32, read.</param>
    /// <param name="visible">[keys], 1 where the query may look; or empty.</param>
    /// <param name="weights">[keys], float32, written; may be scores.</param>
    public static void Scalar<TPrecision>(ReadOnlySpan<float> scores, ReadOnlySpan<byte> visible, Span<float> weights)
        where TPrecision : struct, IPrecision
    {
        float maximum = Maximum(scores, visible, out bool any);
        for (int j = 0; j < scores.Length; j++)
        {
            bool isVisible = visible.IsEmpty || visible[j] != 0;
            weights[j] = !any ? 1f : isVisible ? Exponential.Exp(scores[j] - maximum) : 0f;
        }

        float denominator = Summation.Sum(weights[..scores.Length]);
        for (int j = 0; j < scores.Length; j++)
        {
            weights[j] = TPrecision.Round(weights[j] / denominator);
        }
    }

    private static float Maximum(ReadOnlySpan<float> scores, ReadOnlySpan<byte> visible, out bool any)
    {
        float maximum = float.NegativeInfinity;
        any = false;
        for (int j = 0; j < scores.Length; j++)
        {
            if (visible.IsEmpty || visible[j] != 0)
            {
                any = true;
                maximum = scores[j] > maximum ? scores[j] : maximum; // a NaN is skipped here and spreads through exp
            }
        }

        return maximum;
    }
}
