using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Adds a block's output to the residual stream, and the shared expert's output to the routed one.</summary>
/// <remarks>
/// <para>Maths: y[t,h] = round(residual[t,h] + update[t,h]).</para>
/// <para>Axes: all [tokens, hidden]. Row-major; y may be either input.</para>
/// <para>Rounding points: one, after the sum. Fused add-and-norm kernels that normalise the unrounded sum differ
/// here.</para>
/// <para>Bound: |y − Exact| ≤ u·|Exact|: one correctly rounded operation.</para>
/// <para>Special: IEEE addition; ∞ + −∞ is NaN.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, class BailingMoeV2DecoderLayer.</para>
/// </remarks>
public static partial class ResidualAdd
{
    /// <summary>Adds on the chosen engine.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="residual">[tokens, hidden], float32, read.</param>
    /// <param name="update">[tokens, hidden], float32, read.</param>
    /// <param name="y">[tokens, hidden], float32, written.</param>
    /// <param name="workers">The threads, used where it pays; null for the caller's.</param>
    public static void Apply<TPrecision>(
        ExecutionEngine engine,
        ReadOnlySpan<float> residual,
        ReadOnlySpan<float> update,
        Span<float> y,
        WorkerPool? workers = null)
        where TPrecision : struct, IPrecision
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar<TPrecision>(residual, update, y);
        }
        else if (RowSplit.Pays(workers, residual.Length))
        {
            Split<TPrecision>(workers, residual, update, y);
        }
        else
        {
            Vectorised<TPrecision>(residual, update, y);
        }
    }

    /// <summary>The definition.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="residual">[tokens, hidden], float32, read.</param>
    /// <param name="update">[tokens, hidden], float32, read.</param>
    /// <param name="y">[tokens, hidden], float32, written.</param>
    public static void Scalar<TPrecision>(ReadOnlySpan<float> residual, ReadOnlySpan<float> update, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        for (int index = 0; index < residual.Length; index++)
        {
            y[index] = TPrecision.Round(residual[index] + update[index]);
        }
    }
}
