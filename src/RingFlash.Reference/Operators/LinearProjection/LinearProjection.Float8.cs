using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LinearProjection
{
    /// <summary>
    /// The smallest absolute maximum that a group is scaled by, so that a zero group gives zero and not NaN.
    /// </summary>
    public const float ActivationFloor = 1e-10f;

    private const float LargestCode = 448f;

    /// <summary>Quantises activations dynamically, per token and per 128 consecutive channels.</summary>
    /// <remarks>
    /// <para>Maths: scale[t,b] = max(max_k |x[t,k]|, 1e-10) / 448; code[t,k] = e4m3(clamp(x[t,k] / scale[t,b],
    /// ±448)).</para>
    /// <para>Rounding points: the scale to float32, the quotient to float32, the code to nearest even.</para>
    /// <para>Special: a NaN gives a NaN code; the maximum ignores it. An ∞ makes the scale ∞, its own code NaN (∞/∞)
    /// and all r codes of the block 0.</para>
    /// <para>Differs between back ends: SGLang's row-major kernel multiplies by 1/scale; transformers has no
    /// floor.</para>
    /// <para>Source: sgl-project/sglang@008601f python/sglang/srt/layers/quantization/fp8_kernel.py.</para>
    /// </remarks>
    /// <param name="x">[tokens, inputs], float32, read.</param>
    /// <param name="inputs">The length of a row.</param>
    /// <param name="codes">[tokens, inputs], float32 code values, written.</param>
    /// <param name="scales">[tokens, ⌈inputs/128⌉], float32, written.</param>
    public static void QuantiseActivations(ReadOnlySpan<float> x, int inputs, Span<float> codes, Span<float> scales)
    {
        int blocks = (inputs + Summation.BlockLength - 1) / Summation.BlockLength;
        for (int t = 0; t < x.Length / inputs; t++)
        {
            for (int block = 0; block < blocks; block++)
            {
                int start = (t * inputs) + (block * Summation.BlockLength);
                int length = Math.Min(Summation.BlockLength, inputs - (block * Summation.BlockLength));
                float absoluteMaximum = ActivationFloor;
                foreach (float value in x.Slice(start, length))
                {
                    absoluteMaximum = Math.Abs(value) > absoluteMaximum ? Math.Abs(value) : absoluteMaximum;
                }

                float scale = absoluteMaximum / LargestCode;
                scales[(t * blocks) + block] = scale;
                for (int k = start; k < start + length; k++)
                {
                    codes[k] = Float8E4M3.ToSingle(Float8E4M3.FromSingle(x[k] / scale)); // FromSingle saturates at ±448
                }
            }
        }
    }

    /// <summary>The block-FP8 product with quantised activations, on the chosen engine.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="workers">The threads.</param>
    /// <param name="x">[tokens, inputs], float32, read; quantised on the way in.</param>
    /// <param name="weight">[outputs, inputs], e4m3 codes with scales.</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    public static void ApplyQuantised<TPrecision>(
        ExecutionEngine engine,
        WorkerPool workers,
        ReadOnlySpan<float> x,
        Float8BlockMatrix weight,
        ReadOnlySpan<float> bias,
        Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int tokens = CheckShapes(x, weight, bias, y);
        float[] codes = new float[x.Length];
        float[] scales = new float[tokens * ((weight.Inputs + Summation.BlockLength - 1) / Summation.BlockLength)];
        QuantiseActivations(x, weight.Inputs, codes, scales);
        if (engine == ExecutionEngine.Scalar)
        {
            QuantisedScalar<TPrecision>(codes, scales, weight, bias, y);
        }
        else
        {
            QuantisedVectorised<TPrecision>(workers, codes, scales, weight, bias, y);
        }
    }

    /// <summary>
    /// The definition: total = Σ_blocks ((Σ_{k in block} codeX · codeW) · scaleX) · scaleW, the inner sum one chain of
    /// fused multiply-adds, activation scale first, blocks in ascending order.
    /// </summary>
    /// <remarks>
    /// <para>Bound: codes have 4 significant bits, so products are exact and a block's 128 additions lose at most 128·u
    /// of Σ|code·code|; two scalings and ⌈inputs/128⌉ additions follow, and the bias: (130 + ⌈inputs/128⌉ + 1)·u·gauge,
    /// the e being Σ|code·code|·scale·scale + |bias|.</para>
    /// <para>Source: huggingface/transformers integrations/finegrained_fp8.py, w8a8_block_fp8_matmul.</para>
    /// </remarks>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="codes">[tokens, inputs], float32 code values, read.</param>
    /// <param name="scales">[tokens, ⌈inputs/128⌉], float32, read.</param>
    /// <param name="weight">[outputs, inputs], e4m3 codes with scales.</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    public static void QuantisedScalar<TPrecision>(
        ReadOnlySpan<float> codes,
        ReadOnlySpan<float> scales,
        Float8BlockMatrix weight,
        ReadOnlySpan<float> bias,
        Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int inputs = weight.Inputs, outputs = weight.Outputs, tokens = CheckShapes(codes, weight, bias, y);
        int blocks = (inputs + Summation.BlockLength - 1) / Summation.BlockLength;
        float[] row = new float[inputs];
        for (int n = 0; n < outputs; n++)
        {
            weight.ReadCodeRow(n, row);
            ReadOnlySpan<float> weightScales = weight.RowScales(n);
            for (int t = 0; t < tokens; t++)
            {
                float total = 0f;
                for (int block = 0; block < blocks; block++)
                {
                    int start = block * Summation.BlockLength;
                    int length = Math.Min(Summation.BlockLength, inputs - start);
                    float sum = Summation.Dot(codes.Slice((t * inputs) + start, length), row.AsSpan(start, length));
                    total += sum * scales[(t * blocks) + block] * weightScales[block];
                }

                y[(t * outputs) + n] = TPrecision.Round(total + (bias.IsEmpty ? 0f : bias[n]));
            }
        }
    }

    /// <summary>Lanes and remainder as <see cref="Vectorised"/>; the scales are applied to whole block sums.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads.</param>
    /// <param name="codes">[tokens, inputs], float32 code values, read.</param>
    /// <param name="scales">[tokens, ⌈inputs/128⌉], float32, read.</param>
    /// <param name="weight">[outputs, inputs], e4m3 codes with scales.</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    public static unsafe void QuantisedVectorised<TPrecision>(
        WorkerPool workers,
        ReadOnlySpan<float> codes,
        ReadOnlySpan<float> scales,
        Float8BlockMatrix weight,
        ReadOnlySpan<float> bias,
        Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int tokens = CheckShapes(codes, weight, bias, y);
        fixed (float* codePointer = codes, scalePointer = scales)
        {
            Project<TPrecision>(workers, codePointer, scalePointer, tokens, weight, bias, y);
        }
    }
}
