using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Rotates the first R channels of every query and key head by their position; the others pass through.
/// </summary>
/// <remarks>
/// <para>Maths: for d in 0 … R/2 − 1: y[d] = round(round(x[d]·cos[d]) + round(−x[d+R/2]·sin[d])),
/// y[d+R/2] = round(round(x[d+R/2]·cos[d+R/2]) + round(x[d]·sin[d+R/2])); y[d] = x[d] for d ≥ R.</para>
/// <para>Axes: x, y [batch, heads, tokens, headDim]; cos, sin [batch, tokens, R] (<see cref="RotaryTable"/>). Pairs are
/// (d, d + R/2), "rotate half" inside R, not (2d, 2d + 1) and not (d, d + headDim/2).</para>
/// <para>Rounding points: both products and the sum, three per output. Not fused: the published code multiplies,
/// multiplies and adds.</para>
/// <para>Bound: |y − Exact| ≤ 2·u·(|x[d]·cos| + |x[d±R/2]·sin|): one rounding of each product and one of the
/// sum.</para>
/// <para>Special: IEEE; NaN and ∞ stay inside their pair.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, apply_rotary_pos_emb.</para>
/// </remarks>
public static partial class RotaryEmbedding
{
    /// <summary>Rotates on the chosen engine.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="x">[batch, heads, tokens, headDim], float32, read.</param>
    /// <param name="heads">The number of heads.</param>
    /// <param name="tokens">The number of tokens.</param>
    /// <param name="headDim">The width of a head.</param>
    /// <param name="cosine">[batch, tokens, R], float32, read.</param>
    /// <param name="sine">[batch, tokens, R], float32, read.</param>
    /// <param name="rotaryDim">R, even, at most headDim.</param>
    /// <param name="y">[batch, heads, tokens, headDim], float32, written; not x.</param>
    /// <param name="workers">The threads, used where it pays; null for the caller's.</param>
    public static void Apply<TPrecision>(
        ExecutionEngine engine,
        ReadOnlySpan<float> x,
        int heads,
        int tokens,
        int headDim,
        ReadOnlySpan<float> cosine,
        ReadOnlySpan<float> sine,
        int rotaryDim,
        Span<float> y,
        WorkerPool? workers = null)
        where TPrecision : struct, IPrecision
    {
        if (engine != ExecutionEngine.Scalar && RowSplit.Pays(workers, x.Length))
        {
            Split<TPrecision>(workers, x, heads, tokens, headDim, cosine, sine, rotaryDim, y);
        }
        else
        {
            Rows<TPrecision>(engine, 0, x, heads, tokens, headDim, cosine, sine, rotaryDim, y);
        }
    }

    private static void Rows<TPrecision>(
        ExecutionEngine engine,
        int firstRow,
        ReadOnlySpan<float> x,
        int heads,
        int tokens,
        int headDim,
        ReadOnlySpan<float> cosine,
        ReadOnlySpan<float> sine,
        int rotaryDim,
        Span<float> y)
        where TPrecision : struct, IPrecision
    {
        for (int start = 0; start < x.Length; start += headDim)
        {
            int row = firstRow + (start / headDim);
            int sequence = row / (heads * tokens), token = row % tokens;
            ReadOnlySpan<float> input = x.Slice(start, headDim);
            Span<float> output = y.Slice(start, headDim);
            ReadOnlySpan<float> rowCosine = cosine.Slice(((sequence * tokens) + token) * rotaryDim, rotaryDim);
            ReadOnlySpan<float> rowSine = sine.Slice(((sequence * tokens) + token) * rotaryDim, rotaryDim);
            if (engine == ExecutionEngine.Scalar)
            {
                Scalar<TPrecision>(input, rowCosine, rowSine, output);
            }
            else
            {
                Vectorised<TPrecision>(input, rowCosine, rowSine, output);
            }
        }
    }

    /// <summary>The definition, for one head of one token.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="x">[headDim], float32, read.</param>
    /// <param name="cosine">[R], float32, read.</param>
    /// <param name="sine">[R], float32, read.</param>
    /// <param name="y">[headDim], float32, written; not x.</param>
    public static void Scalar<TPrecision>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> cosine, ReadOnlySpan<float> sine, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int half = cosine.Length / 2;
        for (int d = 0; d < half; d++)
        {
            y[d] = TPrecision.Round(
                TPrecision.Round(x[d] * cosine[d]) + TPrecision.Round(-x[d + half] * sine[d]));
            y[d + half] = TPrecision.Round(
                TPrecision.Round(x[d + half] * cosine[d + half]) + TPrecision.Round(x[d] * sine[d + half]));
        }

        x[cosine.Length..].CopyTo(y[cosine.Length..]);
    }
}
