using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class CausalAttention
{
    /// <summary>The same in float64, unrounded; only for measuring error.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="query">[batch, heads, tokens, headDim], float64, read.</param>
    /// <param name="keys">[batch, keyValueHeads, capacity, headDim], float64, read.</param>
    /// <param name="values">[batch, keyValueHeads, capacity, headDim], float64, read.</param>
    /// <param name="visible">[batch, past + tokens]; or empty.</param>
    /// <param name="context">[batch, tokens, heads · headDim], float64, written.</param>
    /// <param name="weights">[batch, heads, tokens, past + tokens], float64, written; or empty.</param>
    public static void Exact(
        WorkerPool workers,
        AttentionShape shape,
        double[] query,
        double[] keys,
        double[] values,
        byte[] visible,
        double[] context,
        double[] weights)
    {
        ArgumentNullException.ThrowIfNull(workers);
        int headDim = shape.HeadDim;
        workers.Run(shape.Batch * shape.Heads, (first, end, _) =>
        {
            double[] row = new double[shape.KeyTokens];
            for (int item = first; item < end; item++)
            {
                int sequence = item / shape.Heads, head = item % shape.Heads;
                int cacheStart =
                    ((sequence * shape.KeyValueHeads) + shape.KeyValueHead(head)) * shape.CacheCapacity * headDim;
                for (int i = 0; i < shape.QueryTokens; i++)
                {
                    int queryRow = (item * shape.QueryTokens) + i;
                    ReadOnlySpan<byte> rowVisible = VisibleKeys(shape, visible, sequence, i);
                    Span<double> scores = row.AsSpan(0, KeyLimit(shape, rowVisible, i));
                    for (int j = 0; j < scores.Length; j++)
                    {
                        double product = 0;
                        for (int d = 0; d < headDim; d++)
                        {
                            product += query[(queryRow * headDim) + d] * keys[cacheStart + (j * headDim) + d];
                        }

                        scores[j] = product / Math.Sqrt(headDim);
                    }

                    Softmax.Exact(scores, rowVisible, scores);
                    int output = (((sequence * shape.QueryTokens) + i) * shape.Heads * headDim) + (head * headDim);
                    for (int d = 0; d < headDim; d++)
                    {
                        double sum = 0;
                        for (int j = 0; j < scores.Length; j++)
                        {
                            sum += scores[j] * values[cacheStart + (j * headDim) + d];
                        }

                        context[output + d] = sum;
                    }

                    if (weights.Length != 0)
                    {
                        scores.CopyTo(weights.AsSpan(queryRow * shape.KeyTokens));
                    }
                }
            }
        });
    }
}
