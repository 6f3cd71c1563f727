using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>The fast kernels: a key or value that was loaded serves eight query heads of its group, so for the published
/// model, 32 heads over 4, the cache is read once.</para>
/// <para>Scores: a warp owns 64 keys, a lane two of them with eight heads, sixteen chains in sixteen registers. Four
/// channels at a time it loads 16 bytes of each key and, the same for the whole warp, of each query. Nothing crosses
/// lanes. Weights: a group owns a row (<see cref="Softmax"/>); few and long rows are cut
/// (CausalAttention.Kernel.Long.cs). Contexts: a lane owns four neighbouring channels of
/// eight heads, so a warp reads whole rows of values, 16 bytes a lane; a weight is one load for the warp.</para>
/// <para>With many tokens there are warps enough: each walks over all its blocks of 128 keys and adds their sums as it
/// goes. With few, as in decoding, a warp owns one block, and a last kernel adds the sums in ascending order, eight of
/// them under way at a time. Both add the same numbers in the same order.</para>
/// </content>
public static partial class CausalAttention
{
    private const int HeadsAtOnce = 8;
    private const int KeysOfAWarp = 2 * KernelHost.Lanes;
    private const int ChannelsOfAWarp = 4 * KernelHost.Lanes;

    /// <summary>As many warps fill a card; with fewer rows, blocks are shared out.</summary>
    private const int EnoughWarps = 2048;

    /// <summary>Launches the fast kernels.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="arguments">The arguments; headDim is a multiple of 4.</param>
    private static void LaunchFast<TPrecision>(KernelHost host, in KernelArguments arguments)
        where TPrecision : struct, IPrecision
    {
        AttentionShape shape = arguments.Shape;
        int cacheHeads = shape.Batch * shape.KeyValueHeads;
        LaunchGrid rows =
            new(1, Math.Min(arguments.Tokens, host.MostGroups), Math.Min(cacheHeads, host.MostGroups));
        host.Launch(
            FastScoresKernel<TPrecision>,
            rows with { X = Groups(host, (shape.KeyTokens + KeysOfAWarp - 1) / KeysOfAWarp) },
            arguments);
        if (SuitsSegments(arguments))
        {
            LaunchSegments<TPrecision>(host, arguments, rows);
        }
        else
        {
            host.Launch(
                FastWeightsKernel<TPrecision>,
                rows with { X = Math.Min(arguments.Group, host.MostGroups) },
                arguments);
        }

        bool apart = arguments.Blocks > 1 && (long)cacheHeads * arguments.Tokens < EnoughWarps;
        if (!apart)
        {
            host.Launch(FastContextsKernel<TPrecision>, rows, arguments);
            return;
        }

        host.Launch(FastBlocksKernel, rows with { X = Groups(host, arguments.Blocks) }, arguments);
        host.Launch(
            FastTotalsKernel<TPrecision>, rows with { X = Math.Min(arguments.Group, host.MostGroups) }, arguments);
    }

    /// <summary>A warp per 64 keys of the queries of a group at a token.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments; headDim is a multiple of 4.</param>
    [Kernel(VectorLoads = 10)]
    internal static void FastScoresKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                int end = a.RowOf(cacheHead, token).ScoredKeys, step = DeviceThread.WarpCount * KeysOfAWarp;
                for (int tile = DeviceThread.Warp * KeysOfAWarp; tile < end; tile += step)
                {
                    for (int head = 0; head < a.Group; head += HeadsAtOnce)
                    {
                        ScoreTile<TPrecision>(a, cacheHead, head, token, tile + Group.IdxX, end);
                    }
                }
            }
        }
    }

    /// <summary>A group per row of scores.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void FastWeightsKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(Softmax.SharedLength);
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                for (int head = Grid.IdxX; head < a.Group; head += Grid.DimX)
                {
                    SoftmaxRow range = RangeOf(a, row, cacheHead, head, token);
                    Softmax.RowOfAGroup<TPrecision>(a.Scores, a.Visible, a.Scores, range, shared);
                    int key = row.Keys + DeviceThread.IndexInGroup;
                    for (; key < a.Shape.KeyTokens; key += DeviceThread.CountInGroup)
                    {
                        a.Scores[range.Weights + key] = 0f;
                    }
                }
            }
        }
    }

    /// <summary>A warp per 128 channels of eight heads at a token, all blocks.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments; headDim is a multiple of 4.</param>
    [Kernel(VectorLoads = 3)]
    internal static void FastContextsKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                int headStep = DeviceThread.WarpCount * HeadsAtOnce;
                for (int head = DeviceThread.Warp * HeadsAtOnce; head < a.Group; head += headStep)
                {
                    for (int d = 4 * Group.IdxX; d < a.Shape.HeadDim; d += ChannelsOfAWarp)
                    {
                        EightSums total = default;
                        for (int block = row.FirstKey; block < row.Keys; block += Summation.BlockLength)
                        {
                            total = total.Plus(SumOfBlock(a, cacheHead, head, token, block, row.EndOfBlock(block), d));
                        }

                        for (int index = 0; index < HeadsAtOnce && head + index < a.Group; index++)
                        {
                            long to = a.ContextRow(cacheHead, head + index, token) + d;
                            DeviceIntrinsics.Store(ref a.Context[to], Rounded<TPrecision>(total.Of(index)));
                        }
                    }
                }
            }
        }
    }

    /// <summary>A warp per block of 128 keys: its sums for the heads of a group at a token.</summary>
    /// <param name="a">The arguments; headDim is a multiple of 4.</param>
    [Kernel(VectorLoads = 3)]
    internal static void FastBlocksKernel(KernelArguments a)
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                for (int block = DeviceThread.Warp; block < a.Blocks; block += DeviceThread.WarpCount)
                {
                    int first = row.FirstKey + (block * Summation.BlockLength), end = row.EndOfBlock(first);
                    for (int head = 0; head < a.Group; head += HeadsAtOnce)
                    {
                        for (int d = 4 * Group.IdxX; d < a.Shape.HeadDim; d += ChannelsOfAWarp)
                        {
                            EightSums sums = SumOfBlock(a, cacheHead, head, token, first, end, d);
                            for (int index = 0; index < HeadsAtOnce && head + index < a.Group; index++)
                            {
                                long to = a.BlockRow(cacheHead, head + index, token, block) + d;
                                DeviceIntrinsics.Store(ref a.BlockSums[to], sums.Of(index));
                            }
                        }
                    }
                }
            }
        }
    }

    /// <summary>A thread per channel: the sums of the blocks in ascending order.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void FastTotalsKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                int blocks = (row.Keys - row.FirstKey + Summation.BlockLength - 1) >> 7;
                for (int head = Grid.IdxX; head < a.Group; head += Grid.DimX)
                {
                    int d = DeviceThread.IndexInGroup;
                    for (; d < a.Shape.HeadDim; d += DeviceThread.CountInGroup)
                    {
                        float total = 0f;
                        int block = 0;
                        for (; block + HeadsAtOnce <= blocks; block += HeadsAtOnce)
                        {
                            long at = a.BlockRow(cacheHead, head, token, block) + d;
                            Float4 four = FourBlocks(a, at), more = FourBlocks(a, at + (4L * a.Shape.HeadDim));
                            total = total + four.X + four.Y + four.Z + four.W + more.X + more.Y + more.Z + more.W;
                        }

                        for (; block < blocks; block++)
                        {
                            total += a.BlockSums[a.BlockRow(cacheHead, head, token, block) + d];
                        }

                        a.Context[a.ContextRow(cacheHead, head, token) + d] = TPrecision.Round(total);
                    }
                }
            }
        }
    }

    /// <summary>Two keys of a lane, 32 apart, with eight heads.</summary>
    private static void ScoreTile<TPrecision>(
        in KernelArguments a, int cacheHead, int head, int token, int key, int end)
        where TPrecision : struct, IPrecision
    {
        // Lanes beyond the last key repeat it; heads beyond the group's last one likewise.
        long first = a.CacheRow(cacheHead, key < end ? key : end - 1);
        long second = a.CacheRow(cacheHead, key + KernelHost.Lanes < end ? key + KernelHost.Lanes : end - 1);
        EightPairs total = default;
        for (int start = 0; start < a.Shape.HeadDim; start += Summation.BlockLength)
        {
            int stop = start + Summation.BlockLength;
            stop = stop < a.Shape.HeadDim ? stop : a.Shape.HeadDim;
            EightPairs block = default;
            for (int d = start; d < stop; d += 4)
            {
                Float4 left = DeviceIntrinsics.Load(ref a.Keys[first + d]);
                Float4 right = DeviceIntrinsics.Load(ref a.Keys[second + d]);
                block = new EightPairs(
                    block.P0.Step(QueryOf(a, cacheHead, head, token, d), left, right),
                    block.P1.Step(QueryOf(a, cacheHead, head + 1, token, d), left, right),
                    block.P2.Step(QueryOf(a, cacheHead, head + 2, token, d), left, right),
                    block.P3.Step(QueryOf(a, cacheHead, head + 3, token, d), left, right),
                    block.P4.Step(QueryOf(a, cacheHead, head + 4, token, d), left, right),
                    block.P5.Step(QueryOf(a, cacheHead, head + 5, token, d), left, right),
                    block.P6.Step(QueryOf(a, cacheHead, head + 6, token, d), left, right),
                    block.P7.Step(QueryOf(a, cacheHead, head + 7, token, d), left, right));
            }

            total = total.Plus(block);
        }

        for (int index = 0; index < HeadsAtOnce && head + index < a.Group; index++)
        {
            long row = a.ScoreRow(cacheHead, head + index, token);
            ScorePair pair = total.Of(index);
            if (key < end)
            {
                a.Scores[row + key] = TPrecision.Round(TPrecision.Round(pair.Left) / a.Scale);
            }

            if (key + KernelHost.Lanes < end)
            {
                a.Scores[row + key + KernelHost.Lanes] = TPrecision.Round(TPrecision.Round(pair.Right) / a.Scale);
            }
        }
    }

    private static Float4 QueryOf(in KernelArguments a, int cacheHead, int head, int token, int d) =>
        DeviceIntrinsics.Load(ref a.Query[a.QueryRow(cacheHead, a.InGroup(head), token) + d]);

    private static EightSums SumOfBlock(
        in KernelArguments a, int cacheHead, int head, int token, int block, int end, int d)
    {
        EightRows rows = new(
            a.ScoreRow(cacheHead, head, token),
            a.ScoreRow(cacheHead, a.InGroup(head + 1), token),
            a.ScoreRow(cacheHead, a.InGroup(head + 2), token),
            a.ScoreRow(cacheHead, a.InGroup(head + 3), token),
            a.ScoreRow(cacheHead, a.InGroup(head + 4), token),
            a.ScoreRow(cacheHead, a.InGroup(head + 5), token),
            a.ScoreRow(cacheHead, a.InGroup(head + 6), token),
            a.ScoreRow(cacheHead, a.InGroup(head + 7), token));
        EightSums sums = default;
        int key = block;
        for (; key + 1 < end; key += 2)
        {
            // Two rows of values under way at a time, or the memory would wait for the arithmetic.
            Float4 first = DeviceIntrinsics.Load(ref a.Values[a.CacheRow(cacheHead, key) + d]);
            Float4 second = DeviceIntrinsics.Load(ref a.Values[a.CacheRow(cacheHead, key + 1) + d]);
            sums = Step(Step(sums, a.Scores, rows, key, first), a.Scores, rows, key + 1, second);
        }

        return key < end
            ? Step(sums, a.Scores, rows, key, DeviceIntrinsics.Load(ref a.Values[a.CacheRow(cacheHead, key) + d]))
            : sums;
    }

    private static EightSums Step(EightSums sums, ArrayView<float> weights, EightRows rows, int key, Float4 value) =>
        new(
            MultiplyAdd(weights[rows.R0 + key], value, sums.S0),
            MultiplyAdd(weights[rows.R1 + key], value, sums.S1),
            MultiplyAdd(weights[rows.R2 + key], value, sums.S2),
            MultiplyAdd(weights[rows.R3 + key], value, sums.S3),
            MultiplyAdd(weights[rows.R4 + key], value, sums.S4),
            MultiplyAdd(weights[rows.R5 + key], value, sums.S5),
            MultiplyAdd(weights[rows.R6 + key], value, sums.S6),
            MultiplyAdd(weights[rows.R7 + key], value, sums.S7));

    private static Float4 FourBlocks(in KernelArguments a, long at)
    {
        long step = a.Shape.HeadDim;
        return new(
            a.BlockSums[at], a.BlockSums[at + step], a.BlockSums[at + (2 * step)], a.BlockSums[at + (3 * step)]);
    }

    private static Float4 MultiplyAdd(float weight, Float4 value, Float4 sum) => new(
        MathF.FusedMultiplyAdd(weight, value.X, sum.X),
        MathF.FusedMultiplyAdd(weight, value.Y, sum.Y),
        MathF.FusedMultiplyAdd(weight, value.Z, sum.Z),
        MathF.FusedMultiplyAdd(weight, value.W, sum.W));

    private static Float4 Rounded<TPrecision>(Float4 x)
        where TPrecision : struct, IPrecision =>
        new(TPrecision.Round(x.X), TPrecision.Round(x.Y), TPrecision.Round(x.Z), TPrecision.Round(x.W));

    private static int Groups(KernelHost host, int warps) =>
        Math.Min(host.MostGroups, (warps + host.Warps - 1) / host.Warps);
}
