using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Turns router logits into scores: an independent sigmoid per expert, not a softmax over experts.</summary>
/// <remarks>
/// <para>Maths: scores[t,e] = σ(routerLogits[t,e]), routerLogits = x · Wᵀ (<see cref="LinearProjection"/>).</para>
/// <para>Axes: [tokens, experts].</para>
/// <para>Types: float32 under every policy; the published router multiplies float32(x) by float32(W) and rounds nothing
/// to bfloat16. Rounding points: none.</para>
/// <para>Bound: within 1 ulp: |score − Exact| ≤ 2·u·Exact.</para>
/// <para>Special: σ(−∞) = 0, σ(∞) = 1, NaN stays NaN.</para>
/// <para>Differs: SGLang and vLLM round the logits to bfloat16.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, BailingMoeV2Gate.forward.</para>
/// </remarks>
public static partial class RouterScores
{
    /// <summary>Scores on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="routerLogits">[tokens, experts], float32, read.</param>
    /// <param name="scores">[tokens, experts], float32, written.</param>
    /// <param name="workers">The threads, used where it pays; null for the caller's.</param>
    public static void Apply(
        ExecutionEngine engine, ReadOnlySpan<float> routerLogits, Span<float> scores, WorkerPool? workers = null)
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar(routerLogits, scores);
        }
        else if (RowSplit.Pays(workers, routerLogits.Length))
        {
            Split(workers, routerLogits, scores);
        }
        else
        {
            Vectorised(routerLogits, scores);
        }
    }

    /// <summary>The definition.</summary>
    /// <param name="routerLogits">[tokens, experts], float32, read.</param>
    /// <param name="scores">[tokens, experts], float32, written.</param>
    public static void Scalar(ReadOnlySpan<float> routerLogits, Span<float> scores)
    {
        for (int index = 0; index < routerLogits.Length; index++)
        {
            scores[index] = Sigmoid.Apply(routerLogits[index]);
        }
    }
}
