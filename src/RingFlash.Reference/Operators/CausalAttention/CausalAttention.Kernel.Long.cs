using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// The softmax of a few rows that are long, as in decoding behind a long context. A group per row would leave most of a
/// card idle, so everything but the sum is cut into segments of 256 keys, a warp each: the maxima of the segments; the
/// exponentials, each warp taking the maximum of these maxima first; the quotients. In between one warp per row adds
/// the 32 stripes, whose order leaves no other way: a chain of ⌈keys/32⌉ additions with sixteen lines under way. The
/// maxima and denominators lie where the sums of the blocks will.
/// </content>
public static partial class CausalAttention
{
    private const int Segment = 256;

    /// <summary>From as many keys on a row that a card has few of is cut.</summary>
    private const int LongRow = 2048;

    private static bool SuitsSegments(in KernelArguments arguments)
    {
        long rows = (long)arguments.CacheHeads * arguments.Group * arguments.Tokens;
        return arguments.Shape.KeyTokens >= LongRow && rows < EnoughWarps;
    }

    private static void LaunchSegments<TPrecision>(KernelHost host, in KernelArguments arguments, LaunchGrid rows)
        where TPrecision : struct, IPrecision
    {
        LaunchGrid segments = rows with { X = Groups(host, arguments.Segments) };
        host.Launch(SegmentMaximaKernel, segments, arguments);
        host.Launch(SegmentExponentialsKernel, segments, arguments);
        host.Launch(DenominatorsKernel, rows with { X = Groups(host, arguments.Group) }, arguments);
        host.Launch(QuotientsKernel<TPrecision>, segments, arguments);
    }

    /// <summary>A warp per segment of the rows of a group at a token: its maxima.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void SegmentMaximaKernel(KernelArguments a)
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                for (int segment = DeviceThread.Warp; segment < a.Segments; segment += DeviceThread.WarpCount)
                {
                    int first = segment * Segment, end = first + Segment < row.Keys ? first + Segment : row.Keys;
                    for (int head = 0; head < a.Group; head++)
                    {
                        SoftmaxRow range = RangeOf(a, row, cacheHead, head, token);
                        float maximum = float.NegativeInfinity;
                        for (int key = first + Group.IdxX; key < end; key += KernelHost.Lanes)
                        {
                            maximum = range.Sees(a.Visible, key)
                                ? StripeSums.Larger(a.Scores[range.Scores + key], maximum)
                                : maximum;
                        }

                        maximum = StripeSums.MaximumAcrossLanes(maximum);
                        if (Group.IdxX == 0)
                        {
                            a.BlockSums[a.MaximaOf(cacheHead, head, token) + segment] = maximum;
                        }
                    }
                }
            }
        }
    }

    /// <summary>A warp per segment of the rows of a group at a token: its exponentials, in place.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void SegmentExponentialsKernel(KernelArguments a)
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                for (int segment = DeviceThread.Warp; segment < a.Segments; segment += DeviceThread.WarpCount)
                {
                    int first = segment * Segment, end = first + Segment < row.Keys ? first + Segment : row.Keys;
                    for (int head = 0; head < a.Group; head++)
                    {
                        long maxima = a.MaximaOf(cacheHead, head, token);
                        float maximum = float.NegativeInfinity;
                        for (int other = Group.IdxX; other < a.Segments; other += KernelHost.Lanes)
                        {
                            maximum = StripeSums.Larger(a.BlockSums[maxima + other], maximum);
                        }

                        maximum = StripeSums.MaximumAcrossLanes(maximum);
                        SoftmaxRow range = RangeOf(a, row, cacheHead, head, token);
                        for (int key = first + Group.IdxX; key < end; key += KernelHost.Lanes)
                        {
                            a.Scores[range.Scores + key] = range.Exponential(a.Scores, a.Visible, key, maximum);
                        }
                    }
                }
            }
        }
    }

    /// <summary>A warp per row: its denominator.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void DenominatorsKernel(KernelArguments a)
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                AttentionRow row = a.RowOf(cacheHead, token);
                for (int head = DeviceThread.Warp; head < a.Group; head += DeviceThread.WarpCount)
                {
                    float sum = StripeSums.OfAWarp(a.Scores, a.ScoreRow(cacheHead, head, token), row.Keys);
                    if (Group.IdxX == 0)
                    {
                        a.BlockSums[a.MaximaOf(cacheHead, head, token) + a.Segments] = sum;
                    }
                }
            }
        }
    }

    /// <summary>A warp per segment of the rows of a group at a token: its weights, in place.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void QuotientsKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        for (int cacheHead = Grid.IdxZ; cacheHead < a.CacheHeads; cacheHead += Grid.DimZ)
        {
            for (int token = Grid.IdxY; token < a.Tokens; token += Grid.DimY)
            {
                int keys = a.RowOf(cacheHead, token).Keys;
                for (int key = DeviceThread.Index; key < a.Shape.KeyTokens; key += DeviceThread.Count)
                {
                    for (int head = 0; head < a.Group; head++)
                    {
                        float denominator = a.BlockSums[a.MaximaOf(cacheHead, head, token) + a.Segments];
                        long at = a.ScoreRow(cacheHead, head, token) + key;
                        a.Scores[at] = key < keys ? TPrecision.Round(a.Scores[at] / denominator) : 0f;
                    }
                }
            }
        }
    }

    /// <summary>A row of scores as a row of a softmax in place.</summary>
    private static SoftmaxRow RangeOf(
        in KernelArguments a, AttentionRow row, int cacheHead, int head, int token)
    {
        long scores = a.ScoreRow(cacheHead, head, token);
        return new SoftmaxRow(scores, row.Visible, scores, row.Keys, row.SeesSomething);
    }
}
