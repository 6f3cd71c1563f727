using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>Three steps over a matrix of scores, with the bits of <see cref="ScalarHead"/>: products and quotients, the
/// softmax of each row in place (<see cref="Softmax"/>), and the sums over the values. The weights of a row are rounded
/// before they meet a value, and the denominator is a sum over the whole row, so a row cannot be finished while it is
/// made; its scores are kept. They lie where the caller wants the weights, or in scratch, and then for as many tokens
/// at a time as fit.</para>
/// <para>Naive: a thread owns a score, a row, an element of the context. Fast (CausalAttention.Kernel.Fast.cs): a warp
/// reads a piece of the cache for eight query heads at once.</para>
/// </content>
public static partial class CausalAttention
{
    /// <summary>The float32 of scratch that attention on a device takes for a number of tokens at a time.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="tokens">New tokens per sequence at a time; 1 at least.</param>
    /// <returns>The elements, for <c>scratch</c> of <see cref="Launch"/>.</returns>
    public static long ScratchLength(AttentionShape shape, int tokens) =>
        Aligned(shape.Batch) + (tokens * ScratchOfAToken(shape));

    /// <summary>Attends on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="query">[batch, heads, tokens, headDim], float32, read.</param>
    /// <param name="keys">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="values">[batch, keyValueHeads, capacity, headDim], float32, read.</param>
    /// <param name="visible">[batch, past + tokens], 1 or 0 for padding; or empty for no padding.</param>
    /// <param name="context">[batch, tokens, heads · headDim], float32, written.</param>
    /// <param name="weights">[batch, heads, tokens, past + tokens], float32, written; or empty when not wanted.</param>
    /// <param name="scratch">At least <see cref="ScratchLength"/> of one token; the more, the fewer launches.</param>
    public static void Launch<TPrecision>(
        KernelHost host,
        AttentionShape shape,
        ArrayView<float> query,
        ArrayView<float> keys,
        ArrayView<float> values,
        ArrayView<byte> visible,
        ArrayView<float> context,
        ArrayView<float> weights,
        ArrayView<float> scratch)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        if (scratch.Length < ScratchLength(shape, 1))
        {
            throw new ArgumentException($"{scratch.Length} elements of scratch for {ScratchLength(shape, 1)}");
        }

        long first = Aligned(shape.Batch);
        int most = (int)Math.Min((scratch.Length - first) / ScratchOfAToken(shape), shape.QueryTokens);
        most = Math.Max(most, 1);
        KernelArguments arguments = new()
        {
            Query = query,
            Keys = keys,
            Values = values,
            Visible = visible,
            FirstVisible = scratch.SubView(0, shape.Batch).Cast<int>(),
            Context = context,
            Shape = shape,
            Group = shape.Heads / shape.KeyValueHeads,
            Scale = (float)Math.Sqrt(shape.HeadDim),
        };
        if (visible.Length > 0)
        {
            host.Launch(FirstVisibleKernel, host.GridFor(shape.Batch), arguments);
        }

        for (int token = 0; token < shape.QueryTokens; token += most)
        {
            bool wanted = weights.Length > 0;
            int count = Math.Min(most, shape.QueryTokens - token);
            long scores = (long)shape.Batch * shape.Heads * count * shape.KeyTokens;
            KernelArguments part = arguments with
            {
                Scores = wanted ? weights : scratch.SubView(first, scores),
                RowsOfAHead = wanted ? shape.QueryTokens : count,
                FirstRow = wanted ? 0 : token,
                FirstToken = token,
                Tokens = count,
                BlockSums = scratch.SubView(first + Aligned(scores)),
            };
            if (host.PrefersFast && shape.HeadDim % 4 == 0)
            {
                LaunchFast<TPrecision>(host, part);
            }
            else
            {
                LaunchNaive<TPrecision>(host, part);
            }
        }
    }

    /// <summary>Launches the naive kernels.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="arguments">The arguments.</param>
    private static void LaunchNaive<TPrecision>(KernelHost host, in KernelArguments arguments)
        where TPrecision : struct, IPrecision
    {
        AttentionShape shape = arguments.Shape;
        LaunchGrid rows = new(
            1,
            Math.Min(arguments.Tokens, host.MostGroups),
            Math.Min(shape.Batch * shape.KeyValueHeads, host.MostGroups));
        host.Launch(
            NaiveScoresKernel<TPrecision>, rows with { X = host.GridFor(shape.KeyTokens).X }, arguments);
        host.Launch(NaiveWeightsKernel<TPrecision>, rows with { X = host.GridFor(arguments.Group).X }, arguments);
        host.Launch(NaiveContextsKernel<TPrecision>, rows with { X = host.GridFor(shape.HeadDim).X }, arguments);
    }

    /// <summary>A thread per sequence: the first key that is no padding.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void FirstVisibleKernel(KernelArguments a)
    {
        int keys = a.Shape.KeyTokens;
        for (int sequence = DeviceThread.Index; sequence < a.Shape.Batch; sequence += DeviceThread.Count)
        {
            int key = 0;
            while (key < keys && a.Visible[((long)sequence * keys) + key] == 0)
            {
                key++;
            }

            a.FirstVisible[sequence] = key;
        }
    }

    /// <summary>A thread per key: its scores with the query heads of a group at a token.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void NaiveScoresKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                for (int key = DeviceThread.Index; key < row.ScoredKeys; key += DeviceThread.Count)
                {
                    for (int head = 0; head < a.Group; head++)
                    {
                        float product = Dot(a, a.QueryRow(cacheHead, head, token), a.CacheRow(cacheHead, key));
                        a.Scores[a.ScoreRow(cacheHead, head, token) + key] =
                            TPrecision.Round(TPrecision.Round(product) / a.Scale);
                    }
                }
            }
        }
    }

    /// <summary>A thread per row of scores.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(LocalMemory = true, VectorLoads = 0)]
    internal static void NaiveWeightsKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        ArrayView<float> stripes = LocalMemory.Allocate<float>(StripeSums.Count);
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                for (int head = DeviceThread.Index; head < a.Group; head += DeviceThread.Count)
                {
                    SoftmaxRow range = RangeOf(a, row, cacheHead, head, token);
                    Softmax.RowOfAThread<TPrecision>(a.Scores, a.Visible, a.Scores, range, stripes);
                    for (int key = row.Keys; key < a.Shape.KeyTokens; key++)
                    {
                        a.Scores[range.Weights + key] = 0f;
                    }
                }
            }
        }
    }

    /// <summary>A thread per channel of the query heads of a group at a token.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void NaiveContextsKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                for (int d = DeviceThread.Index; d < a.Shape.HeadDim; d += DeviceThread.Count)
                {
                    for (int head = 0; head < a.Group; head++)
                    {
                        long weights = a.ScoreRow(cacheHead, head, token);
                        float total = 0f;
                        for (int block = row.FirstKey; block < row.Keys; block += Summation.BlockLength)
                        {
                            int end = row.EndOfBlock(block);
                            float sum = 0f;
                            for (int key = block; key < end; key++)
                            {
                                float value = a.Values[a.CacheRow(cacheHead, key) + d];
                                sum = MathF.FusedMultiplyAdd(a.Scores[weights + key], value, sum);
                            }

                            total += sum;
                        }

                        a.Context[a.ContextRow(cacheHead, head, token) + d] = TPrecision.Round(total);
                    }
                }
            }
        }
    }

    private static float Dot(in KernelArguments a, long query, long key)
    {
        float total = 0f;
        for (int first = 0; first < a.Shape.HeadDim; first += Summation.BlockLength)
        {
            int end = first + Summation.BlockLength;
            end = end < a.Shape.HeadDim ? end : a.Shape.HeadDim;
            float block = 0f;
            for (int d = first; d < end; d++)
            {
                block = MathF.FusedMultiplyAdd(a.Query[query + d], a.Keys[key + d], block);
            }

            total += block;
        }

        return total;
    }

    private static long Aligned(long elements) => (elements + 3) / 4 * 4;

    /// <summary>Scores of all keys and sums of all blocks, for one token of every sequence.</summary>
    private static long ScratchOfAToken(AttentionShape shape)
    {
        long blocks = (shape.KeyTokens + Summation.BlockLength - 1) / Summation.BlockLength;
        return Aligned((long)shape.Batch * shape.Heads * (shape.KeyTokens + (blocks * shape.HeadDim))) + 4;
    }
}
