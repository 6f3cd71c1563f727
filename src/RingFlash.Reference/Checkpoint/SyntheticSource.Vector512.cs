using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

// Lanes: a vector of eight 64-bit states makes eight elements; two of them, for the even and the odd positions among
// sixteen, fill one vector of float32. The states walk by addition: element i + 1 is one golden step further, and in a
// panel the row below is (columns) steps further. Remainder: Element itself. Equal to Element because every step is one
// integer operation or one correctly rounded float32 operation per lane.
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
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        Entry entry = Require(tensor);
        PanelArguments.Check(entry.Tensor, firstRow, firstColumn, columnCount, panel.Length);
        long columns = entry.Tensor.Shape[1];
        int rows = (int)Math.Clamp(entry.Tensor.Shape[0] - firstRow, 0, PanelArguments.Lanes);
        ulong state = State(entry, (firstRow * columns) + firstColumn);
        ulong rowStep = unchecked((ulong)columns * Golden);
        FillPanel(panel[..(columnCount * PanelArguments.Lanes)], state, rowStep, rows, entry.Offset, entry.Scale);
    }

    // The loops have methods of their own that call nothing: only then does the compiler keep the states in registers.
    // In the callers they lived on the stack, across cache lines, and ReadPanel was five times slower.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void FillRun(Span<float> destination, ulong state, float offset, float scale)
    {
        Values values = new(offset, scale);
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
            values.Make(even0, odd0).StoreUnsafe(ref target, index);
            values.Make(even1, odd1).StoreUnsafe(ref target, index + SinglesPerVector);
            even0 += step;
            odd0 += step;
            even1 += step;
            odd1 += step;
        }
    }

    // Lanes are rows: 0, 2, … 14 and 1, 3, … 15 make the first sixteen, 16 … 31 the second.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void FillPanel(
        Span<float> panel,
        ulong state,
        ulong rowStep,
        int rows,
        float offset,
        float scale)
    {
        Values values = new(offset, scale);
        Vector512<ulong> even0 = States(state, unchecked(2 * rowStep));
        Vector512<ulong> odd0 = even0 + Vector512.Create(rowStep);
        Vector512<ulong> half = Vector512.Create(unchecked(SinglesPerVector * rowStep));
        Vector512<ulong> even1 = even0 + half;
        Vector512<ulong> odd1 = odd0 + half;
        Vector512<ulong> step = Vector512.Create(Golden);

        // Rows beyond the matrix are computed like any other and then cleared: cheaper than a branch.
        Vector512<int> lanes = Vector512<int>.Indices;
        Vector512<int> rowCount = Vector512.Create(rows);
        Vector512<float> keep0 = Vector512.LessThan(lanes, rowCount).AsSingle();
        Vector512<float> keep1 = Vector512.LessThan(lanes + Vector512.Create(SinglesPerVector), rowCount).AsSingle();
        ref float target = ref MemoryMarshal.GetReference(panel);
        nuint end = (nuint)panel.Length;
        for (nuint index = 0; index < end; index += 2 * SinglesPerVector)
        {
            (values.Make(even0, odd0) & keep0).StoreUnsafe(ref target, index);
            (values.Make(even1, odd1) & keep1).StoreUnsafe(ref target, index + SinglesPerVector);
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
        private readonly Vector512<float> offset;
        private readonly Vector512<float> scale;

        public Values(float offset, float scale)
        {
            this.offset = Vector512.Create(offset);

            // v = (2·bits − 2²⁴) / 2²⁴ = (bits − 2²³) · 2⁻²³. The power of two moves into the scale: multiplying by it
            // is exact, so the rounding of v · scale is the same.
            this.scale = Vector512.Create(scale * (1f / (1 << 23)));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Make(Vector512<ulong> even, Vector512<ulong> odd)
        {
            // Element's upper 24 bits, even states in the lower half of each 64-bit lane, odd states in the upper half:
            // as 32-bit lanes they stand in order.
            Vector512<ulong> upperHalf = Vector512.Create(0xFFFFFFFF00000000);
            Vector512<ulong> evenBits = Vector512.ShiftRightLogical(MixUpperBits(even), 40);
            Vector512<ulong> oddBits = Vector512.ShiftRightLogical(MixUpperBits(odd), 8) & upperHalf;
            Vector512<int> centred = (evenBits | oddBits).AsInt32() - Vector512.Create(1 << 23);
            Vector512<float> scaled = Vector512.ConvertToSingle(centred) * scale;
            return BFloat16.Round(offset + scaled);
        }

        // SplitMix64 without its last step: z ^ (z >> 31) changes only the lower 33 bits, and the upper 24 are used.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<ulong> MixUpperBits(Vector512<ulong> z)
        {
            z = (z ^ Vector512.ShiftRightLogical(z, 30)) * Vector512.Create(FirstMultiplier);
            return (z ^ Vector512.ShiftRightLogical(z, 27)) * Vector512.Create(SecondMultiplier);
        }
    }
}
