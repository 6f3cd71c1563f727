using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Root-mean-square normalisation of rows: every norm of the model, the per-head query and key norms included.
/// </summary>
/// <remarks>
/// <para>Maths: y[t,h] = weight[h] · round(x[t,h] · (1 / √(mean_h x[t,h]² + ε))).</para>
/// <para>Axes: x, y [tokens, hidden] (or [batch · heads · tokens, headDim]); weight [hidden]. Row-major.</para>
/// <para>Types: held values float32 (bfloat16 numbers under bfloat16); arithmetic float32; Σx² in the vector
/// order.</para>
/// <para>Rounding points: (1) after the scaling, <em>before</em> the weight; (2) after the weight.</para>
/// <para>Bound: the 32 stripes add at most ⌈hidden/32⌉ + 5 squares in a chain, all of one sign, so the mean square is
/// within (⌈hidden/32⌉ + 7)·u of exact; the root halves that; four more roundings (√, 1/, ·, ·) follow:
/// |y − Exact| ≤ (⌈hidden/32⌉/2 + 8)·u·|Exact|, proved to first order; measured below 4·u.</para>
/// <para>Special: a zero row stays zero (with ε = 0 it is 0 · ∞ = NaN); a NaN or ±∞ anywhere makes the row NaN (∞ · 0
/// and NaN · 0) or, for the finite elements beside an ∞, zero; overflow of the squares gives 0. As published.</para>
/// <para>Differs: the weight is plain, not 1 + w; no mean is subtracted. 1/√ then · is not the same float as a division
/// by √; the published torch.rsqrt is the former.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, class BailingMoeV2RMSNorm.</para>
/// </remarks>
public static partial class RmsNorm
{
    /// <summary>Normalises rows on the chosen engine.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="weight">[hidden], float32, read.</param>
    /// <param name="epsilon">Inside the root.</param>
    /// <param name="y">[tokens, hidden], float32, written; may be x.</param>
    /// <param name="workers">The threads, used where it pays; null for the caller's.</param>
    public static void Apply<TPrecision>(
        ExecutionEngine engine,
        ReadOnlySpan<float> x,
        ReadOnlySpan<float> weight,
        float epsilon,
        Span<float> y,
        WorkerPool? workers = null)
        where TPrecision : struct, IPrecision
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar<TPrecision>(x, weight, epsilon, y);
        }
        else if (RowSplit.Pays(workers, x.Length))
        {
            Split<TPrecision>(workers, x, weight, epsilon, y);
        }
        else
        {
            Vectorised<TPrecision>(x, weight, epsilon, y);
        }
    }

    /// <summary>The definition, one element at a time.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="weight">[hidden], float32, read.</param>
    /// <param name="epsilon">Inside the root.</param>
    /// <param name="y">[tokens, hidden], float32, written; may be x.</param>
    public static void Scalar<TPrecision>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int hidden = weight.Length;
        for (int start = 0; start < x.Length; start += hidden)
        {
            ReadOnlySpan<float> row = x.Slice(start, hidden);
            float meanSquare = Summation.SumOfSquares(row) / hidden;
            float reciprocalRoot = 1f / MathF.Sqrt(meanSquare + epsilon);
            for (int h = 0; h < hidden; h++)
            {
                float normalised = TPrecision.Round(row[h] * reciprocalRoot);
                y[start + h] = TPrecision.Round(weight[h] * normalised);
            }
        }
    }
}
