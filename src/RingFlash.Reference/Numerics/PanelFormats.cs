using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RingFlash.Reference.Numerics;

/// <summary>How a panel [k, 32] of weights is stored, and how a row of it becomes two vectors of float32.</summary>
internal unsafe interface IPanelFormat
{
    /// <summary>The bytes of one k: 32 weights.</summary>
    static abstract int RowBytes { get; }

    /// <summary>What <see cref="Lower"/> and <see cref="Upper"/> want to know of a block's scale.</summary>
    /// <param name="scale">The scale of a block of 128 k.</param>
    /// <returns>A constant of the block; formats without scales ignore it.</returns>
    static abstract Vector512<float> Prepare(float scale);

    /// <summary>Weights of outputs 0 … 15.</summary>
    /// <param name="row">One k.</param>
    /// <param name="prepared">From <see cref="Prepare"/>.</param>
    /// <returns>Sixteen weights.</returns>
    static abstract Vector512<float> Lower(byte* row, Vector512<float> prepared);

    /// <summary>Weights of outputs 16 … 31.</summary>
    /// <param name="row">One k.</param>
    /// <param name="prepared">From <see cref="Prepare"/>.</param>
    /// <returns>Sixteen weights.</returns>
    static abstract Vector512<float> Upper(byte* row, Vector512<float> prepared);
}

/// <summary>The three ways of storing a panel.</summary>
internal static unsafe class PanelFormats
{
    /// <summary>32 float32 in order.</summary>
    internal readonly struct Float32 : IPanelFormat
    {
        public static int RowBytes => 128;

        public static Vector512<float> Prepare(float scale) => default;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Lower(byte* row, Vector512<float> prepared) => Vector512.Load((float*)row);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Upper(byte* row, Vector512<float> prepared) =>
            Vector512.Load((float*)(row + 64));
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
        public static Vector512<float> Lower(byte* row, Vector512<float> prepared) =>
            Vector512.ShiftLeft(Vector512.Load((uint*)row), 16).AsSingle();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Upper(byte* row, Vector512<float> prepared) =>
            (Vector512.Load((uint*)row) & Vector512.Create(0xFFFF0000u)).AsSingle();

        /// <summary>Stores one k; exact for bfloat16 numbers.</summary>
        /// <param name="lower">Outputs 0 … 15.</param>
        /// <param name="upper">Outputs 16 … 31.</param>
        /// <param name="row">Written.</param>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<float> lower, Vector512<float> upper, byte* row) =>
            (Vector512.ShiftRightLogical(lower.AsUInt32(), 16) | (upper.AsUInt32() & Vector512.Create(0xFFFF0000u)))
            .Store((uint*)row);
    }

    /// <summary>
    /// 32 e4m3 codes in order; a weight is float32(code) · scale, one rounding. A code's exponent and fraction are
    /// moved to float32's places, which divides by 2¹²⁰, and 2¹²⁰ · scale multiplies: the same real product rounded
    /// once, as long as 2¹²⁰ · scale is finite. The NaN codes would come out as ±480 · scale: panels hold none.
    /// </summary>
    internal readonly struct Float8E4M3 : IPanelFormat
    {
        /// <summary>Scales up to here keep 2¹²⁰ · scale finite.</summary>
        public const float LargestScale = 128f;

        private const float BiasScale = 1.32922800e36f; // 2¹²⁰
        private const int FractionShift = 20;

        public static int RowBytes => 32;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Prepare(float scale) => Vector512.Create(BiasScale * scale);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Lower(byte* row, Vector512<float> prepared) => Widen(row) * prepared;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Upper(byte* row, Vector512<float> prepared) => Widen(row + 16) * prepared;

        /// <summary>Stores one k; exact for e4m3 numbers, NaN excepted.</summary>
        /// <param name="lower">Outputs 0 … 15, code values.</param>
        /// <param name="upper">Outputs 16 … 31, code values.</param>
        /// <param name="row">Written.</param>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Vector512<float> lower, Vector512<float> upper, byte* row)
        {
            Vector512<ushort> codes = Vector512.Narrow(Code(lower), Code(upper));
            Vector256.Narrow(codes.GetLower(), codes.GetUpper()).Store(row);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<uint> Code(Vector512<float> values)
        {
            Vector512<uint> moved = (values * Vector512.Create(1 / BiasScale)).AsUInt32();
            Vector512<uint> magnitude = Vector512.ShiftRightLogical(moved, FractionShift) & Vector512.Create(0x7Fu);
            return magnitude | Vector512.ShiftLeft(Vector512.ShiftRightLogical(moved, 31), 7);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<float> Widen(byte* codes)
        {
            Vector128<byte> bytes = Vector128.Load(codes);
            Vector512<int> wide = Avx512F.IsSupported
                ? Avx512F.ConvertToVector512Int32(bytes)
                : Vector512.Create(
                    Vector256.Create(
                        Vector128.WidenLower(Vector128.WidenLower(bytes)),
                        Vector128.WidenUpper(Vector128.WidenLower(bytes))),
                    Vector256.Create(
                        Vector128.WidenLower(Vector128.WidenUpper(bytes)),
                        Vector128.WidenUpper(Vector128.WidenUpper(bytes)))).AsInt32();

            // The sign goes to bit 31 and the arithmetic shift spreads it; the mask keeps one copy of it.
            Vector512<int> spread = Vector512.ShiftRightArithmetic(Vector512.ShiftLeft(wide, 24), 4);
            return (spread & Vector512.Create(unchecked((int)0x87F00000))).AsSingle();
        }
    }
}
