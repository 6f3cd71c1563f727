using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

// Lanes: a vector of eight 64-bit states makes eight elements; two of them, for the even and the odd positions among
// sixteen, fill one vector of float32, and two such pairs are a step. The states walk by addition: element i + 1 is one
// golden step further, and in a panel the row below is (columns) steps further. Remainder: Element itself. Equal to
// Element because every step is one integer operation or one correctly rounded float32 operation per lane.
public sealed partial class SyntheticSource
{
    private const int SinglesPerVector = 16;

    /// <inheritdoc/>
    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        Entry entry = Require(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstElement, entry.ElementCount - destination.Length);
        int vectorised = destination.Length / (2 * SinglesPerVector) * (2 * SinglesPerVector);
        FillRun(destination[..vectorised], State(entry, firstElement), entry.Offset, entry.Scale);
        for (int index = vectorised; index < destination.Length; index++)
        {
            destination[index] = Element(entry.SequenceBase, firstElement + index, entry.Offset, entry.Scale);
        }
    }

    /// <inheritdoc/>
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel) =>
        PackPanel(
            tensor, firstRow, firstColumn, columnCount, PanelFormat.Float32, [], MemoryMarshal.AsBytes(panel));

    /// <inheritdoc/>
    public unsafe bool PackPanel(
        TensorInfo tensor,
        long firstRow,
        long firstColumn,
        int columnCount,
        PanelFormat format,
        Span<float> scratch,
        Span<byte> panel)
    {
        Entry entry = Require(tensor);
        int rowBytes = PanelFormats.RowBytes(format);
        PanelArguments.Check(
            entry.Tensor, firstRow, firstColumn, columnCount, panel.Length / rowBytes * PanelArguments.Lanes);
        long columns = entry.Tensor.Shape[1];
        int rows = (int)Math.Clamp(entry.Tensor.Shape[0] - firstRow, 0, PanelArguments.Lanes);
        ulong state = State(entry, (firstRow * columns) + firstColumn);
        ulong rowStep = unchecked((ulong)columns * Golden);
        fixed (byte* start = panel)
        {
            byte* end = start + ((long)columnCount * rowBytes);
            switch (format)
            {
                case PanelFormat.Float32:
                    FillPanel<PanelFormats.Float32>(start, end, state, rowStep, rows, entry.Offset, entry.Scale);
                    break;
                case PanelFormat.BFloat16:
                    FillPanel<PanelFormats.BFloat16>(start, end, state, rowStep, rows, entry.Offset, entry.Scale);
                    break;
                default:
                    FillPanel<PanelFormats.Float8E4M3>(start, end, state, rowStep, rows, entry.Offset, entry.Scale);
                    break;
            }
        }

        return true;
    }

    // The loops have methods of their own that call nothing: only then does the compiler keep the states in registers.
    // In the callers they lived on the stack, across cache lines, and ReadPanel was five times slower.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillRun(Span<float> destination, ulong state, float offset, float scale)
    {
        Values values = new(offset, scale, 2 * SinglesPerVector);
        Vector512<ulong> even0 = States(state, unchecked(2 * Golden));
        Vector512<ulong> odd0 = even0 + Vector512.Create(Golden);
        Vector512<ulong> half = Vector512.Create(unchecked(SinglesPerVector * Golden));
        Vector512<ulong> even1 = even0 + half;
        Vector512<ulong> odd1 = odd0 + half;
        Vector512<ulong> step = half + half;
        ref float target = ref MemoryMarshal.GetReference(destination);
        nuint end = (nuint)destination.Length;
        for (nuint index = 0; index < end; index += 2 * SinglesPerVector)
        {
            values.Make(even0, odd0, even1, odd1, out Vector512<float> first, out Vector512<float> second);
            first.StoreUnsafe(ref target, index);
            second.StoreUnsafe(ref target, index + SinglesPerVector);
            even0 += step;
            odd0 += step;
            even1 += step;
            odd1 += step;
        }
    }

    // Lanes are rows: 0, 2, … 14 and 1, 3, … 15 make the first sixteen, 16 … 31 the second.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void FillPanel<TPanel>(
        byte* target,
        byte* end,
        ulong state,
        ulong rowStep,
        int rows,
        float offset,
        float scale)
        where TPanel : struct, IPanelFormat
    {
        Values values = new(offset, scale, rows);
        Vector512<ulong> even0 = States(state, unchecked(2 * rowStep));
        Vector512<ulong> odd0 = even0 + Vector512.Create(rowStep);
        Vector512<ulong> half = Vector512.Create(unchecked(SinglesPerVector * rowStep));
        Vector512<ulong> even1 = even0 + half;
        Vector512<ulong> odd1 = odd0 + half;
        Vector512<ulong> step = Vector512.Create(Golden);
        for (; target < end; target += TPanel.RowBytes)
        {
            values.Make(even0, odd0, even1, odd1, out Vector512<float> lower, out Vector512<float> upper);
            TPanel.Store(lower, upper, target);
            even0 += step;
            odd0 += step;
            even1 += step;
            odd1 += step;
        }
    }

    private static ulong State(Entry entry, long index) =>
        unchecked(entry.SequenceBase + (((ulong)index + 1) * Golden));

    // Eight states, before mixing: first, first + step, … first + 7·step.
    private static Vector512<ulong> States(ulong first, ulong step) =>
        Vector512.Create(first) + (Vector512<ulong>.Indices * Vector512.Create(step));

    /// <summary>Turns states into weights; holds the constants so that they stay in registers.</summary>
    private readonly struct Values
    {
        private readonly Vector512<float> offset0;
        private readonly Vector512<float> offset1;
        private readonly Vector512<float> scale0;
        private readonly Vector512<float> scale1;

        /// <summary>Sets the distribution.</summary>
        /// <param name="offset">The middle of the range.</param>
        /// <param name="scale">Half its width.</param>
        /// <param name="count">Of the 32 lanes, those from here on give +0: range and middle are 0.</param>
        public Values(float offset, float scale, int count)
        {
            Vector512<int> lanes = Vector512<int>.Indices;
            Vector512<float> keep0 = Vector512.LessThan(lanes, Vector512.Create(count)).AsSingle();
            Vector512<float> keep1 = Vector512.LessThan(lanes, Vector512.Create(count - SinglesPerVector)).AsSingle();
            offset0 = Vector512.Create(offset) & keep0;
            offset1 = Vector512.Create(offset) & keep1;

            // v = (2·bits − 2²⁴) / 2²⁴ = (bits − 2²³)·2⁸ · 2⁻³¹. The power of two moves into the scale: multiplying by
            // it is exact, so the rounding of v · scale is the same.
            Vector512<float> scaled = Vector512.Create(scale * (1f / (1u << 31)));
            scale0 = scaled & keep0;
            scale1 = scaled & keep1;
        }

        /// <summary>
        /// SplitMix64 without its last step (z ^ (z >> 31) changes only the lower 33 bits, and the upper 24 are used)
        /// for four vectors at once: what follows a multiplication waits for it, and the other three fill the time.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Make(
            Vector512<ulong> even0,
            Vector512<ulong> odd0,
            Vector512<ulong> even1,
            Vector512<ulong> odd1,
            out Vector512<float> first,
            out Vector512<float> second)
        {
            Vector512<ulong> multiplier = Vector512.Create(FirstMultiplier);
            even0 ^= Vector512.ShiftRightLogical(even0, 30);
            odd0 ^= Vector512.ShiftRightLogical(odd0, 30);
            even1 ^= Vector512.ShiftRightLogical(even1, 30);
            odd1 ^= Vector512.ShiftRightLogical(odd1, 30);
            even0 *= multiplier;
            odd0 *= multiplier;
            even1 *= multiplier;
            odd1 *= multiplier;
            multiplier = Vector512.Create(SecondMultiplier);
            even0 ^= Vector512.ShiftRightLogical(even0, 27);
            odd0 ^= Vector512.ShiftRightLogical(odd0, 27);
            even1 ^= Vector512.ShiftRightLogical(even1, 27);
            odd1 ^= Vector512.ShiftRightLogical(odd1, 27);
            even0 *= multiplier;
            odd0 *= multiplier;
            even1 *= multiplier;
            odd1 *= multiplier;
            Vector512<float> scaled0 = Vector512.ConvertToSingle(Centred(even0, odd0)) * scale0;
            Vector512<float> scaled1 = Vector512.ConvertToSingle(Centred(even1, odd1)) * scale1;
            first = Round(scaled0 + offset0);
            second = Round(scaled1 + offset1);
        }

        // (bits − 2²³)·2⁸ of Element's upper 24 bits: turning the top bit subtracts 2³¹. Even states go to the lower
        // half of each 64-bit lane, odd states to the upper half: as 32-bit lanes they stand in order.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<int> Centred(Vector512<ulong> even, Vector512<ulong> odd)
        {
            Vector512<uint> upperHalves = Vector512.ConditionalSelect(
                Vector512.Create(0xFFFFFFFF00000000), odd, Vector512.ShiftRightLogical(even, 32)).AsUInt32();
            return ((upperHalves & Vector512.Create(0xFFFFFF00u)) ^ Vector512.Create(0x80000000u)).AsInt32();
        }

        // To bfloat16, nearest, ties to even: with 2^e the power of two at or below the number and its sign, float32
        // numbers beside 2^(e+16) lie 2^(e−7) apart, as bfloat16 numbers beside 2^e do. For what is made here: finite,
        // far from the ends of the range, and zero only as +0.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<float> Round(Vector512<float> values)
        {
            Vector512<uint> power = values.AsUInt32() & Vector512.Create(0xFF800000u);
            Vector512<float> shift = (power + Vector512.Create(16u << 23)).AsSingle();
            return values + shift - shift;
        }
    }
}
