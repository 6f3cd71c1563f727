using System;
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
internal readonly unsafe partial struct AttentionCacheScan
{
    /// <summary>Queries that share a key/value head: more are served by <see cref="AttentionPanel"/>.</summary>
    public const int Lanes = KeyTile.Queries;

    // Values pass in pieces that all columns take from the nearest caches while the next piece is fetched; time over a
    // plain read of the values, Zen 4: whole blocks of 128 keys 1.13, 32 keys 1.06.
    private const int KeysTogether = 32;

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
        int heads = operands.Shape.Batch * operands.Shape.KeyValueHeads;
        for (int head = 0; head < heads; head++)
        {
            PackQueries(head);
            blocksDone[head] = 0;
        }

        Work work = new(this, workers);
        workers.Run(heads * keyTiles, work, static (in work, first, end, worker) => work.Products(first, end, worker));
        workers.Run(
            heads,
            work,
            static (in work, first, end, worker) => work.Exponentials<TPrecision>(first, end, worker));
        workers.Run(
            heads * keyBlocks,
            work,
            static (in work, first, end, worker) => work.Contexts<TPrecision>(first, end, worker));
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

        // Some tiles ahead, so that the memory has time and is always busy; time over a plain read of the keys, Zen 4:
        // 1 tile 1.6, 3 tiles 1.15, 8 tiles 1.20, 24 tiles 1.23.
        float* ahead = keys + (3L * KeyTile.Keys * HeadDim);
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
            AttentionSteps.PadColumns(blockValues, HeadDim, common - firstKey, scratch, paddedHeadDim);
            blockValues = scratch;
        }

        for (int first = firstKey; first < common; first += KeysTogether)
        {
            float* ahead = values + ((long)(first + KeysTogether) * HeadDim);
            for (int d = 0; d < paddedHeadDim; d += StridedTile.Columns)
            {
                StridedTile.Accumulate(
                    Score(head, first),
                    1,
                    Lanes,
                    blockValues + ((long)(first - firstKey) * paddedHeadDim) + d,
                    paddedHeadDim,
                    Math.Min(KeysTogether, common - first),
                    sums + d,
                    paddedHeadDim,
                    ahead + ((long)KeysTogether * d),
                    StridedTile.Columns);
            }
        }

        for (int key = common; key < end; key++)
        {
            for (int lane = (key - operands.Shape.PastTokens) * group; lane < lanes; lane++)
            {
                AttentionSteps.MultiplyAdd(
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
            AttentionSteps.Round<TPrecision>(
                new(totals + ((long)head * contextLength) + (lane * paddedHeadDim), HeadDim),
                operands.ContextRow(sequence, queryHead, token));
            if (operands.Weights != 0)
            {
                StoreWeights<TPrecision>(head, lane, operands.WeightRow(sequence, queryHead, token));
            }
        }
    }

    /// <summary>What the workers share.</summary>
    private readonly struct Work(AttentionCacheScan scan, WorkerPool workers)
    {
        private readonly AttentionCacheScan scan = scan;

        public void Products(int first, int end, int worker)
        {
            float* rest = workers.Scratch(worker).Reserve(KeyTile.Keys * scan.HeadDim);
            for (int tile = first; tile < end; tile++)
            {
                scan.Products(tile / scan.keyTiles, tile % scan.keyTiles * KeyTile.Keys, rest);
            }
        }

        public void Exponentials<TPrecision>(int first, int end, int worker)
            where TPrecision : struct, IPrecision
        {
            float* stripes = workers.Scratch(worker).Reserve(Summation.StripeCount * Lanes);
            for (int head = first; head < end; head++)
            {
                scan.Exponentials<TPrecision>(head, stripes);
            }
        }

        public void Contexts<TPrecision>(int first, int end, int worker)
            where TPrecision : struct, IPrecision
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
