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
internal readonly unsafe ref struct AttentionPanel
{
    /// <summary>Queries of a panel.</summary>
    public const int Lanes = StridedTile.Columns;

    // Values of as many keys stay in the first-level cache while all lanes use them.
    private const int SlabLength = 32;

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
        int rowsLength = Math.Max(StridedTile.Rows, SlabLength) * paddedHeadDim;
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
            Round<TPrecision>(
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
        new Span<float>(queries, Lanes * HeadDim).Clear(); // lanes that are not used are harmless zeros
        for (int lane = 0; lane < lanes; lane += heads)
        {
            Transposition.Copy(
                operands.QueryRow(sequence, firstHead, firstToken + (lane / heads)),
                (nint)operands.Shape.QueryTokens * HeadDim,
                heads,
                HeadDim,
                queries + lane,
                Lanes);
        }

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
            StridedTile.Accumulate(eight, HeadDim, 1, queries, Lanes, block, products, Lanes);
            for (int d = block; d < HeadDim; d += Summation.BlockLength)
            {
                block = Math.Min(Summation.BlockLength, HeadDim - d);
                new Span<float>(sums, StridedTile.Rows * Lanes).Clear();
                StridedTile.Accumulate(
                    eight + d, HeadDim, 1, queries + ((long)d * Lanes), Lanes, block, sums, Lanes);
                Add(sums, products, StridedTile.Rows * Lanes);
            }
        }
    }

    /// <summary>
    /// Scores become exponentials, +0 where a lane may not look. The maximum over the products is also the one over the
    /// scores: rounding and the division by a positive number keep the order.
    /// </summary>
    /// <returns>The denominators.</returns>
    private (Vector512<float> Lower, Vector512<float> Upper) Exponentials<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        ReadOnlySpan<byte> visible = operands.VisibleKeys(sequence);
        Vector512<int> limits0 = Limits(0), limits1 = Limits(16);
        Vector512<float> scale = Vector512.Create((float)Math.Sqrt(HeadDim));
        Vector512<float> maximum0 = Vector512.Create(float.NegativeInfinity), maximum1 = maximum0;
        for (int key = firstKey; key < keyLimit; key++)
        {
            if (visible.IsEmpty || visible[key] != 0)
            {
                float* products = Score(key);
                Vector512<float> product0 = Vector512.Load(products), product1 = Vector512.Load(products + 16);

                // A NaN is skipped here and spreads through the exponential.
                Vector512<float> above0 = Vector512.GreaterThan(product0, maximum0);
                Vector512<float> above1 = Vector512.GreaterThan(product1, maximum1);
                if (key >= commonLimit)
                {
                    above0 &= Vector512.GreaterThan(limits0, Vector512.Create(key)).AsSingle();
                    above1 &= Vector512.GreaterThan(limits1, Vector512.Create(key)).AsSingle();
                }

                maximum0 = Vector512.ConditionalSelect(above0, product0, maximum0);
                maximum1 = Vector512.ConditionalSelect(above1, product1, maximum1);
            }
        }

        maximum0 = Scaled<TPrecision>(maximum0, scale);
        maximum1 = Scaled<TPrecision>(maximum1, scale);
        new Span<float>(stripes, Summation.StripeCount * Lanes).Clear();
        for (int key = firstKey; key < keyLimit; key++)
        {
            float* exponentials = Score(key);
            if (!visible.IsEmpty && visible[key] == 0)
            {
                new Span<float>(exponentials, Lanes).Clear();
                continue; // +0 changes no stripe
            }

            Vector512<float> score0 = Scaled<TPrecision>(Vector512.Load(exponentials), scale);
            Vector512<float> score1 = Scaled<TPrecision>(Vector512.Load(exponentials + 16), scale);
            Vector512<float> exponential0 = Exponential.Exp(score0 - maximum0);
            Vector512<float> exponential1 = Exponential.Exp(score1 - maximum1);
            if (key >= commonLimit)
            {
                exponential0 &= Vector512.GreaterThan(limits0, Vector512.Create(key)).AsSingle();
                exponential1 &= Vector512.GreaterThan(limits1, Vector512.Create(key)).AsSingle();
            }

            exponential0.Store(exponentials);
            exponential1.Store(exponentials + 16);
            float* stripe = stripes + (key % Summation.StripeCount * Lanes);
            (Vector512.Load(stripe) + exponential0).Store(stripe);
            (Vector512.Load(stripe + 16) + exponential1).Store(stripe + 16);
        }

        for (int half = Summation.StripeCount / 2; half > 0; half /= 2)
        {
            Add(stripes + (half * Lanes), stripes, half * Lanes);
        }

        return (Vector512.Load(stripes), Vector512.Load(stripes + 16));
    }

    /// <summary>
    /// Σ p · v: eight lanes are the rows, 32 channels the columns. Blocks of 128 keys ascend from the first visible
    /// one; inside a block the chain runs over slabs, and last over the keys that only later tokens see.
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

            for (int slab = block; slab < common; slab += SlabLength)
            {
                int count = Math.Min(SlabLength, common - slab);
                float* slabValues = WholeColumns(values + ((long)slab * HeadDim), count);
                for (int row = 0; row < usedRows; row += StridedTile.Rows)
                {
                    for (int d = 0; d < paddedHeadDim; d += StridedTile.Columns)
                    {
                        float* chains = sums + (row * paddedHeadDim) + d;
                        StridedTile.Accumulate(
                            Score(slab) + row, 1, Lanes, slabValues + d, paddedHeadDim, count, chains, paddedHeadDim);
                    }
                }
            }

            for (int key = common; key < end; key++)
            {
                float* weights = Score(key);
                for (int lane = (key + 1 - commonLimit) * heads; lane < lanes; lane++)
                {
                    MultiplyAdd(
                        weights[lane], values + ((long)key * HeadDim), sums + (lane * paddedHeadDim), HeadDim);
                }
            }

            Add(sums, totals, usedRows * paddedHeadDim);
        }
    }

    private float* Score(int key) => scores + ((long)(key - firstKey) * Lanes);

    /// <summary>The first key that a lane may not see.</summary>
    private Vector512<int> Limits(int firstLane)
    {
        Vector512<int> limits = default;
        for (int lane = 0; lane < 16; lane++)
        {
            limits = limits.WithElement(lane, commonLimit + ((firstLane + lane) / heads));
        }

        return limits;
    }

    /// <summary>The values as they lie, or copied with zeros up to whole tiles of channels.</summary>
    private float* WholeColumns(float* values, int count)
    {
        if (HeadDim == paddedHeadDim)
        {
            return values;
        }

        for (int key = 0; key < count; key++)
        {
            Span<float> row = new(rows + (key * paddedHeadDim), paddedHeadDim);
            new Span<float>(values + (key * HeadDim), HeadDim).CopyTo(row);
            row[HeadDim..].Clear();
        }

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scaled<TPrecision>(Vector512<float> product, Vector512<float> scale)
        where TPrecision : struct, IPrecision =>
        TPrecision.Round(TPrecision.Round(product) / scale);

    private static void Add(float* addend, float* sum, int count)
    {
        for (int index = 0; index < count; index += 16)
        {
            (Vector512.Load(sum + index) + Vector512.Load(addend + index)).Store(sum + index);
        }
    }

    /// <summary>Rounds to the storage type.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="values">Float32 results, read.</param>
    /// <param name="rounded">As many, written.</param>
    public static void Round<TPrecision>(ReadOnlySpan<float> values, Span<float> rounded)
        where TPrecision : struct, IPrecision
    {
        int d = 0;
        for (; d + 16 <= values.Length; d += 16)
        {
            TPrecision.Round(Vector512.Create(values[d..])).CopyTo(rounded[d..]);
        }

        for (; d < values.Length; d++)
        {
            rounded[d] = TPrecision.Round(values[d]);
        }
    }

    /// <summary>One step of a row of chains: sums[d] = fma(weight, values[d], sums[d]).</summary>
    /// <param name="weight">The weight of a key.</param>
    /// <param name="values">[headDim], read.</param>
    /// <param name="sums">[headDim], read and written.</param>
    /// <param name="headDim">The width of a head.</param>
    public static void MultiplyAdd(float weight, float* values, float* sums, int headDim)
    {
        int d = 0;
        for (; d + 16 <= headDim; d += 16)
        {
            Vector512.FusedMultiplyAdd(Vector512.Create(weight), Vector512.Load(values + d), Vector512.Load(sums + d))
                .Store(sums + d);
        }

        for (; d < headDim; d++)
        {
            sums[d] = MathF.FusedMultiplyAdd(weight, values[d], sums[d]);
        }
    }
}
