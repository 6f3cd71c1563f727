using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RingFlash.Reference.Numerics;

/// <summary>How a panel [k, 32] of weights is stored, and how a row of it becomes two vectors of float32.</summary>
internal unsafe interface IPanelFormat
{
    /// <summary>The bytes of one k: 32 weights.</summary>
    static abstract int RowBytes { get; }

    /// <summary>Whether NaN can be stored.</summary>
    static abstract bool HoldsNaN { get; }

    /// <summary>What <see cref="Widen"/> wants to know of a block's scale.</summary>
    /// <param name="scale">The scale of a block of 128 k.</param>
    /// <returns>A constant of the block; formats without scales ignore it.</returns>
    static abstract Vector512<float> Prepare(float scale);

    /// <summary>The weights of one k.</summary>
    /// <param name="row">Where they are stored.</param>
    /// <param name="prepared">From <see cref="Prepare"/>.</param>
    /// <param name="lower">Outputs 0 … 15.</param>
    /// <param name="upper">Outputs 16 … 31.</param>
    static abstract void Widen(
        byte* row, Vector512<float> prepared, out Vector512<float> lower, out Vector512<float> upper);

    /// <summary>Stores the weights of one k; exact for numbers of the format.</summary>
    /// <param name="lower">Outputs 0 … 15; of e4m3 the code values.</param>
    /// <param name="upper">Outputs 16 … 31.</param>
    /// <param name="row">Written.</param>
    static abstract void Store(Vector512<float> lower, Vector512<float> upper, byte* row);
}

/// <summary>The three ways of storing a panel.</summary>
internal static unsafe class PanelFormats
{
    private const uint UpperHalf = 0xFFFF0000;

    /// <summary>Stores a tile that was read as float32.</summary>
    /// <param name="format">How.</param>
    /// <param name="tile">[columns, 32], read; of e4m3 the code values.</param>
    /// <param name="panel">[columns, 32] in the format, written.</param>
    /// <returns>False when a number has no place in the format: a NaN among e4m3 codes.</returns>
    public static bool Store(PanelFormat format, ReadOnlySpan<float> tile, Span<byte> panel)
    {
        int columns = tile.Length / ProductKernel.PanelWidth;
        ArgumentOutOfRangeException.ThrowIfNotEqual(panel.Length, columns * RowBytes(format));
        fixed (float* source = tile)
        fixed (byte* destination = panel)
        {
            return format switch
            {
                PanelFormat.Float32 => Store<Float32>(source, columns, destination),
                PanelFormat.BFloat16 => Store<BFloat16>(source, columns, destination),
                _ => Store<Float8E4M3>(source, columns, destination),
            };
        }
    }

    /// <summary>The bytes of 32 weights.</summary>
    /// <param name="format">How they are stored.</param>
    /// <returns>32, 64 or 128.</returns>
    public static int RowBytes(PanelFormat format) => format switch
    {
        PanelFormat.Float32 => Float32.RowBytes,
        PanelFormat.BFloat16 => BFloat16.RowBytes,
        _ => Float8E4M3.RowBytes,
    };

    // Lanes: a vector is sixteen outputs of one k. Nothing is left over: a panel is 32 wide.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Store<TPanel>(float* tile, int columns, byte* panel)
        where TPanel : struct, IPanelFormat
    {
        Vector512<int> numbers = Vector512<int>.AllBitsSet;
        for (int k = 0; k < columns; k++)
        {
            Vector512<float> lower = Vector512.Load(tile), upper = Vector512.Load(tile + 16);
            numbers &= Vector512.Equals(lower, lower).AsInt32() & Vector512.Equals(upper, upper).AsInt32();
            TPanel.Store(lower, upper, panel);
            tile += ProductKernel.PanelWidth;
            panel += TPanel.RowBytes;
        }

        return TPanel.HoldsNaN || numbers == Vector512<int>.AllBitsSet;
    }

    /// <summary>32 float32 in order.</summary>
    internal readonly struct Float32 : IPanelFormat
    {
        public static int RowBytes => 128;

        public static bool HoldsNaN => true;

        public static Vector512<float> Prepare(float scale) => default;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Widen(
            byte* row, Vector512<float> prepared, out Vector512<float> lower, out Vector512<float> upper)
        {
            lower = Vector512.Load((float*)row);
            upper = Vector512.Load((float*)(row + 64));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<float> lower, Vector512<float> upper, byte* row)
        {
            lower.Store((float*)row);
            upper.Store((float*)(row + 64));
        }
    }

    /// <summary>
    /// Sixteen 32-bit lanes; the lower half of lane i is output i, the upper half output 16 + i. One shift widens the
    /// one, one mask the other.
    /// </summary>
    internal readonly struct BFloat16 : IPanelFormat
    {
        public static int RowBytes => 64;

        public static bool HoldsNaN => true;

        public static Vector512<float> Prepare(float scale) => default;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Widen(
            byte* row, Vector512<float> prepared, out Vector512<float> lower, out Vector512<float> upper)
        {
            lower = Vector512.ShiftLeft(Vector512.Load((uint*)row), 16).AsSingle();
            upper = (Vector512.Load((uint*)row) & Vector512.Create(UpperHalf)).AsSingle();
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<float> lower, Vector512<float> upper, byte* row) =>
            (Vector512.ShiftRightLogical(lower.AsUInt32(), 16) | (upper.AsUInt32() & Vector512.Create(UpperHalf)))
            .Store((uint*)row);
    }

    /// <summary>
    /// 32 e4m3 codes; a weight is float32(code) · scale, one rounding. Moved to the places that float32 has for sign,
    /// exponent and fraction a code stands for its value by 2⁻¹²⁰, and 2¹²⁰ · scale multiplies: the same real product
    /// rounded once, as long as 2¹²⁰ · scale is finite. The NaN codes would come out as ±480 · scale: panels hold none.
    /// </summary>
    /// <remarks>
    /// <para>With AVX-512 VBMI one instruction moves both parts of a code, and a mask keeps them. So that it can, a
    /// byte holds the sign, the last exponent bit, the fraction, then the upper exponent bits: the byte as it is
    /// becomes the upper byte of the float, and one bit further up the next. Eight bytes serve two pairs of lanes:
    /// bytes 8q … 8q + 7 are outputs 2q, 2q + 1, 16 + 2q, 17 + 2q, then the same four further up by 8.</para>
    /// <para>Elsewhere byte 2i is the code of output i and byte 2i + 1 that of output 16 + i.</para>
    /// </remarks>
    internal readonly struct Float8E4M3 : IPanelFormat
    {
        /// <summary>Scales up to here keep 2¹²⁰ · scale finite.</summary>
        public const float LargestScale = 128f;

        private const float BiasScale = 1.32922800e36f; // 2¹²⁰
        private const int FractionShift = 20;
        private const uint MovedBits = 0x87F00000; // the sign, four bits of the exponent, three of the fraction

        public static int RowBytes => 32;

        public static bool HoldsNaN => false;

        private static bool HasFieldMoves => Avx512Vbmi.VL.IsSupported && Avx512DQ.IsSupported;

        public static Vector512<float> Prepare(float scale) => Vector512.Create(BiasScale * scale);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Widen(
            byte* row, Vector512<float> prepared, out Vector512<float> lower, out Vector512<float> upper)
        {
            if (HasFieldMoves)
            {
                // Not Avx512F's broadcast of four 64-bit lanes: .NET 10.0.12 counts its displacement in 16 bytes
                // instead of 32, so that a row at p + 32 is read at p + 64.
                Vector512<ulong> twice = Avx512DQ.BroadcastVector256ToVector512((uint*)row).AsUInt64();
                lower = Moved(Avx512Vbmi.MultiShift(Fields(0), twice)) * prepared;
                upper = Moved(Avx512Vbmi.MultiShift(Fields(16), twice)) * prepared;
                return;
            }

            // The sign goes to bit 15, the arithmetic shift spreads it, and the mask keeps one copy of it.
            Vector512<ushort> codes = Vector512.WidenLower(Vector256.Load(row).ToVector512Unsafe());
            Vector512<short> spread = Vector512.ShiftRightArithmetic(Vector512.ShiftLeft(codes, 8).AsInt16(), 4);
            Vector512<uint> moved = (spread & Vector512.Create(unchecked((short)0x87F0))).AsUInt32();
            lower = Vector512.ShiftLeft(moved, 16).AsSingle() * prepared;
            upper = (moved & Vector512.Create(UpperHalf)).AsSingle() * prepared;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<float> lower, Vector512<float> upper, byte* row)
        {
            Vector512<ushort> codes = (Code(lower) | Vector512.ShiftLeft(Code(upper), 16)).AsUInt16();
            Vector256<byte> pairs = Vector256.Narrow(codes.GetLower(), codes.GetUpper());
            if (HasFieldMoves)
            {
                pairs = Vector256.Shuffle(pairs, Vector256.Create(
                    (byte)0, 2, 1, 3, 16, 18, 17, 19, 4, 6, 5, 7, 20, 22, 21, 23,
                    8, 10, 9, 11, 24, 26, 25, 27, 12, 14, 13, 15, 28, 30, 29, 31));
            }

            pairs.Store(row);
        }

        // Where in eight codes the eight bits begin that each byte of two floats takes; the mask clears lower bytes.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<byte> Fields(byte first)
        {
            Vector512<byte> firstOutputs = Vector512.Create(
                0x08070000_003F0000ul,
                0x08070000_003F0000ul,
                0x08070000_003F0000ul,
                0x08070000_003F0000ul,
                0x28270000_201F0000ul,
                0x28270000_201F0000ul,
                0x28270000_201F0000ul,
                0x28270000_201F0000ul).AsByte();
            return firstOutputs + Vector512.Create(first); // modulo 64
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<float> Moved(Vector512<byte> fields) =>
            (fields.AsUInt32() & Vector512.Create(MovedBits)).AsSingle();

        // The byte of a code in the lowest byte of each lane, its bits in the order of the layout.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<uint> Code(Vector512<float> values)
        {
            Vector512<uint> moved = (values * Vector512.Create(1 / BiasScale)).AsUInt32();
            if (HasFieldMoves)
            {
                Vector512<uint> ends = Vector512.ShiftRightLogical(moved, 24) & Vector512.Create(0x87u);
                return ends | (Vector512.ShiftRightLogical(moved, 17) & Vector512.Create(0x78u));
            }

            Vector512<uint> magnitude = Vector512.ShiftRightLogical(moved, FractionShift) & Vector512.Create(0x7Fu);
            return magnitude | Vector512.ShiftLeft(Vector512.ShiftRightLogical(moved, 31), 7);
        }
    }
}
