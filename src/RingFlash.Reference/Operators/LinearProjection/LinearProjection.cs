using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Every matrix product with a weight: fused QKV, attention output, feed-forward projections, router logits, eh_proj
/// and the LM head, over f32, bf16 and block-FP8 weights.
/// </summary>
/// <remarks>
/// <para>Maths: y[t,n] = round(Σ_k x[t,k] · W[n,k] + bias[n]).</para>
/// <para>Axes: x [tokens, inputs]; W [outputs, inputs] as in the checkpoint; bias [outputs] or empty; y [tokens,
/// outputs].</para>
/// <para>Types: float32 arithmetic over exactly widened weights; block-FP8 weights are float32(code) · scale, one
/// rounding. Order: products (<see cref="Summation.Dot"/>): blocks of 128 k, one chain of fused multiply-adds in each,
/// block sums added in ascending order.</para>
/// <para>Rounding points: one, after the bias.</para>
/// <para>Bound: an element passes 128 fused multiply-adds in its block and ⌈inputs/128⌉ additions: |y − Exact| ≤ (128 +
/// ⌈inputs/128⌉ + 1)·u·(Σ|x·W| + |bias|), proved to first order; the last unit is the addition of the bias, which
/// rounds at the size of the bias. Roundings of random sign give about the root of that; measured over the
/// published widths: below 3·u·(Σ|x·W| + |bias|).</para>
/// <para>Special: IEEE; a NaN or ∞ in a row of x reaches that row of y only.</para>
/// <para>Source: torch.nn.functional.linear as called by inclusionAI/Ling-V2@af8837e
/// models/modeling_bailing_moe_v2.py. With dynamic activation quantisation: <see cref="QuantisedScalar"/>.</para>
/// </remarks>
public static partial class LinearProjection
{
    /// <summary>Projects on the chosen engine; outputs are divided among the workers.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="workers">The threads.</param>
    /// <param name="x">[tokens, inputs], float32, read.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    public static void Apply<TPrecision>(
        ExecutionEngine engine,
        WorkerPool workers,
        ReadOnlySpan<float> x,
        WeightMatrix weight,
        ReadOnlySpan<float> bias,
        Span<float> y)
        where TPrecision : struct, IPrecision
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar<TPrecision>(workers, x, weight, bias, y);
        }
        else
        {
            Vectorised<TPrecision>(workers, x, weight, bias, y);
        }
    }

    /// <summary>The definition: two plain loops around <see cref="Summation.Dot"/>.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads.</param>
    /// <param name="x">[tokens, inputs], float32, read.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    public static unsafe void Scalar<TPrecision>(
        WorkerPool workers, ReadOnlySpan<float> x, WeightMatrix weight, ReadOnlySpan<float> bias, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int inputs = weight.Inputs, outputs = weight.Outputs, tokens = CheckShapes(x, weight, bias, y);
        fixed (float* xPointer = x, biasPointer = bias, yPointer = y)
        {
            // A lambda cannot capture spans; the pointers are pinned until Run returns.
            nint xAddress = (nint)xPointer, biasAddress = (nint)biasPointer, yAddress = (nint)yPointer;
            workers.Run(outputs, (first, end, _) =>
            {
                float[] row = new float[inputs];
                for (int n = first; n < end; n++)
                {
                    weight.ReadRow(n, row);
                    float addend = biasAddress == 0 ? 0f : ((float*)biasAddress)[n];
                    for (int t = 0; t < tokens; t++)
                    {
                        float sum = Summation.Dot(new((float*)xAddress + ((long)t * inputs), inputs), row);
                        ((float*)yAddress)[((long)t * outputs) + n] = TPrecision.Round(sum + addend);
                    }
                }
            });
        }
    }

    private static int CheckShapes(ReadOnlySpan<float> x, WeightMatrix weight, ReadOnlySpan<float> bias, Span<float> y)
    {
        ArgumentNullException.ThrowIfNull(weight);
        int tokens = x.Length / weight.Inputs;
        if (x.Length != tokens * weight.Inputs
            || y.Length != (long)tokens * weight.Outputs
            || (!bias.IsEmpty && bias.Length != weight.Outputs))
        {
            throw new ArgumentException(
                $"{weight.Name} is [{weight.Outputs}, {weight.Inputs}]; x has {x.Length}, y {y.Length}, "
                + $"bias {bias.Length} elements");
        }

        return tokens;
    }
}
