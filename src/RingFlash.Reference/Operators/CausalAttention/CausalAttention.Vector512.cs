using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class CausalAttention
{
    private const int QueriesPerItem = 32;

    /// <summary>
    /// Scores: a lane is a key. 32 keys at a time are transposed to [headDim, 32] and multiplied with four query rows
    /// by the product tile, so a score keeps the chain of <see cref="Summation.Dot"/>; a transposed block serves all
    /// query heads of its group. Context: a lane is a channel; keys ascend in blocks of 128 from the first visible one,
    /// up to the last key that the query may see and no further. Remainder: surplus rows and keys of a tile are
    /// dropped, channels beyond a multiple of sixteen use the scalar chain.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads; an item is 32 queries of one key/value head.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="query">[batch, heads, tokens, headDim], float32, read.</param>
    /// <param name="keys">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="values">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="visible">[batch, past + tokens]; or empty.</param>
    /// <param name="context">[batch, tokens, heads · headDim], float32, written.</param>
    /// <param name="weights">[batch, heads, tokens, past + tokens], float32, written; or empty.</param>
    public static void Vectorised<TPrecision>(
        WorkerPool workers,
        AttentionShape shape,
        float[] query,
        float[] keys,
        float[] values,
        byte[] visible,
        float[] context,
        float[] weights)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(workers);
        int queryBlocks = (shape.QueryTokens + QueriesPerItem - 1) / QueriesPerItem;
        workers.Run(shape.Batch * shape.KeyValueHeads * queryBlocks, (first, end, _) =>
        {
            for (int item = first; item < end; item++)
            {
                int cacheHead = item / queryBlocks;
                int firstQuery = item % queryBlocks * QueriesPerItem;
                int lastQuery = Math.Min(firstQuery + QueriesPerItem, shape.QueryTokens);
                QueryBlock<TPrecision>(
                    shape, cacheHead, firstQuery, lastQuery, query, keys, values, visible, context, weights);
            }
        });
    }

    private static unsafe void QueryBlock<TPrecision>(
        AttentionShape shape,
        int cacheHead,
        int firstQuery,
        int lastQuery,
        float[] query,
        float[] keys,
        float[] values,
        byte[] visible,
        float[] context,
        float[] weights)
        where TPrecision : struct, IPrecision
    {
        int headDim = shape.HeadDim, group = shape.Heads / shape.KeyValueHeads;
        int sequence = cacheHead / shape.KeyValueHeads, firstHead = cacheHead % shape.KeyValueHeads * group;
        int queries = lastQuery - firstQuery, rows = group * queries;
        int rowOf(int row) =>
            (((sequence * shape.Heads) + firstHead + (row / queries)) * shape.QueryTokens)
            + firstQuery + (row % queries);

        // Padded queries look at every key of the call; all others stop at the diagonal.
        int keyLimit = visible.Length == 0 ? shape.PastTokens + lastQuery : shape.KeyTokens;
        int stride = (keyLimit + ProductTile.PanelWidth - 1) / ProductTile.PanelWidth * ProductTile.PanelWidth;
        using AlignedBuffer scores = new((long)rows * stride);
        fixed (float* queryPointer = query, keyPointer = keys, valuePointer = values)
        {
            float* headKeys = keyPointer + ((long)cacheHead * shape.CacheCapacity * headDim);
            float* headValues = valuePointer + ((long)cacheHead * shape.CacheCapacity * headDim);
            Scores<TPrecision>(queryPointer, rowOf, rows, headKeys, keyLimit, headDim, scores.Pointer, stride);
            for (int row = 0; row < rows; row++)
            {
                int i = firstQuery + (row % queries), queryRow = rowOf(row);
                ReadOnlySpan<byte> rowVisible = VisibleKeys(shape, visible, sequence, i);
                Span<float> rowScores = new(scores.Pointer + ((long)row * stride), KeyLimit(shape, rowVisible, i));
                Softmax.Vectorised<TPrecision>(rowScores, rowVisible, rowScores);
                int output =
                    ((((sequence * shape.QueryTokens) + i) * shape.Heads) + firstHead + (row / queries)) * headDim;
                int firstKey = FirstKey(rowVisible);
                Context<TPrecision>(
                    rowScores[firstKey..],
                    headValues + ((long)firstKey * headDim),
                    headDim,
                    context.AsSpan(output, headDim));
                StoreWeights(shape, queryRow, rowScores, weights);
            }
        }
    }

    private static unsafe void Scores<TPrecision>(
        float* query, Func<int, int> rowOf, int rows, float* keys, int keyCount, int headDim, float* scores, int stride)
        where TPrecision : struct, IPrecision
    {
        const int Width = ProductTile.PanelWidth;
        using AlignedBuffer panel = new((long)headDim * Width);
        float* totals = stackalloc float[ProductTile.RowCount * Width];
        Vector512<float> scale = Vector512.Create((float)Math.Sqrt(headDim));
        for (int firstKey = 0; firstKey < keyCount; firstKey += Width)
        {
            int count = Math.Min(Width, keyCount - firstKey);
            for (int d = 0; d < headDim; d++)
            {
                for (int lane = 0; lane < Width; lane++)
                {
                    panel.Pointer[(d * Width) + lane] =
                        lane < count ? keys[((long)(firstKey + lane) * headDim) + d] : 0f;
                }
            }

            for (int row = 0; row < rows; row += ProductTile.RowCount)
            {
                new Span<float>(totals, ProductTile.RowCount * Width).Clear();
                ProductTile.Accumulate(
                    query + ((long)rowOf(row) * headDim),
                    query + ((long)rowOf(Math.Min(row + 1, rows - 1)) * headDim),
                    query + ((long)rowOf(Math.Min(row + 2, rows - 1)) * headDim),
                    query + ((long)rowOf(Math.Min(row + 3, rows - 1)) * headDim),
                    panel.Pointer,
                    headDim,
                    totals);
                for (int tileRow = 0; tileRow < Math.Min(ProductTile.RowCount, rows - row); tileRow++)
                {
                    float* destination = scores + ((long)(row + tileRow) * stride) + firstKey;
                    for (int lane = 0; lane < Width; lane += 16)
                    {
                        Vector512<float> product = TPrecision.Round(Vector512.Load(totals + (tileRow * Width) + lane));
                        TPrecision.Round(product / scale).Store(destination + lane);
                    }
                }
            }
        }
    }

    private static unsafe void Context<TPrecision>(
        ReadOnlySpan<float> weights, float* values, int headDim, Span<float> context)
        where TPrecision : struct, IPrecision
    {
        int d = 0;
        for (; d + 64 <= headDim; d += 64)
        {
            Vector512<float> total0 = Vector512<float>.Zero, total1 = Vector512<float>.Zero;
            Vector512<float> total2 = Vector512<float>.Zero, total3 = Vector512<float>.Zero;
            for (int block = 0; block < weights.Length; block += Summation.BlockLength)
            {
                Vector512<float> sum0 = Vector512<float>.Zero, sum1 = Vector512<float>.Zero;
                Vector512<float> sum2 = Vector512<float>.Zero, sum3 = Vector512<float>.Zero;
                int end = Math.Min(block + Summation.BlockLength, weights.Length);
                for (int j = block; j < end; j++)
                {
                    Vector512<float> weight = Vector512.Create(weights[j]);
                    float* row = values + ((long)j * headDim) + d;
                    sum0 = Vector512.FusedMultiplyAdd(weight, Vector512.Load(row), sum0);
                    sum1 = Vector512.FusedMultiplyAdd(weight, Vector512.Load(row + 16), sum1);
                    sum2 = Vector512.FusedMultiplyAdd(weight, Vector512.Load(row + 32), sum2);
                    sum3 = Vector512.FusedMultiplyAdd(weight, Vector512.Load(row + 48), sum3);
                }

                total0 += sum0;
                total1 += sum1;
                total2 += sum2;
                total3 += sum3;
            }

            TPrecision.Round(total0).CopyTo(context[d..]);
            TPrecision.Round(total1).CopyTo(context[(d + 16)..]);
            TPrecision.Round(total2).CopyTo(context[(d + 32)..]);
            TPrecision.Round(total3).CopyTo(context[(d + 48)..]);
        }

        for (; d + 16 <= headDim; d += 16)
        {
            Vector512<float> total = Vector512<float>.Zero;
            for (int block = 0; block < weights.Length; block += Summation.BlockLength)
            {
                Vector512<float> sum = Vector512<float>.Zero;
                int end = Math.Min(block + Summation.BlockLength, weights.Length);
                for (int j = block; j < end; j++)
                {
                    Vector512<float> row = Vector512.Load(values + ((long)j * headDim) + d);
                    sum = Vector512.FusedMultiplyAdd(Vector512.Create(weights[j]), row, sum);
                }

                total += sum;
            }

            TPrecision.Round(total).CopyTo(context[d..]);
        }

        for (; d < headDim; d++)
        {
            float total = 0f;
            for (int block = 0; block < weights.Length; block += Summation.BlockLength)
            {
                float sum = 0f;
                int end = Math.Min(block + Summation.BlockLength, weights.Length);
                for (int j = block; j < end; j++)
                {
                    sum = MathF.FusedMultiplyAdd(weights[j], values[((long)j * headDim) + d], sum);
                }

                total += sum;
            }

            context[d] = TPrecision.Round(total);
        }
    }
}
