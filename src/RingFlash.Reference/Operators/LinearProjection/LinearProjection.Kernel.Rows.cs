using System;
using System.Numerics;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>The fast kernel for one token at a time, where the time is that of reading W. The order for products is made
/// for it: a lane owns a block of 128 inputs, a warp a row of 4096. But lanes that each read their own block touch 32
/// cache lines in every load. So a warp first brings 128 bytes of each of its 32 blocks into shared memory, eight
/// lanes side by side to a line, and each lane then reads its own block from there. Rows of a block are 144 bytes
/// apart, which no two of eight lanes share a bank of; x lies beside them, padded the same way, and serves two rows of
/// W at a time. Block sums go through shared memory once more, and one lane adds those of a row in ascending
/// order.</para>
/// <para>Rows with fewer than 32 blocks share a warp: with P blocks, rounded up to a power of two, a warp has 2·32/P
/// rows. The same kernel applies routed experts: the row of x and the slot of W then depend on the assignment.</para>
/// </content>
public static partial class LinearProjection
{
    private const int RowWarps = 4;
    private const int LinePieces = 8; // of 16 bytes in the 128 of a block
    private const int LinePitch = LinePieces + 1;
    private const int StagePieces = KernelHost.Lanes * LinePitch; // of one set of rows of a warp
    private const int BlockFours = Summation.BlockLength / 4;
    private const int BlockFourPitch = BlockFours + 1;

    /// <summary>Whether the row kernel can take a matrix: whole blocks, and an x that fits shared memory.</summary>
    /// <param name="host">The device.</param>
    /// <param name="weight">W.</param>
    /// <returns>Whether it can.</returns>
    internal static bool FitsRows(KernelHost host, in DeviceMatrix weight) =>
        weight.Inputs % Summation.BlockLength == 0 && weight.Inputs <= 32768 && host.Warps <= RowWarps;

    /// <summary>Launches the row kernel.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <typeparam name="TFormat">The format of the weights.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="arguments">The arguments.</param>
    internal static void LaunchRows<TPrecision, TFormat>(KernelHost host, in RowArguments arguments)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        int shift = arguments.BlockShift, rowsOfAGroup = 2 * (KernelHost.Lanes >> shift) * host.Warps;
        int blocks = arguments.Weight.Inputs / Summation.BlockLength;
        int groups = (arguments.Weight.Outputs + rowsOfAGroup - 1) / rowsOfAGroup;
        LaunchGrid grid = new(
            Math.Min(groups, host.MostGroups),
            Math.Min(arguments.Places.Tokens, host.MostGroups),
            arguments.Places.TopK,
            blocks * BlockFourPitch * 4 * sizeof(float));
        host.Launch(RowKernel<TPrecision, TFormat>, grid, arguments);
    }

    /// <summary>A lane per block of two rows.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <typeparam name="TFormat">The format of the weights.</typeparam>
    /// <param name="a">The arguments; inputs are a multiple of 128.</param>
    [Kernel(MaximumThreads = KernelHost.Lanes * RowWarps, VectorLoads = 17)]
    internal static void RowKernel<TPrecision, TFormat>(RowArguments a)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        ArrayView<Float4> x = SharedMemory.GetDynamic<Float4>();
        ArrayView<UInt4> staged = SharedMemory.Allocate<UInt4>(2 * StagePieces * RowWarps);
        ArrayView<float> sums = SharedMemory.Allocate<float>(2 * KernelHost.Lanes * RowWarps);
        int lane = Group.IdxX, warp = Group.IdxY;
        int blocks = a.Weight.Inputs >> 7, rowsOfASet = KernelHost.Lanes >> a.BlockShift;
        for (int token = Grid.IdxY; token < a.Places.Tokens; token += Grid.DimY)
        {
            int assignment = (token * a.Places.TopK) + Grid.IdxZ;
            int slot = a.Places.SlotOf(assignment);
            long xStart = (long)(a.Places.XRowsPerToken == 1 ? token : assignment) * a.Weight.Inputs;
            Group.Barrier(); // the last token's x has been read
            int threads = Group.DimY * KernelHost.Lanes;
            for (int four = (warp * KernelHost.Lanes) + lane; four < blocks * BlockFours; four += threads)
            {
                x[((four >> 5) * BlockFourPitch) + (four & 31)] = DeviceIntrinsics.Load(ref a.X[xStart + (four << 2)]);
            }

            Group.Barrier();
            int rowsOfAWarp = 2 * rowsOfASet;
            int firstRow = ((Grid.IdxX * Group.DimY) + warp) * rowsOfAWarp;
            int rowStep = Grid.DimX * Group.DimY * rowsOfAWarp;

            // All warps of a group go round equally often only if it does not matter: a warp waits for its lanes alone.
            for (int row = firstRow; row < a.Weight.Outputs && slot >= 0; row += rowStep)
            {
                float total = TotalOfRow<TFormat>(a, x, staged, sums, slot, row, blocks, rowsOfASet);
                if (lane < rowsOfAWarp && row + lane < a.Weight.Outputs)
                {
                    float addend = a.Bias.Length == 0 ? 0f : a.Bias[row + lane];
                    a.Y[((long)assignment * a.Weight.Outputs) + row + lane] = TPrecision.Round(total + addend);
                }
            }
        }
    }

    /// <summary>Lane l gets the sum of row <paramref name="row"/> + l, for the rows that the warp has.</summary>
    private static float TotalOfRow<TFormat>(
        RowArguments a,
        ArrayView<Float4> x,
        ArrayView<UInt4> staged,
        ArrayView<float> sums,
        int slot,
        int row,
        int blocks,
        int rowsOfASet)
        where TFormat : struct, IWeightFormat
    {
        int lane = Group.IdxX, mask = (1 << a.BlockShift) - 1;
        int stage = Group.IdxY * 2 * StagePieces, sumsStart = Group.IdxY * 2 * KernelHost.Lanes;
        int mine = row + (lane >> a.BlockShift), last = a.Weight.Outputs - 1;
        int first = mine < last ? mine : last, second = mine + rowsOfASet < last ? mine + rowsOfASet : last;
        float total = 0f;
        for (int firstBlock = 0; firstBlock < blocks; firstBlock += mask + 1)
        {
            int block = firstBlock + (lane & mask);
            block = block < blocks ? block : blocks - 1; // lanes beyond the row repeat its last block
            float firstScale = a.Weight.ScaleInSlot<TFormat>(slot, first, block);
            float secondScale = a.Weight.ScaleInSlot<TFormat>(slot, second, block);
            Float2 pair = default;
            for (int step = 0; step < (4 >> TFormat.Shift); step++)
            {
                Stage<TFormat>(a, staged, stage, slot, row, firstBlock, blocks, rowsOfASet, step, 0);
                Stage<TFormat>(a, staged, stage, slot, row, firstBlock, blocks, rowsOfASet, step, 4);
                Warp.Barrier();
                int from = stage + (lane * LinePitch);
                int xFrom = (block * BlockFourPitch) + (step * (LinePieces << TFormat.Shift));
                for (int piece = 0; piece < LinePieces; piece++)
                {
                    pair = TFormat.Chain(
                        staged[from + piece],
                        staged[from + StagePieces + piece],
                        x,
                        xFrom + (piece << TFormat.Shift),
                        firstScale,
                        secondScale,
                        pair);
                }

                Warp.Barrier();
            }

            sums[sumsStart + lane] = pair.X;
            sums[sumsStart + KernelHost.Lanes + lane] = pair.Y;
            Warp.Barrier();

            // Lane l adds the block sums of row + l in ascending order; those of the second set lie 32 further on.
            int set = lane >= rowsOfASet ? KernelHost.Lanes : 0;
            int rowOfSet = (lane >= rowsOfASet ? lane - rowsOfASet : lane) & (rowsOfASet - 1);
            int end = blocks - firstBlock < mask + 1 ? blocks - firstBlock : mask + 1;
            for (int b = 0; b < end; b++)
            {
                total += sums[sumsStart + set + (rowOfSet << a.BlockShift) + b];
            }

            Warp.Barrier();
        }

        return total;
    }

    /// <summary>Brings the 128 bytes of sixteen of the warp's blocks, of both sets of rows.</summary>
    private static void Stage<TFormat>(
        RowArguments a,
        ArrayView<UInt4> staged,
        int stage,
        int slot,
        int row,
        int firstBlock,
        int blocks,
        int rowsOfASet,
        int step,
        int quarter)
        where TFormat : struct, IWeightFormat
    {
        int lane = Group.IdxX, task = (quarter << 2) + (lane >> 3), piece = lane & 7;
        long place = (step << 5) + (piece << 2);
        UInt4 a0 = Line<TFormat>(a, slot, row, firstBlock, blocks, task, place);
        UInt4 a1 = Line<TFormat>(a, slot, row, firstBlock, blocks, task + 4, place);
        UInt4 a2 = Line<TFormat>(a, slot, row, firstBlock, blocks, task + 8, place);
        UInt4 a3 = Line<TFormat>(a, slot, row, firstBlock, blocks, task + 12, place);
        UInt4 b0 = Line<TFormat>(a, slot, row + rowsOfASet, firstBlock, blocks, task, place);
        UInt4 b1 = Line<TFormat>(a, slot, row + rowsOfASet, firstBlock, blocks, task + 4, place);
        UInt4 b2 = Line<TFormat>(a, slot, row + rowsOfASet, firstBlock, blocks, task + 8, place);
        UInt4 b3 = Line<TFormat>(a, slot, row + rowsOfASet, firstBlock, blocks, task + 12, place);
        int to = stage + (task * LinePitch) + piece;
        staged[to] = a0;
        staged[to + (4 * LinePitch)] = a1;
        staged[to + (8 * LinePitch)] = a2;
        staged[to + (12 * LinePitch)] = a3;
        staged[to + StagePieces] = b0;
        staged[to + StagePieces + (4 * LinePitch)] = b1;
        staged[to + StagePieces + (8 * LinePitch)] = b2;
        staged[to + StagePieces + (12 * LinePitch)] = b3;
    }

    private static UInt4 Line<TFormat>(
        RowArguments a, int slot, int row, int firstBlock, int blocks, int task, long place)
        where TFormat : struct, IWeightFormat
    {
        int taskRow = row + (task >> a.BlockShift), block = firstBlock + (task & ((1 << a.BlockShift) - 1));
        int last = a.Weight.Outputs - 1;
        taskRow = taskRow < last ? taskRow : last;
        block = block < blocks ? block : blocks - 1;
        long start = ((((long)slot * a.Weight.Outputs) + taskRow) * a.Weight.Pitch)
            + ((long)block * (Summation.BlockLength >> TFormat.Shift));
        return DeviceIntrinsics.StreamWords(ref a.Weight.Words[start + place]);
    }

    /// <summary>Which rows of x meet which slot of W: plain rows, or the assignments of routed experts.</summary>
    /// <param name="TopKIndices">[tokens, topK], experts; empty for a plain product.</param>
    /// <param name="Table">[experts], slots; empty for a plain product.</param>
    /// <param name="Tokens">Tokens.</param>
    /// <param name="TopK">Slots of the router per token; 1 for a plain product.</param>
    /// <param name="XRowsPerToken">Rows of x per token: one, or topK.</param>
    internal readonly record struct ProductPlaces(
        ArrayView<int> TopKIndices, ArrayView<int> Table, int Tokens, int TopK, int XRowsPerToken)
    {
        /// <summary>Rows of x, one after the other.</summary>
        /// <param name="tokens">The rows.</param>
        /// <returns>The places.</returns>
        public static ProductPlaces Plain(int tokens) => new(default, default, tokens, 1, 1);

        /// <summary>The slot of W.</summary>
        /// <param name="assignment">token · topK + slot of the router.</param>
        /// <returns>The slot, −1 if the expert is not on the device.</returns>
        public int SlotOf(int assignment) => TopKIndices.Length == 0 ? 0 : Table[TopKIndices[assignment]];
    }

    /// <summary>What the row kernel works on.</summary>
    /// <param name="Places">Which rows meet which slot.</param>
    /// <param name="X">[rows, inputs].</param>
    /// <param name="Weight">[slots, outputs, inputs].</param>
    /// <param name="Bias">[outputs], or empty.</param>
    /// <param name="Y">[tokens, topK, outputs], written.</param>
    internal readonly record struct RowArguments(
        ProductPlaces Places, ArrayView<float> X, DeviceMatrix Weight, ArrayView<float> Bias, ArrayView<float> Y)
    {
        /// <summary>The logarithm of P: the blocks of a row, rounded up to a power of two, 2 … 32.</summary>
        public int BlockShift { get; } = Math.Clamp(
            BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)(Weight.Inputs / Summation.BlockLength))), 1, 5);
    }
}
