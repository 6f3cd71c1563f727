using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Adds up the outputs of a token's experts with the router's weights.</summary>
/// <remarks>
/// <para>Maths: y[t,h] = round(Σ_k topKWeights[t,k] · expertOutputs[t,k,h]).</para>
/// <para>Axes: expertOutputs [tokens, topK, hidden]; topKWeights [tokens, topK]; y [tokens, hidden].</para>
/// <para>Types: float32 under every policy. Order: sequential over k in the router's order, from +0, the product
/// rounded before it is added (not fused), as published.</para>
/// <para>Rounding points: one, after the sum. The shared expert is added later, after this rounding, and is not
/// scaled.</para>
/// <para>Bound: a product and at most topK additions: |y − Exact| ≤ (topK + 1)·u·Σ|weight·output|.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py,
/// BailingMoeV2SparseMoeBlock.moe_infer.</para>
/// </remarks>
public static partial class ExpertCombine
{
    /// <summary>Combines on the chosen engine.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="expertOutputs">[tokens, topK, hidden], float32, read.</param>
    /// <param name="topKWeights">[tokens, topK], float32, read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="y">[tokens, hidden], float32, written.</param>
    /// <param name="workers">The threads, used where it pays; null for the caller's.</param>
    public static void Apply<TPrecision>(
        ExecutionEngine engine,
        ReadOnlySpan<float> expertOutputs,
        ReadOnlySpan<float> topKWeights,
        int topK,
        Span<float> y,
        WorkerPool? workers = null)
        where TPrecision : struct, IPrecision
    {
        if (engine != ExecutionEngine.Scalar && RowSplit.Pays(workers, expertOutputs.Length))
        {
            Split<TPrecision>(workers, expertOutputs, topKWeights, topK, y);
            return;
        }

        int tokens = topKWeights.Length / topK, hidden = tokens == 0 ? 0 : y.Length / tokens;
        for (int t = 0; t < tokens; t++)
        {
            ReadOnlySpan<float> outputs = expertOutputs.Slice(t * topK * hidden, topK * hidden);
            ReadOnlySpan<float> weights = topKWeights.Slice(t * topK, topK);
            if (engine == ExecutionEngine.Scalar)
            {
                Scalar<TPrecision>(outputs, weights, y.Slice(t * hidden, hidden), 0);
            }
            else
            {
                Vectorised<TPrecision>(outputs, weights, y.Slice(t * hidden, hidden));
            }
        }
    }

    /// <summary>The definition, for one token.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="expertOutputs">[topK, hidden], float32, read.</param>
    /// <param name="topKWeights">[topK], float32, read.</param>
    /// <param name="y">[hidden], float32, written from <paramref name="first"/> on.</param>
    /// <param name="first">The first channel to compute.</param>
    public static void Scalar<TPrecision>(
        ReadOnlySpan<float> expertOutputs, ReadOnlySpan<float> topKWeights, Span<float> y, int first)
        where TPrecision : struct, IPrecision
    {
        for (int h = first; h < y.Length; h++)
        {
            float sum = 0f;
            for (int k = 0; k < topKWeights.Length; k++)
            {
                sum += topKWeights[k] * expertOutputs[(k * y.Length) + h];
            }

            y[h] = TPrecision.Round(sum);
        }
    }
}
