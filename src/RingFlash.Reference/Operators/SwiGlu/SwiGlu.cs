using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// The gated activation between the two halves of a feed-forward block (dense, shared or routed expert).
/// </summary>
/// <remarks>
/// <para>Maths: y[t,i] = round(round(silu(gate[t,i])) · up[t,i]), silu(x) = x · σ(x).</para>
/// <para>Axes: all [tokens, intermediate]. Row-major; y may be gate or up.</para>
/// <para>Rounding points: (1) after silu, which is evaluated in float32; (2) after the product. No clamping, no
/// bias.</para>
/// <para>Bound: silu is within 1 ulp (2·u) and the product adds one rounding: |y − Exact| ≤ 3·u·|Exact| outside
/// subnormals.</para>
/// <para>Special: silu(−∞) is NaN, as −∞ / (1 + ∞) is in the published code; silu(−0) = −0.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, class BailingMoeV2MLP; the float32 silu
/// with one rounding is what torch ≥ 2 and CUDA do.</para>
/// </remarks>
public static partial class SwiGlu
{
    /// <summary>Activates on the chosen engine.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="gate">[tokens, intermediate], float32, read.</param>
    /// <param name="up">[tokens, intermediate], float32, read.</param>
    /// <param name="y">[tokens, intermediate], float32, written.</param>
    /// <param name="workers">The threads, used where it pays; null for the caller's.</param>
    public static void Apply<TPrecision>(
        ExecutionEngine engine,
        ReadOnlySpan<float> gate,
        ReadOnlySpan<float> up,
        Span<float> y,
        WorkerPool? workers = null)
        where TPrecision : struct, IPrecision
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar<TPrecision>(gate, up, y);
        }
        else if (RowSplit.Pays(workers, gate.Length))
        {
            Split<TPrecision>(workers, gate, up, y);
        }
        else
        {
            Vectorised<TPrecision>(gate, up, y);
        }
    }

    /// <summary>The definition.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="gate">[tokens, intermediate], float32, read.</param>
    /// <param name="up">[tokens, intermediate], float32, read.</param>
    /// <param name="y">[tokens, intermediate], float32, written.</param>
    public static void Scalar<TPrecision>(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        for (int index = 0; index < gate.Length; index++)
        {
            y[index] = TPrecision.Round(TPrecision.Round(Silu.Apply(gate[index])) * up[index]);
        }
    }
}
