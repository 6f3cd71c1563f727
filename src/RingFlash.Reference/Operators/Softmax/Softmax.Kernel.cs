using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>Two kernels, with the bits of <see cref="Scalar"/>. In the naive one a thread owns a row and sums it stripe by
/// stripe.</para>
/// <para>In the fast one a group owns a row. All its threads look for the maximum, then all make exponentials and write
/// them to the result; then one warp adds them, lane s the stripe s, with sixteen lines of 128 bytes under way at once;
/// then all divide. Only the third part is as long as its chain of additions, and it does nothing else. Three barriers
/// per row: the maxima of the warps, the exponentials, the denominator.</para>
/// <para>Both are also rows of <see cref="CausalAttention"/>, which knows which keys a row has.</para>
/// </content>
public static partial class Softmax
{
    /// <summary>Shared memory of <see cref="RowOfAGroup"/>: a maximum per warp and the denominator.</summary>
    internal const int SharedLength = MostWarps + 1;

    private const int MostWarps = 8;

    /// <summary>Softmax of rows on a device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="scores">[rows, keys], float32, read.</param>
    /// <param name="keys">The width of a row.</param>
    /// <param name="visible">[rows, keys], 1 where the query may look; or empty.</param>
    /// <param name="weights">[rows, keys], float32, written; may be scores.</param>
    public static void Launch<TPrecision>(
        KernelHost host, ArrayView<float> scores, int keys, ArrayView<byte> visible, ArrayView<float> weights)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        int rows = (int)(scores.Length / keys);
        KernelArguments arguments = new(scores, visible, weights, rows, keys);
        if (host.PrefersFast)
        {
            host.Launch(FastKernel<TPrecision>, new LaunchGrid(Math.Min(rows, host.MostGroups)), arguments);
        }
        else
        {
            host.Launch(NaiveKernel<TPrecision>, host.GridFor(rows), arguments);
        }
    }

    /// <summary>A thread per row.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(LocalMemory = true, VectorLoads = 0)]
    internal static void NaiveKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        ArrayView<float> stripes = LocalMemory.Allocate<float>(StripeSums.Count);
        for (int row = DeviceThread.Index; row < a.Rows; row += DeviceThread.Count)
        {
            long start = (long)row * a.Keys;
            SoftmaxRow range = new(start, start, start, a.Keys, SeesSomething(a, start));
            RowOfAThread<TPrecision>(a.Scores, a.Visible, a.Weights, range, stripes);
        }
    }

    /// <summary>A group per row.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void FastKernel<TPrecision>(KernelArguments a)
        where TPrecision : struct, IPrecision
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(SharedLength);
        for (int row = Grid.IdxX; row < a.Rows; row += Grid.DimX)
        {
            long start = (long)row * a.Keys;
            SoftmaxRow range = new(start, start, start, a.Keys, SeesSomething(a, start));
            RowOfAGroup<TPrecision>(a.Scores, a.Visible, a.Weights, range, shared);
        }
    }

    /// <summary>One row by one thread.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="scores">Where the scores lie.</param>
    /// <param name="visible">Where the visibility lies; or empty.</param>
    /// <param name="weights">Where the weights go.</param>
    /// <param name="row">Which part of each.</param>
    /// <param name="stripes">[32] of local memory.</param>
    internal static void RowOfAThread<TPrecision>(
        ArrayView<float> scores,
        ArrayView<byte> visible,
        ArrayView<float> weights,
        SoftmaxRow row,
        ArrayView<float> stripes)
        where TPrecision : struct, IPrecision
    {
        float maximum = float.NegativeInfinity;
        for (int j = 0; j < row.Keys; j++)
        {
            maximum = row.Sees(visible, j) ? StripeSums.Larger(scores[row.Scores + j], maximum) : maximum;
        }

        for (int s = 0; s < StripeSums.Count; s++)
        {
            float sum = 0f;
            for (int j = s; j < row.Keys; j += StripeSums.Count)
            {
                float exponential = row.Exponential(scores, visible, j, maximum);
                weights[row.Weights + j] = exponential;
                sum += exponential;
            }

            stripes[s] = sum;
        }

        float denominator = StripeSums.Halve(stripes);
        for (int j = 0; j < row.Keys; j++)
        {
            weights[row.Weights + j] = TPrecision.Round(weights[row.Weights + j] / denominator);
        }
    }

    /// <summary>One row by all threads of a group, which all must call it.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="scores">Where the scores lie.</param>
    /// <param name="visible">Where the visibility lies; or empty.</param>
    /// <param name="weights">Where the weights go.</param>
    /// <param name="row">Which part of each, the same in all threads.</param>
    /// <param name="shared">[SharedLength] of shared memory.</param>
    internal static void RowOfAGroup<TPrecision>(
        ArrayView<float> scores,
        ArrayView<byte> visible,
        ArrayView<float> weights,
        SoftmaxRow row,
        ArrayView<float> shared)
        where TPrecision : struct, IPrecision
    {
        int thread = DeviceThread.IndexInGroup, threads = DeviceThread.CountInGroup;
        float maximum = float.NegativeInfinity;
        for (int j = thread; j < row.Keys; j += threads)
        {
            maximum = row.Sees(visible, j) ? StripeSums.Larger(scores[row.Scores + j], maximum) : maximum;
        }

        maximum = StripeSums.MaximumAcrossLanes(maximum);
        if (Group.IdxX == 0)
        {
            shared[Group.IdxY] = maximum;
        }

        Group.Barrier();
        for (int warp = 0; warp < Group.DimY; warp++)
        {
            maximum = StripeSums.Larger(shared[warp], maximum);
        }

        for (int j = thread; j < row.Keys; j += threads)
        {
            weights[row.Weights + j] = row.Exponential(scores, visible, j, maximum);
        }

        Group.Barrier();
        if (Group.IdxY == 0)
        {
            float denominatorOfRow = StripeSums.OfAWarp(weights, row.Weights, row.Keys);
            if (Group.IdxX == 0)
            {
                shared[MostWarps] = denominatorOfRow;
            }
        }

        Group.Barrier();
        float denominator = shared[MostWarps];
        for (int j = thread; j < row.Keys; j += threads)
        {
            weights[row.Weights + j] = TPrecision.Round(weights[row.Weights + j] / denominator);
        }
    }

    private static bool SeesSomething(KernelArguments a, long start)
    {
        bool sees = a.Visible.Length == 0;
        for (int j = 0; j < a.Keys && !sees; j++)
        {
            sees = a.Visible[start + j] != 0;
        }

        return sees;
    }

    /// <summary>What the kernels work on.</summary>
    /// <param name="Scores">[rows, keys].</param>
    /// <param name="Visible">[rows, keys], or empty.</param>
    /// <param name="Weights">[rows, keys], written; may be Scores.</param>
    /// <param name="Rows">The rows.</param>
    /// <param name="Keys">The width of a row.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> Scores, ArrayView<byte> Visible, ArrayView<float> Weights, int Rows, int Keys);
}
