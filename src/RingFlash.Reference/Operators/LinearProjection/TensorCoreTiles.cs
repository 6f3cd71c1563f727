using ILGPU;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Operators;

/// <summary>The sums of 16 tokens × 32 outputs in a warp: four 16 × 8 tiles side by side.</summary>
/// <param name="First">Outputs 0–7.</param>
/// <param name="Second">Outputs 8–15.</param>
/// <param name="Third">Outputs 16–23.</param>
/// <param name="Fourth">Outputs 24–31.</param>
internal readonly record struct TileRow(Float4 First, Float4 Second, Float4 Third, Float4 Fourth)
{
    /// <summary>A · B + these, for 16 k.</summary>
    /// <param name="tokens">A.</param>
    /// <param name="outputs">B.</param>
    /// <returns>The sums.</returns>
    public TileRow Add(UInt4 tokens, TileColumns outputs) => new(
        DeviceIntrinsics.MultiplyMatrices(tokens, outputs.First.X, outputs.First.Y, First),
        DeviceIntrinsics.MultiplyMatrices(tokens, outputs.Second.X, outputs.Second.Y, Second),
        DeviceIntrinsics.MultiplyMatrices(tokens, outputs.Third.X, outputs.Third.Y, Third),
        DeviceIntrinsics.MultiplyMatrices(tokens, outputs.Fourth.X, outputs.Fourth.Y, Fourth));

    /// <summary>These + block · scale, or these + block; each operation rounded.</summary>
    /// <typeparam name="TWeights">Whether there are scales.</typeparam>
    /// <param name="block">The sums of a block of 128 k.</param>
    /// <param name="scale">Its scale.</param>
    /// <returns>The sums.</returns>
    public TileRow AddBlock<TWeights>(TileRow block, float scale)
        where TWeights : struct, ITensorCoreWeights => new(
            Add<TWeights>(First, block.First, scale),
            Add<TWeights>(Second, block.Second, scale),
            Add<TWeights>(Third, block.Third, scale),
            Add<TWeights>(Fourth, block.Fourth, scale));

    private static Float4 Add<TWeights>(Float4 sum, Float4 block, float scale)
        where TWeights : struct, ITensorCoreWeights => TWeights.HasScales
            ? new Float4(
                sum.X + (block.X * scale),
                sum.Y + (block.Y * scale),
                sum.Z + (block.Z * scale),
                sum.W + (block.W * scale))
            : new Float4(sum.X + block.X, sum.Y + block.Y, sum.Z + block.Z, sum.W + block.W);
}

/// <summary>The weights of 32 outputs at 16 k in a warp: for each eight outputs k 0–7 and k 8–15.</summary>
/// <param name="First">Outputs 0–7.</param>
/// <param name="Second">Outputs 8–15.</param>
/// <param name="Third">Outputs 16–23.</param>
/// <param name="Fourth">Outputs 24–31.</param>
internal readonly record struct TileColumns(UInt2 First, UInt2 Second, UInt2 Third, UInt2 Fourth);

/// <summary>How weights lie in shared memory and become the B of an <c>mma</c>; a type parameter.</summary>
internal interface ITensorCoreWeights
{
    /// <summary>The logarithm of the 16-byte pieces that 64 weights take.</summary>
    static abstract int ChunkShift { get; }

    /// <summary>Words from one row to the next: 64 weights and 16 bytes.</summary>
    static abstract int RowWords { get; }

    /// <summary>Whether each 128 × 128 block has a scale.</summary>
    static abstract bool HasScales { get; }

    /// <summary>The scale of a block.</summary>
    /// <param name="weight">The matrices.</param>
    /// <param name="slot">Which.</param>
    /// <param name="row">A row of the block.</param>
    /// <param name="block">Its place in the row.</param>
    /// <returns>The scale, or 1.</returns>
    static abstract float Scale(DeviceMatrix weight, int slot, int row, int block);

    /// <summary>Loads 32 outputs × 16 k; the whole warp takes part.</summary>
    /// <param name="shared">The shared memory.</param>
    /// <param name="first">The first word of the first row.</param>
    /// <param name="k">The first k, a multiple of 16.</param>
    /// <param name="lane">The lane.</param>
    /// <returns>This lane's part.</returns>
    static abstract TileColumns Load(ArrayView<uint> shared, int first, int k, int lane);
}

/// <summary>bfloat16: two loads of four 8 × 8 matrices.</summary>
internal readonly struct TensorCoreBFloat16 : ITensorCoreWeights
{
    /// <inheritdoc/>
    public static int ChunkShift => 3;

    /// <inheritdoc/>
    public static int RowWords => 36;

    /// <inheritdoc/>
    public static bool HasScales => BFloat16Format.HasScales;

    /// <inheritdoc/>
    public static float Scale(DeviceMatrix weight, int slot, int row, int block) =>
        weight.ScaleInSlot<BFloat16Format>(slot, row, block);

    /// <inheritdoc/>
    public static TileColumns Load(ArrayView<uint> shared, int first, int k, int lane)
    {
        // Matrices: outputs 0–7 at k 0–7, the same at k 8–15, outputs 8–15 at k 0–7, the same at k 8–15.
        int row = (lane & 7) + ((lane >> 4) << 3);
        int word = first + (row * RowWords) + (k >> 1) + (((lane >> 3) & 1) << 2);
        UInt4 left = DeviceIntrinsics.LoadMatrices(ref shared[word]);
        UInt4 right = DeviceIntrinsics.LoadMatrices(ref shared[word + (16 * RowWords)]);
        return new TileColumns(
            new UInt2(left.X, left.Y),
            new UInt2(left.Z, left.W),
            new UInt2(right.X, right.Y),
            new UInt2(right.Z, right.W));
    }
}

/// <summary>e4m3: 16 codes are as long as 8 bfloat16, so one load brings all, as codes 4t … 4t + 3 of a row.</summary>
internal readonly struct TensorCoreFloat8 : ITensorCoreWeights
{
    /// <inheritdoc/>
    public static int ChunkShift => 2;

    /// <inheritdoc/>
    public static int RowWords => 20;

    /// <inheritdoc/>
    public static bool HasScales => Float8Format.HasScales;

    /// <inheritdoc/>
    public static float Scale(DeviceMatrix weight, int slot, int row, int block) =>
        weight.ScaleInSlot<Float8Format>(slot, row, block);

    /// <inheritdoc/>
    public static TileColumns Load(ArrayView<uint> shared, int first, int k, int lane)
    {
        UInt4 codes = DeviceIntrinsics.LoadMatrices(ref shared[first + (lane * RowWords) + (k >> 2)]);
        return new TileColumns(
            DeviceIntrinsics.WidenFloat8(codes.X),
            DeviceIntrinsics.WidenFloat8(codes.Y),
            DeviceIntrinsics.WidenFloat8(codes.Z),
            DeviceIntrinsics.WidenFloat8(codes.W));
    }
}
