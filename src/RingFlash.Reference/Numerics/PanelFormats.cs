using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>How a panel [k, 32] of weights is stored, and how a row of it becomes two vectors of float32.</summary>
internal unsafe interface IPanelFormat
{
    /// <summary>The bytes of one k: 32 weights.</summary>
    static abstract int RowBytes { get; }

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
}

/// <summary>The three ways of storing a panel.</summary>
internal static unsafe class PanelFormats
{
    private const uint UpperHalf = 0xFFFF0000;

    /// <summary>32 float32 in order.</summary>
    internal readonly struct Float32 : IPanelFormat
    {
        public static int RowBytes => 128;

        public static Vector512<float> Prepare(float scale) => default;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Widen(
            byte* row, Vector512<float> prepared, out Vector512<float> lower, out Vector512<float> upper)
        {
            lower = Vector512.Load((float*)row);
            upper = Vector512.Load((float*)(row + 64));
        }
    }

    /// <summary>
    /// Sixteen 32-bit lanes; the lower half of lane i is output i, the upper half output 16 + i. One shift widens the
    /// one, one mask the other.
    /// </summary>
    internal readonly struct BFloat16 : IPanelFormat
    {
        public static int RowBytes => 64;

        public static Vector512<float> Prepare(float scale) => default;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Widen(
            byte* row, Vector512<float> prepared, out Vector512<float> lower, out Vector512<float> upper)
        {
            lower = Vector512.ShiftLeft(Vector512.Load((uint*)row), 16).AsSingle();
            upper = (Vector512.Load((uint*)row) & Vector512.Create(UpperHalf)).AsSingle();
        }

        /// <summary>Stores one k; exact for bfloat16 numbers.</summary>
        /// <param name="lower">Outputs 0 … 15.</param>
        /// <param name="upper">Outputs 16 … 31.</param>
        /// <param name="row">Written.</param>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<float> lower, Vector512<float> upper, byte* row) =>
            (Vector512.ShiftRightLogical(lower.AsUInt32(), 16) | (upper.AsUInt32() & Vector512.Create(UpperHalf)))
            .Store((uint*)row);
    }

    /// <summary>
    /// 32 e4m3 codes, byte 2i output i and byte 2i + 1 output 16 + i; a weight is float32(code) · scale, one rounding.
    /// Moved to the places that bfloat16 has for exponent and fraction a code stands for its value by 2⁻¹²⁰, and
    /// 2¹²⁰ · scale multiplies: the same real product rounded once, as long as 2¹²⁰ · scale is finite. The NaN codes
    /// would come out as ±480 · scale: panels hold none.
    /// </summary>
    internal readonly struct Float8E4M3 : IPanelFormat
    {
        /// <summary>Scales up to here keep 2¹²⁰ · scale finite.</summary>
        public const float LargestScale = 128f;

        private const float BiasScale = 1.32922800e36f; // 2¹²⁰
        private const int FractionShift = 20;

        public static int RowBytes => 32;

        public static Vector512<float> Prepare(float scale) => Vector512.Create(BiasScale * scale);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Widen(
            byte* row, Vector512<float> prepared, out Vector512<float> lower, out Vector512<float> upper)
        {
            // The sign goes to bit 15, the arithmetic shift spreads it, and the mask keeps one copy of it.
            Vector512<ushort> codes = Vector512.WidenLower(Vector256.Load(row).ToVector512Unsafe());
            Vector512<short> spread = Vector512.ShiftRightArithmetic(Vector512.ShiftLeft(codes, 8).AsInt16(), 4);
            Vector512<uint> moved = (spread & Vector512.Create(unchecked((short)0x87F0))).AsUInt32();
            lower = Vector512.ShiftLeft(moved, 16).AsSingle() * prepared;
            upper = (moved & Vector512.Create(UpperHalf)).AsSingle() * prepared;
        }

        /// <summary>Stores one k; exact for e4m3 numbers, NaN excepted.</summary>
        /// <param name="lower">Outputs 0 … 15, code values.</param>
        /// <param name="upper">Outputs 16 … 31, code values.</param>
        /// <param name="row">Written.</param>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<float> lower, Vector512<float> upper, byte* row)
        {
            Vector512<ushort> codes = (Code(lower) | Vector512.ShiftLeft(Code(upper), 16)).AsUInt16();
            Vector256.Narrow(codes.GetLower(), codes.GetUpper()).Store(row);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<uint> Code(Vector512<float> values)
        {
            Vector512<uint> moved = (values * Vector512.Create(1 / BiasScale)).AsUInt32();
            Vector512<uint> magnitude = Vector512.ShiftRightLogical(moved, FractionShift) & Vector512.Create(0x7Fu);
            return magnitude | Vector512.ShiftLeft(Vector512.ShiftRightLogical(moved, 31), 7);
        }
    }
}
