using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// One input row times two panels of e4m3 codes at once. A row of 32 codes is only 32 bytes, but each of its two sums
/// waits four cycles for the last fused multiply-add: one panel alone cannot be faster than 8 bytes a cycle, whatever
/// the memory gives. Two panels have four sums under way. Every output sees the chain of
/// <see cref="ProductKernel"/>.
/// </summary>
internal static unsafe class TwoPanelKernel
{
    private const int PageDistance = 8192; // as in ProductKernel: one line of each page to come keeps the stream going

    /// <summary>Adds the products over some blocks of k to the running totals of both panels.</summary>
    /// <param name="first">One row and the first panel; without input scales.</param>
    /// <param name="secondPanel">[columns, 32]: the second panel.</param>
    /// <param name="secondScales">[blocks]: its scales.</param>
    /// <param name="secondTotals">[32], read and written.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate(
        in ProductTileArguments first, byte* secondPanel, float* secondScales, float* secondTotals)
    {
        const int RowBytes = 32;
        float* input = first.Input;
        byte* a = first.Panel, b = secondPanel;
        for (int block = 0; block * Summation.BlockLength < first.Columns; block++)
        {
            int count = Math.Min(Summation.BlockLength, first.Columns - (block * Summation.BlockLength));
            Vector512<float> scaleA = PanelFormats.Float8E4M3.Prepare(first.WeightScales[block]);
            Vector512<float> scaleB = PanelFormats.Float8E4M3.Prepare(secondScales[block]);
            Vector512<float> sumAL = Vector512<float>.Zero, sumAU = Vector512<float>.Zero;
            Vector512<float> sumBL = Vector512<float>.Zero, sumBU = Vector512<float>.Zero;
            if (Sse.IsSupported)
            {
                Sse.Prefetch1(a + PageDistance); // a block of a panel is one page
                Sse.Prefetch1(b + PageDistance);
            }

            int k = 0;
            for (; k <= count - 2; k += 2)
            {
                Widen(a, scaleA, out Vector512<float> a0L, out Vector512<float> a0U);
                Widen(b, scaleB, out Vector512<float> b0L, out Vector512<float> b0U);
                Widen(a + RowBytes, scaleA, out Vector512<float> a1L, out Vector512<float> a1U);
                Widen(b + RowBytes, scaleB, out Vector512<float> b1L, out Vector512<float> b1U);
                Vector512<float> x = Vector512.Create(input[k]);
                sumAL = Vector512.FusedMultiplyAdd(x, a0L, sumAL);
                sumAU = Vector512.FusedMultiplyAdd(x, a0U, sumAU);
                sumBL = Vector512.FusedMultiplyAdd(x, b0L, sumBL);
                sumBU = Vector512.FusedMultiplyAdd(x, b0U, sumBU);
                x = Vector512.Create(input[k + 1]);
                sumAL = Vector512.FusedMultiplyAdd(x, a1L, sumAL);
                sumAU = Vector512.FusedMultiplyAdd(x, a1U, sumAU);
                sumBL = Vector512.FusedMultiplyAdd(x, b1L, sumBL);
                sumBU = Vector512.FusedMultiplyAdd(x, b1U, sumBU);
                a += 2 * RowBytes;
                b += 2 * RowBytes;
            }

            for (; k < count; k++)
            {
                Widen(a, scaleA, out Vector512<float> aL, out Vector512<float> aU);
                Widen(b, scaleB, out Vector512<float> bL, out Vector512<float> bU);
                Vector512<float> x = Vector512.Create(input[k]);
                sumAL = Vector512.FusedMultiplyAdd(x, aL, sumAL);
                sumAU = Vector512.FusedMultiplyAdd(x, aU, sumAU);
                sumBL = Vector512.FusedMultiplyAdd(x, bL, sumBL);
                sumBU = Vector512.FusedMultiplyAdd(x, bU, sumBU);
                a += RowBytes;
                b += RowBytes;
            }

            input += count;
            Add(first.Totals, sumAL, sumAU);
            Add(secondTotals, sumBL, sumBU);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen(
        byte* row, Vector512<float> scale, out Vector512<float> lower, out Vector512<float> upper) =>
        PanelFormats.Float8E4M3.Widen(row, scale, out lower, out upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* total, Vector512<float> lower, Vector512<float> upper)
    {
        (Vector512.Load(total) + lower).Store(total);
        (Vector512.Load(total + 16) + upper).Store(total + 16);
    }
}
