using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>The fast exact kernel for many tokens, where the time is that of multiplying: a group owns 16·W tokens × 64
/// outputs, a thread eight tokens × four outputs in registers. Sixteen k at a time are brought into shared memory, W
/// widened and scaled on the way; a k then costs a thread three 16-byte reads for 32 fused multiply-adds. After 128 k
/// the block sums go onto the totals. No sum is split, so the order is that of the page; zeros behind the end of a row
/// add nothing.</para>
/// <para>The same kernel multiplies routed experts: rows then come in lists sorted by expert, and the third axis of the
/// grid is the expert, whose weights are read once per tile of its tokens.</para>
/// </content>
public static partial class LinearProjection
{
    private const int TileOutputs = 64;
    private const int TileDepth = 16;
    private const int TileWarps = 4;
    private const int TokensOfAWarp = 16;
    private const int TokenPitch = (TokensOfAWarp * TileWarps) + 4;
    private const int OutputPitch = TileOutputs + 4;

    /// <summary>Launches the tile kernel.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <typeparam name="TFormat">The format of the weights.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="arguments">The arguments.</param>
    internal static void LaunchTiles<TPrecision, TFormat>(KernelHost host, in TileArguments arguments)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        int tokensOfAGroup = TokensOfAWarp * host.Warps;
        LaunchGrid grid = new(
            Math.Min((arguments.Weight.Outputs + TileOutputs - 1) / TileOutputs, host.MostGroups),
            Math.Min((arguments.Lists.MostRows + tokensOfAGroup - 1) / tokensOfAGroup, host.MostGroups),
            arguments.Lists.Experts);
        host.Launch(TileKernel<TPrecision, TFormat>, grid, arguments);
    }

    /// <summary>A thread per eight tokens × four outputs.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <typeparam name="TFormat">The format of the weights.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(MaximumThreads = KernelHost.Lanes * TileWarps)]
    internal static void TileKernel<TPrecision, TFormat>(TileArguments a)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        ArrayView<float> x = SharedMemory.Allocate<float>(TileDepth * TokenPitch);
        ArrayView<float> w = SharedMemory.Allocate<float>(TileDepth * OutputPitch);
        int slot = a.Lists.SlotOf(Grid.IdxZ), begin = a.Lists.BeginOf(Grid.IdxZ), end = a.Lists.EndOf(Grid.IdxZ);
        int tokensOfAGroup = TokensOfAWarp * Group.DimY;
        int myToken = (Group.IdxY * TokensOfAWarp) + ((Group.IdxX >> 4) << 3), myOutput = (Group.IdxX & 15) << 2;
        for (int row = begin + (Grid.IdxY * tokensOfAGroup); row < end && slot >= 0; row += Grid.DimY * tokensOfAGroup)
        {
            for (int n = Grid.IdxX * TileOutputs; n < a.Weight.Outputs; n += Grid.DimX * TileOutputs)
            {
                OutputTile total = default;
                for (int first = 0; first < a.Weight.Inputs; first += Summation.BlockLength)
                {
                    OutputTile block = default;
                    int blockEnd = first + Summation.BlockLength < a.Weight.Inputs
                        ? first + Summation.BlockLength
                        : a.Weight.Inputs;
                    for (int k = first; k < blockEnd; k += TileDepth)
                    {
                        Group.Barrier(); // the last tile has been read
                        StageTokens(a, x, row, end, k);
                        StageOutputs<TFormat>(a, w, slot, n, k);
                        Group.Barrier();
                        for (int depth = 0; depth < TileDepth; depth++)
                        {
                            int token = (depth * TokenPitch) + myToken, output = (depth * OutputPitch) + myOutput;
                            block = OutputTile.Multiply(
                                block,
                                new Float4(x[token], x[token + 1], x[token + 2], x[token + 3]),
                                new Float4(x[token + 4], x[token + 5], x[token + 6], x[token + 7]),
                                new Float4(w[output], w[output + 1], w[output + 2], w[output + 3]));
                        }
                    }

                    total = OutputTile.Add(total, block);
                }

                Put<TPrecision>(a, row + myToken, end, n + myOutput, total.T0);
                Put<TPrecision>(a, row + myToken + 1, end, n + myOutput, total.T1);
                Put<TPrecision>(a, row + myToken + 2, end, n + myOutput, total.T2);
                Put<TPrecision>(a, row + myToken + 3, end, n + myOutput, total.T3);
                Put<TPrecision>(a, row + myToken + 4, end, n + myOutput, total.T4);
                Put<TPrecision>(a, row + myToken + 5, end, n + myOutput, total.T5);
                Put<TPrecision>(a, row + myToken + 6, end, n + myOutput, total.T6);
                Put<TPrecision>(a, row + myToken + 7, end, n + myOutput, total.T7);
            }
        }
    }

    /// <summary>Sixteen k of the group's tokens, k by k; neighbouring threads read neighbouring k.</summary>
    private static void StageTokens(TileArguments a, ArrayView<float> x, int row, int end, int k)
    {
        int thread = (Group.IdxY * KernelHost.Lanes) + Group.IdxX, threads = Group.DimY * KernelHost.Lanes;
        int elements = TokensOfAWarp * Group.DimY * TileDepth;
        for (int i = thread; i < elements; i += threads)
        {
            int token = i >> 4, depth = i & (TileDepth - 1);
            float value = 0f;
            if (row + token < end && k + depth < a.Weight.Inputs)
            {
                value = a.X[((long)a.Lists.XRowOf(row + token) * a.Weight.Inputs) + k + depth];
            }

            x[(depth * TokenPitch) + token] = value;
        }
    }

    /// <summary>Sixteen k of the group's outputs, widened and scaled.</summary>
    private static void StageOutputs<TFormat>(TileArguments a, ArrayView<float> w, int slot, int n, int k)
        where TFormat : struct, IWeightFormat
    {
        int thread = (Group.IdxY * KernelHost.Lanes) + Group.IdxX, threads = Group.DimY * KernelHost.Lanes;
        for (int i = thread; i < TileOutputs * TileDepth; i += threads)
        {
            int output = i >> 4, depth = i & (TileDepth - 1);
            float value = 0f;
            if (n + output < a.Weight.Outputs && k + depth < a.Weight.Inputs)
            {
                long words = (((long)slot * a.Weight.Outputs) + n + output) * a.Weight.Pitch;
                value = TFormat.Decode(a.Weight.Words[words + ((k + depth) >> TFormat.Shift)], k + depth);
                if (TFormat.HasScales)
                {
                    value *= a.Weight.ScaleInSlot<TFormat>(slot, n + output, (k + depth) >> 7);
                }
            }

            w[(depth * OutputPitch) + output] = value;
        }
    }

    private static void Put<TPrecision>(TileArguments a, int row, int end, int n, Float4 total)
        where TPrecision : struct, IPrecision
    {
        if (row < end)
        {
            long start = (long)a.Lists.YRowOf(row) * a.Weight.Outputs;
            Put<TPrecision>(a, start, n, total.X);
            Put<TPrecision>(a, start, n + 1, total.Y);
            Put<TPrecision>(a, start, n + 2, total.Z);
            Put<TPrecision>(a, start, n + 3, total.W);
        }
    }

    private static void Put<TPrecision>(TileArguments a, long start, int n, float total)
        where TPrecision : struct, IPrecision
    {
        if (n < a.Weight.Outputs)
        {
            float addend = a.Bias.Length == 0 ? 0f : a.Bias[n];
            a.Y[start + n] = TPrecision.Round(total + addend);
        }
    }

    /// <summary>What the tile kernel works on.</summary>
    /// <param name="Lists">Which rows meet which slot.</param>
    /// <param name="X">[rows, inputs].</param>
    /// <param name="Weight">[slots, outputs, inputs].</param>
    /// <param name="Bias">[outputs], or empty.</param>
    /// <param name="Y">[rows, outputs], written.</param>
    internal readonly record struct TileArguments(
        RowLists Lists, ArrayView<float> X, DeviceMatrix Weight, ArrayView<float> Bias, ArrayView<float> Y);
}
