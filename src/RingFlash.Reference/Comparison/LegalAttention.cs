using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Causal attention as another correct backend computes it; masks and padding as on the page of
/// <see cref="CausalAttention"/>.
/// </summary>
/// <param name="Shape">The sizes.</param>
/// <param name="Order">The order of sums.</param>
/// <param name="Fused">Whether scores stay float32 and the denominator divides last.</param>
internal sealed record LegalAttention(AttentionShape Shape, SummationOrder Order, bool Fused)
{
    /// <summary>One query head of one sequence.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The query head.</param>
    /// <param name="query">[batch, heads, tokens, headDim].</param>
    /// <param name="keys">[batch, keyValueHeads, capacity, headDim].</param>
    /// <param name="values">[batch, keyValueHeads, capacity, headDim].</param>
    /// <param name="visible">[batch, keys], or empty.</param>
    /// <param name="context">[batch, tokens, heads · headDim], written.</param>
    /// <param name="weights">[batch, heads, tokens, keys], written; or empty.</param>
    public void Head<TPrecision>(
        int sequence,
        int head,
        ReadOnlySpan<float> query,
        ReadOnlySpan<float> keys,
        ReadOnlySpan<float> values,
        ReadOnlySpan<byte> visible,
        Span<float> context,
        Span<float> weights)
        where TPrecision : struct, IPrecision
    {
        int width = Shape.HeadDim, all = Shape.KeyTokens;
        int start = ((sequence * Shape.KeyValueHeads) + Shape.KeyValueHead(head)) * Shape.CacheCapacity * width;
        keys = keys.Slice(start, all * width);
        values = values.Slice(start, all * width);
        float[] column = new float[all], row = new float[all];
        for (int i = 0; i < Shape.QueryTokens; i++)
        {
            int queryRow = (((sequence * Shape.Heads) + head) * Shape.QueryTokens) + i;
            int count = Shape.PastTokens + i + 1;
            ReadOnlySpan<byte> mask = visible.IsEmpty ? visible : visible.Slice(sequence * all, all);
            bool seesNothing = !mask.IsEmpty && !mask[..count].Contains((byte)1);
            count = seesNothing ? all : count;
            Span<float> p = row.AsSpan(0, count);
            for (int j = 0; j < count; j++)
            {
                float product =
                    SummationOrders.Dot(Order, query.Slice(queryRow * width, width), keys.Slice(j * width, width));
                float score = Fused
                    ? product / MathF.Sqrt(width)
                    : TPrecision.Round(TPrecision.Round(product) / MathF.Sqrt(width));
                p[j] = seesNothing ? 0 : !mask.IsEmpty && mask[j] == 0 ? float.NegativeInfinity : score;
            }

            float denominator = Exponentials<TPrecision>(p);
            Span<float> output = context.Slice(
                (((sequence * Shape.QueryTokens) + i) * Shape.Heads * width) + (head * width), width);
            for (int d = 0; d < width; d++)
            {
                for (int j = 0; j < count; j++)
                {
                    column[j] = values[(j * width) + d];
                }

                float sum = SummationOrders.Dot(Order, p, column.AsSpan(0, count));
                output[d] = TPrecision.Round(Fused ? sum / denominator : sum);
            }

            if (!weights.IsEmpty)
            {
                Span<float> stored = weights.Slice(queryRow * all, all);
                stored.Clear();
                for (int j = 0; j < count; j++)
                {
                    stored[j] = Fused ? TPrecision.Round(p[j] / denominator) : p[j];
                }
            }
        }
    }

    // Fused: rounded exponentials, and the float32 denominator. Otherwise rounded weights.
    private float Exponentials<TPrecision>(Span<float> p)
        where TPrecision : struct, IPrecision
    {
        float largest = float.NegativeInfinity, sum = 0;
        foreach (float score in p)
        {
            largest = MathF.Max(largest, score);
        }

        foreach (ref float value in p)
        {
            value = Exponential.Exp(value - largest);
            sum += value;
        }

        foreach (ref float value in p)
        {
            value = TPrecision.Round(Fused ? value : value / sum);
        }

        return sum;
    }
}
