using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>Orders in which backends really add; none is ours.</summary>
internal enum SummationOrder
{
    /// <summary>One chain from the last to the first, products rounded: the noisiest that is usual.</summary>
    Chain,

    /// <summary>Halves of halves, down to chains of eight: the quietest.</summary>
    Pairwise,

    /// <summary>Blocks of 128 from the last to the first, fused steps inside.</summary>
    ReversedBlocks,
}

/// <summary>Sums in another order than ours. A lane is a token, so that the order is exactly as written.</summary>
internal static class SummationOrders
{
    private const int Lanes = 16;
    private const int ShortChain = 8;

    /// <summary>y = x·Wᵀ + bias, unrounded.</summary>
    /// <param name="order">The order of every sum.</param>
    /// <param name="x">[rows, inputs].</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs], or empty.</param>
    /// <param name="y">[rows, outputs], written.</param>
    /// <param name="workers">The threads.</param>
    public static void Product(
        SummationOrder order, float[] x, WeightMatrix weight, float[] bias, float[] y, WorkerPool workers)
    {
        int inputs = weight.Inputs, outputs = weight.Outputs, rows = x.Length / inputs;
        int groups = (rows + Lanes - 1) / Lanes;
        float[] lanes = new float[groups * inputs * Lanes];
        for (int row = 0; row < rows; row++)
        {
            for (int k = 0; k < inputs; k++)
            {
                lanes[(((row / Lanes * inputs) + k) * Lanes) + (row % Lanes)] = x[(row * inputs) + k];
            }
        }

        workers.Run(outputs, (first, end, _) =>
        {
            float[] weights = new float[inputs];
            for (int output = first; output < end; output++)
            {
                weight.ReadRow(output, weights);
                for (int group = 0; group < groups; group++)
                {
                    Vector512<float> sum =
                        Sum(order, lanes.AsSpan(group * inputs * Lanes, inputs * Lanes), weights, 0, inputs);
                    for (int lane = 0; lane < Math.Min(Lanes, rows - (group * Lanes)); lane++)
                    {
                        float value = sum[lane];
                        y[(((group * Lanes) + lane) * outputs) + output] =
                            bias.Length == 0 ? value : value + bias[output];
                    }
                }
            }
        });
    }

    /// <summary>One scalar product.</summary>
    /// <param name="order">The order.</param>
    /// <param name="a">One side.</param>
    /// <param name="b">The other.</param>
    /// <returns>The sum.</returns>
    public static float Dot(SummationOrder order, ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        switch (order)
        {
            case SummationOrder.Pairwise when a.Length > ShortChain:
                int half = a.Length / 2;
                return Dot(order, a[..half], b[..half]) + Dot(order, a[half..], b[half..]);
            case SummationOrder.ReversedBlocks:
                float reversed = 0;
                for (int k = a.Length - 1; k >= 0; k--)
                {
                    reversed = MathF.FusedMultiplyAdd(a[k], b[k], reversed);
                }

                return reversed;
            default:
                float sum = 0;
                for (int k = a.Length - 1; k >= 0; k--)
                {
                    sum += a[k] * b[k];
                }

                return sum;
        }
    }

    private static Vector512<float> Sum(
        SummationOrder order, ReadOnlySpan<float> lanes, ReadOnlySpan<float> weights, int start, int count)
    {
        Vector512<float> sum = Vector512<float>.Zero;
        switch (order)
        {
            case SummationOrder.Pairwise when count > ShortChain:
                int half = count / 2;
                return Sum(order, lanes, weights, start, half)
                    + Sum(order, lanes, weights, start + half, count - half);
            case SummationOrder.ReversedBlocks:
                for (int block = (count - 1) / Summation.BlockLength; block >= 0; block--)
                {
                    Vector512<float> inner = Vector512<float>.Zero;
                    int end = Math.Min(count, (block + 1) * Summation.BlockLength);
                    for (int k = block * Summation.BlockLength; k < end; k++)
                    {
                        inner = Vector512.FusedMultiplyAdd(Lane(lanes, k), Vector512.Create(weights[k]), inner);
                    }

                    sum += inner;
                }

                return sum;
            default:
                for (int k = start + count - 1; k >= start; k--)
                {
                    sum += Lane(lanes, k) * Vector512.Create(weights[k]);
                }

                return sum;
        }
    }

    private static Vector512<float> Lane(ReadOnlySpan<float> lanes, int k) =>
        Vector512.Create(lanes.Slice(k * Lanes, Lanes));
}
