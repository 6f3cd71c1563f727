using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>The fast family: products by tensor cores, for prefill over bfloat16 and block-FP8 weights. Off by default: it
/// has <em>not</em> the bits of <see cref="Scalar"/>, because the order and the rounding of the sums inside an
/// <c>mma</c> are the hardware's. It is held to a budget instead.</para>
/// <para>Activations become one bfloat16 piece under the bfloat16 policy (exact, they are such numbers) and two under
/// float32 (<see cref="ActivationPieces"/>); e4m3 codes become bfloat16 exactly and a block's sum is multiplied by its
/// scale. A block of 128 k starts from +0 and is added to the total with one rounding, as in the exact family.</para>
/// <para>Budget, in units u = 2⁻²⁴ of gauge = Σ|x·W| + |bias|. Pieces: |x − high − low| ≤ 2⁻¹⁶·|x|, 256 (float32
/// only). A block: products are exact; an <c>mma</c> adds 16 of them to the sum, each addend cut off at 2⁻²³ of the
/// largest and the result once more: 18 · 2u for 16 products, so 288 for each piece over the 8 <c>mma</c> of a block.
/// Between blocks: a scale's product, ⌈inputs/128⌉ additions, the bias. Together 288 + ⌈inputs/128⌉ + 3 under
/// bfloat16, 832 + ⌈inputs/128⌉ + 3 under float32 (to first order), and one rounding to the storage type. That
/// hardware cuts off there is what Fasi, Higham, Mikaitis and Pranesh, "Numerical behavior of NVIDIA tensor cores",
/// PeerJ CS 2021, found on earlier cards; the PTX manual promises no order. Not run on a GPU here.</para>
/// <para>Mapping: a warp owns 64 tokens × 32 outputs: 4 × 4 tiles of 16 × 8 in 64 registers, as many for the totals.
/// Two warps stand one below the other, the rest side by side, so 8 warps own 128 × 128. K goes in steps of 64, three
/// of them in shared memory: one is used while two are on their way. Rows there are 16 bytes longer than needed, which
/// puts the eight rows of an 8 × 8 matrix into different banks. The third axis of the grid are lists of rows: one for a
/// plain product, an expert's each for routed experts.</para>
/// <para>Special: IEEE, as far as the sums go: NaN and ∞ of a row of x reach that row of y only, but an ∞ split in two
/// pieces may be met by a weight of 0 and give NaN as in the exact family.</para>
/// </content>
public static partial class LinearProjection
{
    private const int TensorCoreWarps = 8;
    private const int RowsOfAWarpTile = 64;
    private const int ColumnsOfAWarpTile = 32;
    private const int Slots = 3;

    /// <summary>Words of a row of activations in shared memory: 64 bfloat16 and 16 bytes.</summary>
    private const int InputRowWords = 36;

    /// <summary>Whether the fast family multiplies with a weight.</summary>
    /// <param name="weight">The weight.</param>
    /// <returns>False for float32 weights, which have no exact bfloat16 form.</returns>
    public static bool HasTensorCores(DeviceWeight weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return weight.Format != PanelFormat.Float32;
    }

    /// <summary>The budget of the fast family before its last rounding, in units of 2⁻²⁴ of Σ|x·W| + |bias|.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="inputs">The length of a row.</param>
    /// <returns>The units derived on this page.</returns>
    public static double TensorCoreUnits<TPrecision>(int inputs)
        where TPrecision : struct, IPrecision =>
        (PiecesOf<TPrecision>() == 1 ? 288 : 832) + ((inputs + Summation.BlockLength - 1) / Summation.BlockLength) + 3;

    /// <summary>The scratch memory of <see cref="LaunchTensorCores"/>.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="tokens">The rows.</param>
    /// <param name="inputs">Their length.</param>
    /// <returns>Words.</returns>
    public static long TensorCoreScratch<TPrecision>(int tokens, int inputs)
        where TPrecision : struct, IPrecision =>
        (long)PiecesOf<TPrecision>() * tokens * ActivationPieces.Pitch(inputs);

    /// <summary>Multiplies by tensor cores.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[tokens, inputs], float32, read.</param>
    /// <param name="weight">[outputs, inputs], bfloat16 or block-FP8.</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="scratch">[<see cref="TensorCoreScratch"/>], overwritten.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    /// <exception cref="ArgumentException">The weight is float32.</exception>
    public static void LaunchTensorCores<TPrecision>(
        KernelHost host,
        ArrayView<float> x,
        DeviceWeight weight,
        ArrayView<float> bias,
        ArrayView<uint> scratch,
        ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        if (!HasTensorCores(weight))
        {
            throw new ArgumentException("tensor cores take bfloat16 and block-FP8 weights", nameof(weight));
        }

        int tokens = (int)(x.Length / weight.Matrix.Inputs);
        SplitForTensorCores<TPrecision>(host, x, tokens, weight, scratch);
        LaunchTensorCoreLists<TPrecision>(host, RowLists.Plain(tokens), scratch, tokens, weight, bias, y);
    }

    /// <summary>Splits activations into pieces, in the order that a weight needs.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[rows, inputs], float32, read.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="weight">The weight that they meet.</param>
    /// <param name="pieces">[<see cref="TensorCoreScratch"/>], written.</param>
    internal static void SplitForTensorCores<TPrecision>(
        KernelHost host, ArrayView<float> x, int rows, DeviceWeight weight, ArrayView<uint> pieces)
        where TPrecision : struct, IPrecision
    {
        int inputs = weight.Matrix.Inputs, interleaved = weight.Format == PanelFormat.Float8E4M3 ? 1 : 0;
        int pitch = ActivationPieces.Pitch(inputs);
        ActivationPieces.Launch(host, new(x, pieces, rows, inputs, pitch, PiecesOf<TPrecision>(), interleaved));
    }

    /// <summary>Multiplies lists of rows by tensor cores.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="lists">Which rows meet which slot.</param>
    /// <param name="x">[pieces, rows, pitch], from <see cref="SplitForTensorCores"/>.</param>
    /// <param name="rowsOfX">Its rows.</param>
    /// <param name="weight">[slots, outputs, inputs].</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[rows, outputs], float32, written.</param>
    internal static void LaunchTensorCoreLists<TPrecision>(
        KernelHost host,
        in RowLists lists,
        ArrayView<uint> x,
        int rowsOfX,
        DeviceWeight weight,
        ArrayView<float> bias,
        ArrayView<float> y)
        where TPrecision : struct, IPrecision
    {
        DeviceMatrix matrix = weight.Matrix;
        bool codes = weight.Format == PanelFormat.Float8E4M3;
        int warps = Math.Min(TensorCoreWarps, host.MostWarps), rowWarps = Math.Min(2, warps);
        int rows = RowsOfAWarpTile * rowWarps, columns = ColumnsOfAWarpTile * (warps / rowWarps);
        int weightRowWords = codes ? TensorCoreFloat8.RowWords : TensorCoreBFloat16.RowWords;
        int pieces = PiecesOf<TPrecision>(), slotWords = (pieces * rows * InputRowWords) + (columns * weightRowWords);
        LaunchGrid grid = new(
            (lists.MostRows + rows - 1) / rows,
            (matrix.Outputs + columns - 1) / columns,
            lists.Experts,
            Slots * slotWords * sizeof(uint),
            warps);
        int pitch = ActivationPieces.Pitch(matrix.Inputs);
        TensorCoreArguments arguments = new(lists, x, matrix, bias, y, rowsOfX, pieces, pitch, slotWords);
        if (codes)
        {
            host.Launch(TensorCoreKernel<TPrecision, TensorCoreFloat8>, grid, arguments);
        }
        else
        {
            host.Launch(TensorCoreKernel<TPrecision, TensorCoreBFloat16>, grid, arguments);
        }
    }

    /// <summary>A warp per 64 tokens × 32 outputs.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <typeparam name="TWeights">How weights lie in shared memory.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0, MatrixInstructions = 32, MatrixLoads = [10, 12], AsynchronousCopies = 2)]
    internal static void TensorCoreKernel<TPrecision, TWeights>(TensorCoreArguments a)
        where TPrecision : struct, IPrecision
        where TWeights : struct, ITensorCoreWeights
    {
        ArrayView<uint> shared = SharedMemory.GetDynamic<uint>();
        int lane = Group.IdxX, warp = Group.IdxY;
        int rowShift = Group.DimY > 1 ? 1 : 0, below = warp & rowShift, beside = warp >> rowShift;
        int rows = RowsOfAWarpTile << rowShift, columns = ColumnsOfAWarpTile * (Group.DimY >> rowShift);
        int weights = a.Pieces * rows * InputRowWords; // of a slot: rows of activations, then rows of weights
        int slot = a.Lists.SlotOf(Grid.IdxZ), end = a.Lists.EndOf(Grid.IdxZ);
        int first = a.Lists.BeginOf(Grid.IdxZ) + (Grid.IdxX * rows);

        // A group that has no rows, or whose expert is not here, does not begin.
        int steps = first < end && slot >= 0 ? (a.Weight.Inputs + ActivationPieces.Step - 1) >> 6 : 1 - Slots;
        int last = (Slots - 1) * a.SlotWords, used = 0, filled = 0;
        TileRow block0 = default, block1 = default, block2 = default, block3 = default;
        TileRow total0 = default, total1 = default, total2 = default, total3 = default;
        for (int step = 1 - Slots; step < steps; step++)
        {
            if (step >= 0)
            {
                // The copies of this step have come, and everyone has left the slot that is filled next.
                DeviceIntrinsics.AwaitOlderCopies();
                Group.Barrier();
            }

            Stage<TWeights>(a, shared, filled, weights, step + Slots - 1, first, end, slot, rows, columns);
            filled = filled == last ? 0 : filled + a.SlotWords;
            if (step < 0)
            {
                continue;
            }

            int tokens = used + (((below * RowsOfAWarpTile) + (lane & 15)) * InputRowWords) + ((lane >> 4) << 2);
            int outputs = used + weights + (beside * ColumnsOfAWarpTile * TWeights.RowWords);
            used = used == last ? 0 : used + a.SlotWords;
            for (int piece = 0; piece < a.Pieces << 1; piece++)
            {
                // Twice 32 k of each piece, unrolled: the loads of the second 16 hide behind the products of the first.
                int k = (piece & 1) << 5, left = tokens + ((piece >> 1) * rows * InputRowWords) + (k >> 1);
                TileColumns right = TWeights.Load(shared, outputs, k, lane);
                block0 = block0.Add(DeviceIntrinsics.LoadMatrices(ref shared[left]), right);
                block1 = block1.Add(DeviceIntrinsics.LoadMatrices(ref shared[left + OfRows(16)]), right);
                block2 = block2.Add(DeviceIntrinsics.LoadMatrices(ref shared[left + OfRows(32)]), right);
                block3 = block3.Add(DeviceIntrinsics.LoadMatrices(ref shared[left + OfRows(48)]), right);
                left += 8;
                right = TWeights.Load(shared, outputs, k + 16, lane);
                block0 = block0.Add(DeviceIntrinsics.LoadMatrices(ref shared[left]), right);
                block1 = block1.Add(DeviceIntrinsics.LoadMatrices(ref shared[left + OfRows(16)]), right);
                block2 = block2.Add(DeviceIntrinsics.LoadMatrices(ref shared[left + OfRows(32)]), right);
                block3 = block3.Add(DeviceIntrinsics.LoadMatrices(ref shared[left + OfRows(48)]), right);
            }

            if ((step & 1) == 1 || step == steps - 1)
            {
                // A tile of outputs never crosses a block of 128, so there is one scale.
                float scale = TWeights.Scale(a.Weight, slot, Grid.IdxY * columns, step >> 1);
                total0 = total0.AddBlock<TWeights>(block0, scale);
                total1 = total1.AddBlock<TWeights>(block1, scale);
                total2 = total2.AddBlock<TWeights>(block2, scale);
                total3 = total3.AddBlock<TWeights>(block3, scale);
                block0 = default;
                block1 = default;
                block2 = default;
                block3 = default;
            }
        }

        int row = first + (below * RowsOfAWarpTile) + (lane >> 2);
        int column = (Grid.IdxY * columns) + (beside * ColumnsOfAWarpTile) + ((lane & 3) << 1);
        end = slot < 0 ? 0 : end;
        Write<TPrecision>(a, row, end, column, total0);
        Write<TPrecision>(a, row + 16, end, column, total1);
        Write<TPrecision>(a, row + 32, end, column, total2);
        Write<TPrecision>(a, row + 48, end, column, total3);
    }

    private static int OfRows(int count) => count * InputRowWords;

    private static int PiecesOf<TPrecision>()
        where TPrecision : struct, IPrecision => TPrecision.UnitRoundoff < BFloat16Precision.UnitRoundoff ? 2 : 1;

    /// <summary>Starts the copies of 64 k; what lies outside becomes 0, behind the last step nothing.</summary>
    private static void Stage<TWeights>(
        TensorCoreArguments a,
        ArrayView<uint> shared,
        int to,
        int weights,
        int step,
        int first,
        int end,
        int slot,
        int rows,
        int columns)
        where TWeights : struct, ITensorCoreWeights
    {
        int thread = (Group.IdxY << 5) + Group.IdxX, threads = Group.DimY << 5;
        if (step << 6 < a.Weight.Inputs)
        {
            int firstColumn = Grid.IdxY * columns;
            for (int piece = 0; piece < a.Pieces; piece++)
            {
                for (int chunk = thread; chunk < rows << 3; chunk += threads)
                {
                    int row = chunk >> 3, word = (chunk & 7) << 2;
                    bool inside = first + row < end;
                    int place = inside ? a.Lists.XRowOf(first + row) : 0;
                    long from = ((((long)piece * a.RowsOfX) + place) * a.Pitch) + (step << 5) + word;
                    DeviceIntrinsics.CopyAsync(
                        ref shared[to + (((piece * rows) + row) * InputRowWords) + word],
                        ref a.X[inside ? from : 0],
                        inside ? 16 : 0);
                }
            }

            for (int chunk = thread; chunk < columns << TWeights.ChunkShift; chunk += threads)
            {
                int row = chunk >> TWeights.ChunkShift, output = firstColumn + row;
                int word = (chunk & ((1 << TWeights.ChunkShift) - 1)) << 2;
                int inRow = (step << (TWeights.ChunkShift + 2)) + word;
                bool inside = output < a.Weight.Outputs && inRow < a.Weight.Pitch;
                long weightRow = ((long)slot * a.Weight.Outputs) + output;
                DeviceIntrinsics.CopyAsync(
                    ref shared[to + weights + (row * TWeights.RowWords) + word],
                    ref a.Weight.Words[inside ? (weightRow * a.Weight.Pitch) + inRow : 0],
                    inside ? 16 : 0);
            }
        }

        DeviceIntrinsics.CommitCopies();
    }

    private static void Write<TPrecision>(TensorCoreArguments a, int row, int end, int column, TileRow sums)
        where TPrecision : struct, IPrecision
    {
        Write<TPrecision>(a, row, end, column, sums.First);
        Write<TPrecision>(a, row, end, column + 8, sums.Second);
        Write<TPrecision>(a, row, end, column + 16, sums.Third);
        Write<TPrecision>(a, row, end, column + 24, sums.Fourth);
    }

    private static void Write<TPrecision>(TensorCoreArguments a, int row, int end, int column, Float4 sums)
        where TPrecision : struct, IPrecision
    {
        Write<TPrecision>(a, row, end, column, sums.X);
        Write<TPrecision>(a, row, end, column + 1, sums.Y);
        Write<TPrecision>(a, row + 8, end, column, sums.Z);
        Write<TPrecision>(a, row + 8, end, column + 1, sums.W);
    }

    private static void Write<TPrecision>(TensorCoreArguments a, int row, int end, int column, float sum)
        where TPrecision : struct, IPrecision
    {
        if (row < end && column < a.Weight.Outputs)
        {
            float addend = a.Bias.Length == 0 ? 0f : a.Bias[column];
            a.Y[((long)a.Lists.YRowOf(row) * a.Weight.Outputs) + column] = TPrecision.Round(sum + addend);
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="Lists">Which rows meet which slot.</param>
    /// <param name="X">[pieces, rows, pitch], from <see cref="ActivationPieces"/>.</param>
    /// <param name="Weight">[slots, outputs, inputs].</param>
    /// <param name="Bias">[outputs], or empty.</param>
    /// <param name="Y">[rows, outputs], written.</param>
    /// <param name="RowsOfX">The rows of X.</param>
    /// <param name="Pieces">1 or 2.</param>
    /// <param name="Pitch">Words from one row of X to the next.</param>
    /// <param name="SlotWords">Words of a step in shared memory.</param>
    internal readonly record struct TensorCoreArguments(
        RowLists Lists,
        ArrayView<uint> X,
        DeviceMatrix Weight,
        ArrayView<float> Bias,
        ArrayView<float> Y,
        int RowsOfX,
        int Pieces,
        int Pitch,
        int SlotWords);
}
