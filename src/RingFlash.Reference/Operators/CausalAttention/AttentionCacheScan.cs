using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Few new tokens over a cache that may be long: what a step of decoding does. Each key and value is read once for all
/// queries of its group, so the work is bound by memory; it is cut by keys, not by queries.
/// </summary>
/// <remarks>
/// <para>Scores lie as [keys, 8], a lane being a query head at a token: as for the panels no sum runs across lanes, and
/// a vector of sixteen holds two keys. Context: a lane is a channel. Every block of 128 keys is a sum of its own, so
/// blocks can be taken by different workers; the sums are added in ascending order. A worker that starts a head adds
/// them as it goes; only what another worker continues is kept as single sums until then.</para>
/// </remarks>
internal readonly unsafe struct AttentionCacheScan
{
    /// <summary>Queries that share a key/value head: more are served by <see cref="AttentionPanel"/>.</summary>
    public const int Lanes = KeyTile.Queries;

    private const int StripeVectors = Summation.StripeCount / 2;

    private readonly AttentionOperands operands;
    private readonly int group;
    private readonly int lanes;
    private readonly int keyTiles;
    private readonly int keyBlocks;
    private readonly int paddedHeadDim;
    private readonly int contextLength;
    private readonly long scoreLength;
    private readonly float* queries;
    private readonly float* denominators;
    private readonly float* scores;
    private readonly float* totals;
    private readonly float* blockSums;
    private readonly int* blocksDone;

    /// <summary>Places the scan.</summary>
    /// <param name="operands">The arrays.</param>
    /// <param name="scratch">Memory that all workers see.</param>
    public AttentionCacheScan(in AttentionOperands operands, ScratchMemory scratch)
    {
        this.operands = operands;
        AttentionShape shape = operands.Shape;
        group = shape.Heads / shape.KeyValueHeads;
        lanes = group * shape.QueryTokens;
        keyTiles = (shape.KeyTokens + KeyTile.Keys - 1) / KeyTile.Keys;
        keyBlocks = (shape.KeyTokens + Summation.BlockLength - 1) / Summation.BlockLength;
        paddedHeadDim = (shape.HeadDim + StridedTile.Columns - 1) / StridedTile.Columns * StridedTile.Columns;
        contextLength = Lanes * paddedHeadDim;
        scoreLength = ScratchMemory.RoundUp(((keyTiles * (long)KeyTile.Keys) + 1) * Lanes);
        long heads = (long)shape.Batch * shape.KeyValueHeads, flags = ScratchMemory.RoundUp(heads);
        queries = scratch.Reserve(
            (heads * ((2L * contextLength) + (2 * Lanes) + scoreLength + (keyBlocks * (long)contextLength))) + flags);
        totals = queries + (heads * contextLength);
        denominators = totals + (heads * contextLength);
        scores = denominators + (heads * 2 * Lanes);
        blocksDone = (int*)(scores + (heads * scoreLength));
        blockSums = (float*)blocksDone + flags;
    }

    private int HeadDim => operands.Shape.HeadDim;

    /// <summary>Whether a call is one for the scan: few queries, and each of them sees something.</summary>
    /// <param name="operands">The arrays.</param>
    /// <returns>Whether it is.</returns>
    public static bool Suits(in AttentionOperands operands)
    {
        AttentionShape shape = operands.Shape;
        bool suits = shape.Heads / shape.KeyValueHeads * (long)shape.QueryTokens <= Lanes;
        for (int sequence = 0; suits && sequence < shape.Batch; sequence++)
        {
            suits = operands.FirstVisible(sequence) <= shape.PastTokens;
        }

        return suits;
    }

    /// <summary>Attends.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads.</param>
    public void Run<TPrecision>(WorkerPool workers)
        where TPrecision : struct, IPrecision
    {
        AttentionCacheScan scan = this;
        int heads = operands.Shape.Batch * operands.Shape.KeyValueHeads;
        for (int head = 0; head < heads; head++)
        {
            PackQueries(head);
            blocksDone[head] = 0;
        }

        workers.Run(heads * keyTiles, (first, end, worker) =>
        {
            float* rest = workers.Scratch(worker).Reserve(KeyTile.Keys * scan.HeadDim);
            for (int tile = first; tile < end; tile++)
            {
                scan.Products(tile / scan.keyTiles, tile % scan.keyTiles * KeyTile.Keys, rest);
            }
        });
        workers.Run(heads, (first, end, worker) =>
        {
            float* stripes = workers.Scratch(worker).Reserve(Summation.StripeCount * Lanes);
            for (int head = first; head < end; head++)
            {
                scan.Exponentials<TPrecision>(head, stripes);
            }
        });
        workers.Run(heads * keyBlocks, (first, end, worker) =>
        {
            float* scratch = workers.Scratch(worker).Reserve(
                ((long)Summation.BlockLength * scan.paddedHeadDim) + scan.contextLength);
            for (int block = first; block < end; block++)
            {
                // Whoever has a head's first block adds the sums as far as it goes.
                int head = block / scan.keyBlocks;
                bool isFromStart = head * scan.keyBlocks >= first;
                scan.Contexts<TPrecision>(head, block % scan.keyBlocks, isFromStart, scratch);
            }
        });
        for (int head = 0; head < heads; head++)
        {
            Finish<TPrecision>(head);
        }
    }

    private int Sequence(int head) => head / operands.Shape.KeyValueHeads;

    private float* Score(int head, int key) => scores + (head * scoreLength) + ((long)key * Lanes);

    private void PackQueries(int head)
    {
        int firstHead = head % operands.Shape.KeyValueHeads * group;
        float* packed = queries + ((long)head * contextLength);
        new Span<float>(packed, contextLength).Clear(); // lanes that are not used are harmless zeros
        for (int lane = 0; lane < lanes; lane++)
        {
            float* query = operands.QueryRow(Sequence(head), firstHead + (lane % group), lane / group);
            for (int d = 0; d < HeadDim; d++)
            {
                packed[(d * Lanes) + lane] = query[d];
            }
        }
    }

    private void Products(int head, int firstKey, float* rest)
    {
        int count = Math.Min(KeyTile.Keys, operands.Shape.KeyTokens - firstKey) * HeadDim;
        float* keys = operands.HeadKeys(head) + ((long)firstKey * HeadDim);

        // Some tiles ahead, so that the memory has time and is always busy.
        float* ahead = keys + (8L * KeyTile.Keys * HeadDim);
        if (count < KeyTile.Keys * HeadDim)
        {
            new Span<float>(keys, count).CopyTo(new(rest, count));
            new Span<float>(rest + count, (KeyTile.Keys * HeadDim) - count).Clear();
            keys = rest;
        }

        float* packed = queries + ((long)head * contextLength);
        for (int d = 0; d < HeadDim; d += Summation.BlockLength)
        {
            KeyTile.Multiply(
                keys + d,
                HeadDim,
                packed + (d * Lanes),
                Math.Min(Summation.BlockLength, HeadDim - d),
                Score(head, firstKey),
                isFirst: d == 0,
                ahead + ((long)d * KeyTile.Keys));
        }
    }

    /// <summary>
    /// Scores become exponentials, +0 where a lane may not look. Two keys at a time; the maximum over the products is
    /// also the one over the scores.
    /// </summary>
    private void Exponentials<TPrecision>(int head, float* stripes)
        where TPrecision : struct, IPrecision
    {
        Vector512<float> scale = Vector512.Create((float)Math.Sqrt(HeadDim)), maximum = Maximum(head);
        maximum = AttentionPanel.Scaled<TPrecision>(maximum, scale);
        new Span<float>(stripes, Summation.StripeCount * Lanes).Clear();
        int end = operands.Shape.KeyTokens;
        for (int key = operands.FirstVisible(Sequence(head)) / 2 * 2; key < end; key += 2)
        {
            key = OrdinaryKeys<TPrecision>(head, key, scale, maximum, stripes);
            if (key >= end)
            {
                break;
            }

            float* pair = Score(head, key), stripe = stripes + (key % Summation.StripeCount * Lanes);
            Vector512<float> score = AttentionPanel.Scaled<TPrecision>(Vector512.Load(pair), scale);
            Vector512<float> exponential = Exponential.Exp(score - maximum) & Sees(head, key);
            exponential.Store(pair);
            (Vector512.Load(stripe) + exponential).Store(stripe);
        }

        // The halving tree; its last step is within the one vector that is left.
        for (int half = StripeVectors / 2; half > 0; half /= 2)
        {
            for (int index = 0; index < half; index++)
            {
                float* stripe = stripes + (index * 16);
                (Vector512.Load(stripe) + Vector512.Load(stripe + (half * 16))).Store(stripe);
            }
        }

        Vector256<float> sums = Vector256.Load(stripes) + Vector256.Load(stripes + Lanes);
        Vector512.Create(sums, sums).Store(denominators + (head * 2 * Lanes));
    }

    /// <summary>
    /// Pairs of keys that need no attention of their own, as in <see cref="AttentionPanel"/>.
    /// </summary>
    /// <returns>The first pair that is not ordinary.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int OrdinaryKeys<TPrecision>(
        int head, int key, Vector512<float> scale, Vector512<float> maximum, float* stripes)
        where TPrecision : struct, IPrecision
    {
        float* pair = Score(head, key);
        int end = OrdinaryEnd(head, key);
        for (; key < end; key += 2)
        {
            Vector512<float> difference = AttentionPanel.Scaled<TPrecision>(Vector512.Load(pair), scale) - maximum;
            if (!Exponential.IsInNormalRange(difference))
            {
                break;
            }

            Vector512<float> exponential = Exponential.ExpInNormalRange(difference);
            exponential.Store(pair);
            float* stripe = stripes + ((uint)key % Summation.StripeCount * Lanes);
            (Vector512.Load(stripe) + exponential).Store(stripe);
            pair += 2 * Lanes;
        }

        return key;
    }

    /// <summary>The end of the pairs from a key on of which all lanes see both keys.</summary>
    private int OrdinaryEnd(int head, int key)
    {
        int end = (operands.Shape.PastTokens + 1) / 2 * 2;
        ReadOnlySpan<byte> visible = operands.VisibleKeys(Sequence(head));
        if (!visible.IsEmpty && key < end)
        {
            int run = visible[key..end].IndexOf((byte)0);
            end = run < 0 ? end : key + (run / 2 * 2);
        }

        return end;
    }

    private Vector512<float> Maximum(int head)
    {
        Vector512<float> maximum = Vector512.Create(float.NegativeInfinity);
        for (int key = operands.FirstVisible(Sequence(head)) / 2 * 2; key < operands.Shape.KeyTokens; key += 2)
        {
            int end = OrdinaryEnd(head, key);
            for (; key < end; key += 2)
            {
                // A NaN is skipped here and spreads through the exponential.
                Vector512<float> products = Vector512.Load(Score(head, key));
                maximum = Vector512.ConditionalSelect(Vector512.GreaterThan(products, maximum), products, maximum);
            }

            if (key < operands.Shape.KeyTokens)
            {
                Vector512<float> products = Vector512.Load(Score(head, key));
                Vector512<float> above = Vector512.GreaterThan(products, maximum) & Sees(head, key);
                maximum = Vector512.ConditionalSelect(above, products, maximum);
            }
        }

        Vector256<float> even = maximum.GetLower(), odd = maximum.GetUpper();
        Vector256<float> larger = Vector256.ConditionalSelect(Vector256.GreaterThan(odd, even), odd, even);
        return Vector512.Create(larger, larger);
    }

    /// <summary>Which lanes see a key and the one after it.</summary>
    private Vector512<float> Sees(int head, int key)
    {
        ReadOnlySpan<byte> visible = operands.VisibleKeys(Sequence(head));
        Vector512<int> sees = default;
        for (int lane = 0; lane < 2 * Lanes; lane++)
        {
            int laneKey = key + (lane / Lanes), token = lane % Lanes / group;
            bool isSeen = laneKey < Math.Min(operands.Shape.PastTokens + token + 1, operands.Shape.KeyTokens)
                && (visible.IsEmpty || visible[laneKey] != 0);
            sees = sees.WithElement(lane, isSeen ? -1 : 0);
        }

        return sees.AsSingle();
    }

    private void Contexts<TPrecision>(int head, int block, bool isFromStart, float* scratch)
        where TPrecision : struct, IPrecision
    {
        int firstKey = operands.FirstVisible(Sequence(head)) + (block * Summation.BlockLength);
        int end = Math.Min(firstKey + Summation.BlockLength, operands.Shape.KeyTokens);
        if (firstKey >= end)
        {
            return;
        }

        Vector512<float> denominator = Vector512.Load(denominators + (head * 2 * Lanes));
        for (int key = firstKey; key < end; key += 2)
        {
            float* pair = Score(head, key);
            TPrecision.Round(Vector512.Load(pair) / denominator).Store(pair);
        }

        // All lanes see the keys up to the first new token, later tokens some more.
        int common = Math.Clamp(operands.Shape.PastTokens + 1, firstKey, end);
        float* sums = isFromStart
            ? scratch + ((long)Summation.BlockLength * paddedHeadDim)
            : blockSums + (((head * (long)keyBlocks) + block) * contextLength);
        new Span<float>(sums, contextLength).Clear();
        float* values = operands.HeadValues(head), blockValues = values + ((long)firstKey * HeadDim);
        if (HeadDim != paddedHeadDim)
        {
            AttentionPanel.PadColumns(blockValues, HeadDim, common - firstKey, scratch, paddedHeadDim);
            blockValues = scratch;
        }

        float* ahead = values + ((long)end * HeadDim);
        for (int d = 0; d < paddedHeadDim && common > firstKey; d += StridedTile.Columns)
        {
            StridedTile.Accumulate(
                Score(head, firstKey),
                1,
                Lanes,
                blockValues + d,
                paddedHeadDim,
                common - firstKey,
                sums + d,
                paddedHeadDim,
                ahead + (Summation.BlockLength * (long)d),
                StridedTile.Columns);
        }

        for (int key = common; key < end; key++)
        {
            for (int lane = (key - operands.Shape.PastTokens) * group; lane < lanes; lane++)
            {
                AttentionPanel.MultiplyAdd(
                    Score(head, key)[lane],
                    values + ((long)key * HeadDim),
                    sums + (lane * paddedHeadDim),
                    HeadDim);
            }
        }

        if (isFromStart)
        {
            AddBlock(head, block, sums);
        }
    }

    private void AddBlock(int head, int block, float* sums)
    {
        float* total = totals + ((long)head * contextLength);
        for (int index = 0; index < contextLength; index += 16)
        {
            Vector512<float> before = block == 0 ? Vector512<float>.Zero : Vector512.Load(total + index);
            (before + Vector512.Load(sums + index)).Store(total + index);
        }

        blocksDone[head] = block + 1;
    }

    private void Finish<TPrecision>(int head)
        where TPrecision : struct, IPrecision
    {
        int sequence = Sequence(head), firstHead = head % operands.Shape.KeyValueHeads * group;
        int firstKey = operands.FirstVisible(sequence);
        while (firstKey + (blocksDone[head] * Summation.BlockLength) < operands.Shape.KeyTokens)
        {
            int block = blocksDone[head];
            AddBlock(head, block, blockSums + (((head * (long)keyBlocks) + block) * contextLength));
        }

        for (int lane = 0; lane < lanes; lane++)
        {
            int queryHead = firstHead + (lane % group), token = lane / group;
            AttentionPanel.Round<TPrecision>(
                new(totals + ((long)head * contextLength) + (lane * paddedHeadDim), HeadDim),
                operands.ContextRow(sequence, queryHead, token));
            if (operands.Weights != 0)
            {
                StoreWeights<TPrecision>(head, lane, operands.WeightRow(sequence, queryHead, token));
            }
        }
    }

    private void StoreWeights<TPrecision>(int head, int lane, Span<float> row)
        where TPrecision : struct, IPrecision
    {
        int firstKey = operands.FirstVisible(Sequence(head)), limit = operands.Shape.PastTokens + (lane / group) + 1;
        row[..firstKey].Fill(TPrecision.Round(0f / denominators[(head * 2 * Lanes) + lane])); // NaN where that is
        for (int key = firstKey; key < limit; key++)
        {
            row[key] = Score(head, key)[lane];
        }

        row[limit..].Clear();
    }
}
