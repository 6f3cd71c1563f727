using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Up to 32 queries that share one key/value head, through all of attention: a lane is a query, that is a query head of
/// the group at a token, heads running first. Scores lie as [keys, 32], so the softmax needs no sum across lanes, and
/// eight neighbouring lanes of a key are a column of the tile that multiplies with the values.
/// </summary>
internal readonly unsafe ref partial struct AttentionPanel
{
    /// <summary>Queries of a panel.</summary>
    public const int Lanes = StridedTile.Columns;

    private readonly AttentionOperands operands;
    private readonly int sequence;
    private readonly int cacheHead;
    private readonly int firstHead;
    private readonly int heads;
    private readonly int firstToken;
    private readonly int lanes;
    private readonly int paddedHeadDim;

    // Keys before this one are padding.
    private readonly int firstKey;

    // Keys before this one are seen by all lanes, from here to the limit only by those of later tokens.
    private readonly int commonLimit;
    private readonly int keyLimit;

    private readonly float* queries;
    private readonly float* rows;
    private readonly float* stripes;
    private readonly float* sums;
    private readonly float* totals;
    private readonly float* scores;

    /// <summary>Places a panel.</summary>
    /// <param name="operands">The arrays.</param>
    /// <param name="cacheHead">sequence · keyValueHeads + key/value head.</param>
    /// <param name="firstHead">The first query head of the lanes.</param>
    /// <param name="heads">How many heads.</param>
    /// <param name="firstToken">The first new token of the lanes; it sees at least one key.</param>
    /// <param name="endToken">The end of the tokens, exclusive; heads · tokens is 32 at most.</param>
    /// <param name="firstKey">The first key that is no padding.</param>
    /// <param name="scratch">The worker's memory.</param>
    public AttentionPanel(
        in AttentionOperands operands,
        int cacheHead,
        int firstHead,
        int heads,
        int firstToken,
        int endToken,
        int firstKey,
        ScratchMemory scratch)
    {
        this.operands = operands;
        this.cacheHead = cacheHead;
        this.firstHead = firstHead;
        this.heads = heads;
        this.firstToken = firstToken;
        this.firstKey = firstKey;
        AttentionShape shape = operands.Shape;
        sequence = cacheHead / shape.KeyValueHeads;
        lanes = heads * (endToken - firstToken);
        commonLimit = shape.PastTokens + firstToken + 1;
        keyLimit = shape.PastTokens + endToken;
        paddedHeadDim = (shape.HeadDim + StridedTile.Columns - 1) / StridedTile.Columns * StridedTile.Columns;
        int keyRows = (keyLimit - firstKey + StridedTile.Rows - 1) / StridedTile.Rows * StridedTile.Rows;
        int rowsLength = Summation.BlockLength * paddedHeadDim;
        queries = scratch.Reserve(
            (3L * Lanes * paddedHeadDim) + rowsLength + (Summation.StripeCount * Lanes) + ((long)keyRows * Lanes));
        sums = queries + (Lanes * paddedHeadDim);
        totals = sums + (Lanes * paddedHeadDim);
        rows = totals + (Lanes * paddedHeadDim);
        stripes = rows + rowsLength;
        scores = stripes + (Summation.StripeCount * Lanes);
    }

    private int HeadDim => operands.Shape.HeadDim;

    /// <summary>Computes contexts, and weights where they are wanted.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    public void Attend<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        Products();
        (Vector512<float> lower, Vector512<float> upper) = Exponentials<TPrecision>();
        Contexts<TPrecision>(lower, upper);
        for (int lane = 0; lane < lanes; lane++)
        {
            int head = firstHead + (lane % heads), token = firstToken + (lane / heads);
            AttentionSteps.Round<TPrecision>(
                new(totals + (lane * paddedHeadDim), HeadDim), operands.ContextRow(sequence, head, token));
            if (operands.Weights != 0)
            {
                StoreWeights<TPrecision>(lane, operands.WeightRow(sequence, head, token));
            }
        }
    }

    /// <summary>q · k for all keys of the panel: eight keys at a time are the rows, lanes the columns.</summary>
    private void Products()
    {
        for (int lane = 0; lane < Lanes; lane++)
        {
            Span<float> row = new(rows + (lane * HeadDim), HeadDim);
            if (lane < lanes)
            {
                float* query = operands.QueryRow(sequence, firstHead + (lane % heads), firstToken + (lane / heads));
                new Span<float>(query, HeadDim).CopyTo(row);
            }
            else
            {
                row.Clear(); // a lane that is not used is harmless
            }
        }

        Transposition.Copy(rows, HeadDim, Lanes, HeadDim, queries, Lanes);
        float* keys = operands.HeadKeys(cacheHead);
        for (int key = firstKey; key < keyLimit; key += StridedTile.Rows)
        {
            float* eight = keys + ((long)key * HeadDim);
            if (key + StridedTile.Rows > keyLimit)
            {
                int count = (keyLimit - key) * HeadDim;
                new Span<float>(eight, count).CopyTo(new(rows, count));
                new Span<float>(rows + count, (StridedTile.Rows * HeadDim) - count).Clear();
                eight = rows;
            }

            // Where the definition adds the first block to +0 and so turns −0 into +0, here −0 stays; no exponential of
            // a difference of scores tells the two apart.
            float* products = Score(key);
            new Span<float>(products, StridedTile.Rows * Lanes).Clear();
            int block = Math.Min(Summation.BlockLength, HeadDim);
            float* next = keys + ((long)(key + StridedTile.Rows) * HeadDim);
            StridedTile.Accumulate(eight, HeadDim, 1, queries, Lanes, block, products, Lanes, next, StridedTile.Rows);
            for (int d = block; d < HeadDim; d += Summation.BlockLength)
            {
                block = Math.Min(Summation.BlockLength, HeadDim - d);
                new Span<float>(sums, StridedTile.Rows * Lanes).Clear();
                StridedTile.Accumulate(
                    eight + d,
                    HeadDim,
                    1,
                    queries + ((long)d * Lanes),
                    Lanes,
                    block,
                    sums,
                    Lanes,
                    next + (StridedTile.Rows * (long)d),
                    StridedTile.Rows);
                Add(sums, products, StridedTile.Rows * Lanes);
            }
        }
    }

    /// <summary>
    /// Σ p · v: eight lanes are the rows, 32 channels the columns. Blocks of 128 keys ascend from the first visible
    /// one; inside a block the chain ends with the keys that only later tokens see.
    /// </summary>
    private void Contexts<TPrecision>(Vector512<float> denominator0, Vector512<float> denominator1)
        where TPrecision : struct, IPrecision
    {
        int usedRows = (lanes + StridedTile.Rows - 1) / StridedTile.Rows * StridedTile.Rows;
        float* values = operands.HeadValues(cacheHead);
        new Span<float>(totals, usedRows * paddedHeadDim).Clear();
        for (int block = firstKey; block < keyLimit; block += Summation.BlockLength)
        {
            int end = Math.Min(block + Summation.BlockLength, keyLimit);
            int common = Math.Clamp(commonLimit, block, end);
            new Span<float>(sums, usedRows * paddedHeadDim).Clear();
            for (int key = block; key < end; key++)
            {
                float* weights = Score(key);
                TPrecision.Round(Vector512.Load(weights) / denominator0).Store(weights);
                TPrecision.Round(Vector512.Load(weights + 16) / denominator1).Store(weights + 16);
            }

            float* blockValues = WholeColumns(values + ((long)block * HeadDim), common - block);
            float* next = values + ((long)end * HeadDim);
            for (int row = 0; row < usedRows && common > block; row += StridedTile.Rows)
            {
                for (int d = 0; d < paddedHeadDim; d += StridedTile.Columns)
                {
                    StridedTile.Accumulate(
                        Score(block) + row,
                        1,
                        Lanes,
                        blockValues + d,
                        paddedHeadDim,
                        common - block,
                        sums + (row * paddedHeadDim) + d,
                        paddedHeadDim,
                        next,
                        8);
                    next += Summation.BlockLength * StridedTile.Columns / (Lanes / StridedTile.Rows);
                }
            }

            for (int key = common; key < end; key++)
            {
                float* weights = Score(key);
                for (int lane = (key + 1 - commonLimit) * heads; lane < lanes; lane++)
                {
                    AttentionSteps.MultiplyAdd(
                        weights[lane], values + ((long)key * HeadDim), sums + (lane * paddedHeadDim), HeadDim);
                }
            }

            Add(sums, totals, usedRows * paddedHeadDim);
        }
    }

    private float* Score(int key) => scores + ((long)(key - firstKey) * Lanes);

    /// <summary>The values as they lie, or copied with zeros up to whole tiles of channels.</summary>
    private float* WholeColumns(float* values, int count)
    {
        if (HeadDim == paddedHeadDim)
        {
            return values;
        }

        AttentionSteps.PadColumns(values, HeadDim, count, rows, paddedHeadDim);
        return rows;
    }

    private void StoreWeights<TPrecision>(int lane, Span<float> row)
        where TPrecision : struct, IPrecision
    {
        float padding = TPrecision.Round(0f / stripes[lane]); // NaN where the denominator is
        row[..firstKey].Fill(padding);
        int limit = commonLimit + (lane / heads);
        for (int key = firstKey; key < limit; key++)
        {
            row[key] = Score(key)[lane];
        }

        row[limit..].Clear();
    }

    private static void Add(float* addend, float* sum, int count)
    {
        for (int index = 0; index < count; index += 16)
        {
            (Vector512.Load(sum + index) + Vector512.Load(addend + index)).Store(sum + index);
        }
    }
}
