using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// The micro-kernel of every product with a weight: up to twelve input rows times one panel of 32 outputs. A lane owns
/// an output, so each output sees exactly the chain of <see cref="Summation.Dot"/>: fused multiply-adds in ascending k
/// within a block of 128, block sums added to the total in ascending order.
/// </summary>
/// <remarks>
/// Twelve rows times two vectors are 24 sums, two vectors of weights and one input: 27 of the 32 registers of AVX-512.
/// A weight is widened once for all rows of the tile. Inputs are packed [block, row, 128], so that one pointer and
/// constant distances reach every row; rows of their own would sit 4096 floats apart, in one set of the first-level
/// cache.
/// </remarks>
internal static unsafe class ProductKernel
{
    /// <summary>Outputs per panel: two vectors of sixteen lanes.</summary>
    public const int PanelWidth = 32;

    // Few rows wait for memory: the processor fetches such a stream by itself, but stops at the end of a page, and a
    // line of each page to come keeps it going; more only gets in its way. From six rows for each line on there is time
    // between two lines, and fetching each of them pays. Shares of the bound, bfloat16, Zen 4, pages against lines:
    // 1 row 0.94, 0.86; 4 rows 0.87, 0.79; 8 rows 0.91, 0.94; 12 rows 0.85, 0.97.
    private const int RowsPerLine = 6;
    private const int PageDistance = 8192;
    private const int PageBytes = 4096;
    private const int LineDistance = 4096;
    private const int LineBytes = 64;

    /// <summary>
    /// The most rows of a tile. Without AVX-512 a row takes four of sixteen registers, so three rows are the most.
    /// </summary>
    public static int MostRows => Vector512.IsHardwareAccelerated ? 12 : 3;

    /// <summary>Adds the products over some blocks of k to the running totals.</summary>
    /// <param name="format">How the panel is stored: F32, BF16 or F8_E4M3.</param>
    /// <param name="rows">Rows of the tile, 1 … 12.</param>
    /// <param name="tile">What is multiplied.</param>
    public static void Accumulate(PanelFormat format, int rows, in ProductTileArguments tile)
    {
        switch (format)
        {
            case PanelFormat.Float32:
                Accumulate<PanelFormats.Float32>(rows, tile);
                break;
            case PanelFormat.BFloat16:
                Accumulate<PanelFormats.BFloat16>(rows, tile);
                break;
            default:
                Accumulate<PanelFormats.Float8E4M3>(rows, tile);
                break;
        }
    }

    private static void Accumulate<TPanel>(int rows, in ProductTileArguments tile)
        where TPanel : struct, IPanelFormat
    {
        switch (rows)
        {
            case 1:
                Accumulate<TPanel, RowCounts.One>(tile);
                break;
            case 2:
                Accumulate<TPanel, RowCounts.Two>(tile);
                break;
            case 3:
                Accumulate<TPanel, RowCounts.Three>(tile);
                break;
            case 4:
                Accumulate<TPanel, RowCounts.Four>(tile);
                break;
            case 5:
                Accumulate<TPanel, RowCounts.Five>(tile);
                break;
            case 6:
                Accumulate<TPanel, RowCounts.Six>(tile);
                break;
            case 7:
                Accumulate<TPanel, RowCounts.Seven>(tile);
                break;
            case 8:
                Accumulate<TPanel, RowCounts.Eight>(tile);
                break;
            case 9:
                Accumulate<TPanel, RowCounts.Nine>(tile);
                break;
            case 10:
                Accumulate<TPanel, RowCounts.Ten>(tile);
                break;
            case 11:
                Accumulate<TPanel, RowCounts.Eleven>(tile);
                break;
            case 12:
                Accumulate<TPanel, RowCounts.Twelve>(tile);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(rows));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate<TPanel, TRows>(in ProductTileArguments tile)
        where TPanel : struct, IPanelFormat
        where TRows : struct, IRowCount
    {
        const int Block = Summation.BlockLength;
        float* input = tile.Input, totals = tile.Totals;
        byte* weights = tile.Panel;
        for (int block = 0; block * Block < tile.Columns; block++)
        {
            byte* end = weights + ((long)Math.Min(Block, tile.Columns - (block * Block)) * TPanel.RowBytes);
            float weightScale = tile.WeightScales == null ? 1f : tile.WeightScales[block];
            Vector512<float> prepared = TPanel.Prepare(tile.InputScales == null ? weightScale : 1f);
            Vector512<float> sum0L = Vector512<float>.Zero, sum0U = Vector512<float>.Zero;
            Vector512<float> sum1L = Vector512<float>.Zero, sum1U = Vector512<float>.Zero;
            Vector512<float> sum2L = Vector512<float>.Zero, sum2U = Vector512<float>.Zero;
            Vector512<float> sum3L = Vector512<float>.Zero, sum3U = Vector512<float>.Zero;
            Vector512<float> sum4L = Vector512<float>.Zero, sum4U = Vector512<float>.Zero;
            Vector512<float> sum5L = Vector512<float>.Zero, sum5U = Vector512<float>.Zero;
            Vector512<float> sum6L = Vector512<float>.Zero, sum6U = Vector512<float>.Zero;
            Vector512<float> sum7L = Vector512<float>.Zero, sum7U = Vector512<float>.Zero;
            Vector512<float> sum8L = Vector512<float>.Zero, sum8U = Vector512<float>.Zero;
            Vector512<float> sum9L = Vector512<float>.Zero, sum9U = Vector512<float>.Zero;
            Vector512<float> sum10L = Vector512<float>.Zero, sum10U = Vector512<float>.Zero;
            Vector512<float> sum11L = Vector512<float>.Zero, sum11U = Vector512<float>.Zero;
            if (TRows.Count * LineBytes < RowsPerLine * TPanel.RowBytes && Sse.IsSupported)
            {
                for (byte* page = weights; page < end; page += PageBytes)
                {
                    Sse.Prefetch1(page + PageDistance);
                }
            }

            if (TRows.Count == 1)
            {
                // One row does little per weight: four k in a turn let the processor see further ahead, and widening
                // all four first keeps it busy while the sums wait for each other.
                for (; weights + (4 * TPanel.RowBytes) <= end; weights += 4 * TPanel.RowBytes, input += 4)
                {
                    Widen<TPanel>(weights, 0, prepared, out Vector512<float> lower0, out Vector512<float> upper0);
                    Widen<TPanel>(weights, 1, prepared, out Vector512<float> lower1, out Vector512<float> upper1);
                    Widen<TPanel>(weights, 2, prepared, out Vector512<float> lower2, out Vector512<float> upper2);
                    Widen<TPanel>(weights, 3, prepared, out Vector512<float> lower3, out Vector512<float> upper3);
                    sum0L = Vector512.FusedMultiplyAdd(Vector512.Create(input[0]), lower0, sum0L);
                    sum0U = Vector512.FusedMultiplyAdd(Vector512.Create(input[0]), upper0, sum0U);
                    sum0L = Vector512.FusedMultiplyAdd(Vector512.Create(input[1]), lower1, sum0L);
                    sum0U = Vector512.FusedMultiplyAdd(Vector512.Create(input[1]), upper1, sum0U);
                    sum0L = Vector512.FusedMultiplyAdd(Vector512.Create(input[2]), lower2, sum0L);
                    sum0U = Vector512.FusedMultiplyAdd(Vector512.Create(input[2]), upper2, sum0U);
                    sum0L = Vector512.FusedMultiplyAdd(Vector512.Create(input[3]), lower3, sum0L);
                    sum0U = Vector512.FusedMultiplyAdd(Vector512.Create(input[3]), upper3, sum0U);
                }
            }

            while (weights < end)
            {
                if (TRows.Count * LineBytes >= RowsPerLine * TPanel.RowBytes && Sse.IsSupported)
                {
                    Sse.Prefetch0(weights + LineDistance);
                    if (TPanel.RowBytes > LineBytes)
                    {
                        Sse.Prefetch0(weights + LineDistance + LineBytes);
                    }
                }

                TPanel.Widen(weights, prepared, out Vector512<float> lower, out Vector512<float> upper);
                weights += TPanel.RowBytes;
                Vector512<float> x = Vector512.Create(input[0]);
                sum0L = Vector512.FusedMultiplyAdd(x, lower, sum0L);
                sum0U = Vector512.FusedMultiplyAdd(x, upper, sum0U);
                if (TRows.Count > 1)
                {
                    x = Vector512.Create(input[1 * Block]);
                    sum1L = Vector512.FusedMultiplyAdd(x, lower, sum1L);
                    sum1U = Vector512.FusedMultiplyAdd(x, upper, sum1U);
                }

                if (TRows.Count > 2)
                {
                    x = Vector512.Create(input[2 * Block]);
                    sum2L = Vector512.FusedMultiplyAdd(x, lower, sum2L);
                    sum2U = Vector512.FusedMultiplyAdd(x, upper, sum2U);
                }

                if (TRows.Count > 3)
                {
                    x = Vector512.Create(input[3 * Block]);
                    sum3L = Vector512.FusedMultiplyAdd(x, lower, sum3L);
                    sum3U = Vector512.FusedMultiplyAdd(x, upper, sum3U);
                }

                if (TRows.Count > 4)
                {
                    x = Vector512.Create(input[4 * Block]);
                    sum4L = Vector512.FusedMultiplyAdd(x, lower, sum4L);
                    sum4U = Vector512.FusedMultiplyAdd(x, upper, sum4U);
                }

                if (TRows.Count > 5)
                {
                    x = Vector512.Create(input[5 * Block]);
                    sum5L = Vector512.FusedMultiplyAdd(x, lower, sum5L);
                    sum5U = Vector512.FusedMultiplyAdd(x, upper, sum5U);
                }

                if (TRows.Count > 6)
                {
                    x = Vector512.Create(input[6 * Block]);
                    sum6L = Vector512.FusedMultiplyAdd(x, lower, sum6L);
                    sum6U = Vector512.FusedMultiplyAdd(x, upper, sum6U);
                }

                if (TRows.Count > 7)
                {
                    x = Vector512.Create(input[7 * Block]);
                    sum7L = Vector512.FusedMultiplyAdd(x, lower, sum7L);
                    sum7U = Vector512.FusedMultiplyAdd(x, upper, sum7U);
                }

                if (TRows.Count > 8)
                {
                    x = Vector512.Create(input[8 * Block]);
                    sum8L = Vector512.FusedMultiplyAdd(x, lower, sum8L);
                    sum8U = Vector512.FusedMultiplyAdd(x, upper, sum8U);
                }

                if (TRows.Count > 9)
                {
                    x = Vector512.Create(input[9 * Block]);
                    sum9L = Vector512.FusedMultiplyAdd(x, lower, sum9L);
                    sum9U = Vector512.FusedMultiplyAdd(x, upper, sum9U);
                }

                if (TRows.Count > 10)
                {
                    x = Vector512.Create(input[10 * Block]);
                    sum10L = Vector512.FusedMultiplyAdd(x, lower, sum10L);
                    sum10U = Vector512.FusedMultiplyAdd(x, upper, sum10U);
                }

                if (TRows.Count > 11)
                {
                    x = Vector512.Create(input[11 * Block]);
                    sum11L = Vector512.FusedMultiplyAdd(x, lower, sum11L);
                    sum11U = Vector512.FusedMultiplyAdd(x, upper, sum11U);
                }

                input++;
            }

            input += (TRows.Count - 1) * Block;
            if (tile.InputScales != null)
            {
                // Bare codes were summed: now the activation scale, then the weight scale.
                float* scales = tile.InputScales + (block * TRows.Count);
                sum0L = sum0L * scales[0] * weightScale;
                sum0U = sum0U * scales[0] * weightScale;
                if (TRows.Count > 1)
                {
                    sum1L = sum1L * scales[1] * weightScale;
                    sum1U = sum1U * scales[1] * weightScale;
                }

                if (TRows.Count > 2)
                {
                    sum2L = sum2L * scales[2] * weightScale;
                    sum2U = sum2U * scales[2] * weightScale;
                }

                if (TRows.Count > 3)
                {
                    sum3L = sum3L * scales[3] * weightScale;
                    sum3U = sum3U * scales[3] * weightScale;
                }

                if (TRows.Count > 4)
                {
                    sum4L = sum4L * scales[4] * weightScale;
                    sum4U = sum4U * scales[4] * weightScale;
                }

                if (TRows.Count > 5)
                {
                    sum5L = sum5L * scales[5] * weightScale;
                    sum5U = sum5U * scales[5] * weightScale;
                }

                if (TRows.Count > 6)
                {
                    sum6L = sum6L * scales[6] * weightScale;
                    sum6U = sum6U * scales[6] * weightScale;
                }

                if (TRows.Count > 7)
                {
                    sum7L = sum7L * scales[7] * weightScale;
                    sum7U = sum7U * scales[7] * weightScale;
                }

                if (TRows.Count > 8)
                {
                    sum8L = sum8L * scales[8] * weightScale;
                    sum8U = sum8U * scales[8] * weightScale;
                }

                if (TRows.Count > 9)
                {
                    sum9L = sum9L * scales[9] * weightScale;
                    sum9U = sum9U * scales[9] * weightScale;
                }

                if (TRows.Count > 10)
                {
                    sum10L = sum10L * scales[10] * weightScale;
                    sum10U = sum10U * scales[10] * weightScale;
                }

                if (TRows.Count > 11)
                {
                    sum11L = sum11L * scales[11] * weightScale;
                    sum11U = sum11U * scales[11] * weightScale;
                }
            }

            Add(totals, sum0L, sum0U);
            if (TRows.Count > 1)
            {
                Add(totals + (1 * PanelWidth), sum1L, sum1U);
            }

            if (TRows.Count > 2)
            {
                Add(totals + (2 * PanelWidth), sum2L, sum2U);
            }

            if (TRows.Count > 3)
            {
                Add(totals + (3 * PanelWidth), sum3L, sum3U);
            }

            if (TRows.Count > 4)
            {
                Add(totals + (4 * PanelWidth), sum4L, sum4U);
            }

            if (TRows.Count > 5)
            {
                Add(totals + (5 * PanelWidth), sum5L, sum5U);
            }

            if (TRows.Count > 6)
            {
                Add(totals + (6 * PanelWidth), sum6L, sum6U);
            }

            if (TRows.Count > 7)
            {
                Add(totals + (7 * PanelWidth), sum7L, sum7U);
            }

            if (TRows.Count > 8)
            {
                Add(totals + (8 * PanelWidth), sum8L, sum8U);
            }

            if (TRows.Count > 9)
            {
                Add(totals + (9 * PanelWidth), sum9L, sum9U);
            }

            if (TRows.Count > 10)
            {
                Add(totals + (10 * PanelWidth), sum10L, sum10U);
            }

            if (TRows.Count > 11)
            {
                Add(totals + (11 * PanelWidth), sum11L, sum11U);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* total, Vector512<float> lower, Vector512<float> upper)
    {
        (Vector512.Load(total) + lower).Store(total);
        (Vector512.Load(total + 16) + upper).Store(total + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen<TPanel>(
        byte* weights, int k, Vector512<float> prepared, out Vector512<float> lower, out Vector512<float> upper)
        where TPanel : struct, IPanelFormat =>
        TPanel.Widen(weights + (k * TPanel.RowBytes), prepared, out lower, out upper);
}
