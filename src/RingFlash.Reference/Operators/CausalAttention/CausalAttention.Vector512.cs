using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class CausalAttention
{
    /// <summary>
    /// Many new tokens: panels of 32 queries of one key/value head (<see cref="AttentionPanel"/>), so that a key or
    /// value that was loaded serves all query heads of its group and several tokens. A panel keeps the scores of its
    /// own queries only, so memory does not grow with tokens². Few new tokens, as in decoding: the cache is read once
    /// and cut by keys (<see cref="AttentionCacheScan"/>). No key beyond the last one that a query may see is touched.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads; an item is a panel.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="query">[batch, heads, tokens, headDim], float32, read.</param>
    /// <param name="keys">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="values">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="visible">[batch, past + tokens]; or empty.</param>
    /// <param name="context">[batch, tokens, heads · headDim], float32, written.</param>
    /// <param name="weights">[batch, heads, tokens, past + tokens], float32, written; or empty.</param>
    public static unsafe void Vectorised<TPrecision>(
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
        fixed (float* q = query, k = keys, v = values, c = context, w = weights)
        fixed (byte* mask = visible)
        {
            AttentionOperands operands = new(shape, (nint)q, (nint)k, (nint)v, (nint)mask, (nint)c, (nint)w);
            if (AttentionCacheScan.Suits(operands))
            {
                new AttentionCacheScan(operands, workers.SharedScratch).Run<TPrecision>(workers);
            }
            else
            {
                Panels<TPrecision>(workers, operands);
            }
        }
    }

    private static void Panels<TPrecision>(WorkerPool workers, AttentionOperands operands)
        where TPrecision : struct, IPrecision
    {
        PanelWork work = new(operands, workers);
        workers.Run(
            work.Count, work, static (in work, first, end, worker) => work.Attend<TPrecision>(first, end, worker));
    }

    /// <summary>All panels of a call, as the workers share them.</summary>
    private readonly struct PanelWork
    {
        private readonly AttentionOperands operands;
        private readonly WorkerPool workers;
        private readonly int group;
        private readonly int headsPerPanel;
        private readonly int headParts;
        private readonly int tokensPerPanel;
        private readonly int tokenBlocks;

        public PanelWork(in AttentionOperands operands, WorkerPool workers)
        {
            this.operands = operands;
            this.workers = workers;
            AttentionShape shape = operands.Shape;
            group = shape.Heads / shape.KeyValueHeads;
            headsPerPanel = Math.Min(group, AttentionPanel.Lanes);
            headParts = (group + headsPerPanel - 1) / headsPerPanel;
            tokensPerPanel = AttentionPanel.Lanes / headsPerPanel;
            tokenBlocks = (shape.QueryTokens + tokensPerPanel - 1) / tokensPerPanel;
        }

        public int Count => operands.Shape.Batch * operands.Shape.KeyValueHeads * headParts * tokenBlocks;

        public void Attend<TPrecision>(int first, int end, int worker)
            where TPrecision : struct, IPrecision
        {
            AttentionShape shape = operands.Shape;
            for (int item = first; item < end; item++)
            {
                int cacheHead = item / (headParts * tokenBlocks), part = item / tokenBlocks % headParts;
                int firstHead = (cacheHead % shape.KeyValueHeads * group) + (part * headsPerPanel);
                int heads = Math.Min(headsPerPanel, group - (part * headsPerPanel));
                int firstToken = Folded(item % tokenBlocks, tokenBlocks) * tokensPerPanel;
                int endToken = Math.Min(firstToken + tokensPerPanel, shape.QueryTokens);

                int firstKey = operands.FirstVisible(cacheHead / shape.KeyValueHeads);
                int firstSeeing = Math.Clamp(firstKey - shape.PastTokens, firstToken, endToken);
                if (firstSeeing > firstToken)
                {
                    Blind<TPrecision>(operands, cacheHead, firstHead, heads, firstToken, firstSeeing);
                }

                if (firstSeeing < endToken)
                {
                    AttentionPanel panel = new(
                        operands,
                        cacheHead,
                        firstHead,
                        heads,
                        firstSeeing,
                        endToken,
                        firstKey,
                        workers.Scratch(worker));
                    panel.Attend<TPrecision>();
                }
            }
        }
    }

    /// <summary>
    /// First, last, second, last but one, …: later tokens see more keys, and so every stretch of items is about as
    /// much work as any other of its length.
    /// </summary>
    private static int Folded(int item, int count) => item % 2 == 0 ? item / 2 : count - 1 - (item / 2);

    /// <summary>
    /// Padded queries that see nothing weigh all keys of the call equally: the sum of n ones is exact, and the result
    /// is the same for all of them.
    /// </summary>
    private static unsafe void Blind<TPrecision>(
        AttentionOperands operands, int cacheHead, int firstHead, int heads, int firstToken, int endToken)
        where TPrecision : struct, IPrecision
    {
        AttentionShape shape = operands.Shape;
        int sequence = cacheHead / shape.KeyValueHeads;
        float weight = TPrecision.Round(1f / shape.KeyTokens);
        float[] context = new float[shape.HeadDim], sums = new float[shape.HeadDim];
        fixed (float* chains = sums)
        {
            for (int block = 0; block < shape.KeyTokens; block += Summation.BlockLength)
            {
                Array.Clear(sums);
                for (int key = block; key < Math.Min(block + Summation.BlockLength, shape.KeyTokens); key++)
                {
                    float* values = operands.HeadValues(cacheHead) + ((long)key * shape.HeadDim);
                    AttentionSteps.MultiplyAdd(weight, values, chains, shape.HeadDim);
                }

                for (int d = 0; d < context.Length; d++)
                {
                    context[d] += sums[d];
                }
            }
        }

        for (int token = firstToken; token < endToken; token++)
        {
            for (int head = firstHead; head < firstHead + heads; head++)
            {
                AttentionSteps.Round<TPrecision>(context, operands.ContextRow(sequence, head, token));
                if (operands.Weights != 0)
                {
                    operands.WeightRow(sequence, head, token).Fill(weight);
                }
            }
        }
    }
}
