using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// The micro-kernel of every matrix product: four input rows times one panel of 32 outputs. A lane owns an output, so
/// each output sees exactly the chain of <see cref="Summation.Dot"/>: fused multiply-adds in ascending k within a block
/// of 128, block sums added to the total in ascending order.
/// </summary>
internal static unsafe class ProductTile
{
    /// <summary>Outputs per panel: two vectors of sixteen lanes.</summary>
    public const int PanelWidth = 32;

    /// <summary>
    /// Input rows per tile. 4 × 2 accumulators are the eight chains that hide the latency of a fused multiply-add.
    /// </summary>
    public const int RowCount = 4;

    /// <summary>Adds the products over <paramref name="columns"/> k to the running totals.</summary>
    /// <param name="row0">Input row 0, at the first k of the panel; rows may repeat.</param>
    /// <param name="row1">Input row 1.</param>
    /// <param name="row2">Input row 2.</param>
    /// <param name="row3">Input row 3.</param>
    /// <param name="panel">[columns, 32], the weights transposed.</param>
    /// <param name="columns">The number of k; the first is at a multiple of 128.</param>
    /// <param name="totals">[4, 32], read and written.</param>
    /// <param name="inputScales">[4] pointers to the scales of each row's 128-blocks, or null when unscaled.</param>
    /// <param name="weightScales">The scales of the panel's 128-blocks; read only with
    /// <paramref name="inputScales"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate(
        float* row0,
        float* row1,
        float* row2,
        float* row3,
        float* panel,
        int columns,
        float* totals,
        float** inputScales = null,
        float* weightScales = null)
    {
        for (int block = 0; block < columns; block += Summation.BlockLength)
        {
            int end = block + Summation.BlockLength < columns ? block + Summation.BlockLength : columns;
            Vector512<float> sum00 = Vector512<float>.Zero, sum01 = Vector512<float>.Zero;
            Vector512<float> sum10 = Vector512<float>.Zero, sum11 = Vector512<float>.Zero;
            Vector512<float> sum20 = Vector512<float>.Zero, sum21 = Vector512<float>.Zero;
            Vector512<float> sum30 = Vector512<float>.Zero, sum31 = Vector512<float>.Zero;
            float* weights = panel + ((long)block * PanelWidth);
            for (int k = block; k < end; k++)
            {
                Vector512<float> weights0 = Vector512.Load(weights);
                Vector512<float> weights1 = Vector512.Load(weights + 16);
                weights += PanelWidth;
                Vector512<float> input = Vector512.Create(row0[k]);
                sum00 = Vector512.FusedMultiplyAdd(input, weights0, sum00);
                sum01 = Vector512.FusedMultiplyAdd(input, weights1, sum01);
                input = Vector512.Create(row1[k]);
                sum10 = Vector512.FusedMultiplyAdd(input, weights0, sum10);
                sum11 = Vector512.FusedMultiplyAdd(input, weights1, sum11);
                input = Vector512.Create(row2[k]);
                sum20 = Vector512.FusedMultiplyAdd(input, weights0, sum20);
                sum21 = Vector512.FusedMultiplyAdd(input, weights1, sum21);
                input = Vector512.Create(row3[k]);
                sum30 = Vector512.FusedMultiplyAdd(input, weights0, sum30);
                sum31 = Vector512.FusedMultiplyAdd(input, weights1, sum31);
            }

            if (inputScales != null)
            {
                // Block FP8: the bare codes were summed; now activation scale first, then weight scale.
                int index = block / Summation.BlockLength;
                Vector512<float> weightScale = Vector512.Create(weightScales[index]);
                sum00 = sum00 * inputScales[0][index] * weightScale;
                sum01 = sum01 * inputScales[0][index] * weightScale;
                sum10 = sum10 * inputScales[1][index] * weightScale;
                sum11 = sum11 * inputScales[1][index] * weightScale;
                sum20 = sum20 * inputScales[2][index] * weightScale;
                sum21 = sum21 * inputScales[2][index] * weightScale;
                sum30 = sum30 * inputScales[3][index] * weightScale;
                sum31 = sum31 * inputScales[3][index] * weightScale;
            }

            (Vector512.Load(totals) + sum00).Store(totals);
            (Vector512.Load(totals + 16) + sum01).Store(totals + 16);
            (Vector512.Load(totals + 32) + sum10).Store(totals + 32);
            (Vector512.Load(totals + 48) + sum11).Store(totals + 48);
            (Vector512.Load(totals + 64) + sum20).Store(totals + 64);
            (Vector512.Load(totals + 80) + sum21).Store(totals + 80);
            (Vector512.Load(totals + 96) + sum30).Store(totals + 96);
            (Vector512.Load(totals + 112) + sum31).Store(totals + 112);
        }
    }
}
