using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LinearProjection
{
    // 256 k × 32 outputs × 4 bytes = 32 KiB: a chunk stays in the first-level cache while every token passes over it.
    private const int ChunkColumns = 256;

    /// <summary>
    /// Lanes: 32 consecutive outputs, so each output keeps the chain of <see cref="Scalar"/>. Weights come transposed,
    /// 256 k at a time, and serve all tokens before the next chunk is made. Remainder: tokens beyond a multiple of four
    /// repeat the last row and are dropped; outputs beyond the matrix are zero weights and are dropped.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads; each takes a run of panels.</param>
    /// <param name="x">[tokens, inputs], float32, read.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[tokens, outputs], float32, written.</param>
    public static unsafe void Vectorised<TPrecision>(
        WorkerPool workers, ReadOnlySpan<float> x, WeightMatrix weight, ReadOnlySpan<float> bias, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int tokens = CheckShapes(x, weight, bias, y);
        fixed (float* xPointer = x)
        {
            using RowPointers rows = RowPointers.Consecutive(xPointer, tokens, weight.Inputs);
            Project<TPrecision>(workers, rows, weight, bias, y);
        }
    }

    /// <summary>Projects rows wherever they lie, and rounds.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads; each takes a run of panels.</param>
    /// <param name="rows">The input rows.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs], float32, read; or empty.</param>
    /// <param name="y">[rows, outputs], float32, written.</param>
    private static unsafe void Project<TPrecision>(
        WorkerPool workers, RowPointers rows, WeightMatrix weight, ReadOnlySpan<float> bias, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int outputs = weight.Outputs;
        if (rows.Count == 0)
        {
            return;
        }

        fixed (float* biasPointer = bias, yPointer = y)
        {
            // A lambda cannot capture spans; the pointers are pinned until Run returns.
            nint biasAddress = (nint)biasPointer, yAddress = (nint)yPointer;
            workers.Run(PanelCount(outputs), (first, end, _) =>
            {
                using PanelScratch scratch = new(rows.Count);
                for (int panel = first; panel < end; panel++)
                {
                    int firstOutput = panel * ProductTile.PanelWidth;
                    int width = Math.Min(ProductTile.PanelWidth, outputs - firstOutput);
                    Panel(rows, weight, firstOutput, scratch);
                    for (int row = 0; row < rows.Count; row++)
                    {
                        float* totals = scratch.Totals + ((long)row * ProductTile.PanelWidth);
                        float* output = (float*)yAddress + ((long)row * outputs) + firstOutput;
                        for (int lane = 0; lane < width; lane++)
                        {
                            float addend = biasAddress == 0 ? 0f : ((float*)biasAddress)[firstOutput + lane];
                            output[lane] = TPrecision.Round(totals[lane] + addend);
                        }
                    }
                }
            });
        }
    }

    /// <summary>The number of panels of 32 that cover the outputs.</summary>
    /// <param name="outputs">The number of outputs.</param>
    /// <returns>⌈outputs/32⌉.</returns>
    internal static int PanelCount(int outputs) => (outputs + ProductTile.PanelWidth - 1) / ProductTile.PanelWidth;

    /// <summary>Products of all rows with one panel of 32 outputs, left in <see cref="PanelScratch.Totals"/>.</summary>
    /// <param name="rows">The input rows; with scales when they hold quantised codes.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="firstOutput">A multiple of 32.</param>
    /// <param name="scratch">Memory of the calling worker for at least as many rows.</param>
    internal static unsafe void Panel(RowPointers rows, WeightMatrix weight, int firstOutput, PanelScratch scratch)
    {
        const int Width = ProductTile.PanelWidth;
        int tileRows = (rows.Count + ProductTile.RowCount - 1) / ProductTile.RowCount * ProductTile.RowCount;
        new Span<float>(scratch.Totals, tileRows * Width).Clear();
        float** tileScales = stackalloc float*[ProductTile.RowCount];
        Float8BlockMatrix? quantised = rows.Scales == null ? null : (Float8BlockMatrix)weight;
        fixed (float* weightScales = quantised is null ? default : quantised.RowScales(firstOutput))
        {
            for (int k = 0; k < weight.Inputs; k += ChunkColumns)
            {
                int columns = Math.Min(ChunkColumns, weight.Inputs - k);
                Span<float> chunk = new(scratch.Chunk, columns * Width);
                if (quantised is null)
                {
                    weight.ReadPanel(firstOutput, k, columns, chunk);
                }
                else
                {
                    quantised.ReadCodePanel(firstOutput, k, columns, chunk);
                }

                int block = k / Summation.BlockLength, last = rows.Count - 1;
                for (int row = 0; row < rows.Count; row += ProductTile.RowCount)
                {
                    int row1 = Math.Min(row + 1, last), row2 = Math.Min(row + 2, last), row3 = Math.Min(row + 3, last);
                    if (quantised is not null)
                    {
                        tileScales[0] = rows.Scales[row] + block;
                        tileScales[1] = rows.Scales[row1] + block;
                        tileScales[2] = rows.Scales[row2] + block;
                        tileScales[3] = rows.Scales[row3] + block;
                    }

                    ProductTile.Accumulate(
                        rows.Pointers[row] + k,
                        rows.Pointers[row1] + k,
                        rows.Pointers[row2] + k,
                        rows.Pointers[row3] + k,
                        scratch.Chunk,
                        columns,
                        scratch.Totals + ((long)row * Width),
                        quantised is null ? null : tileScales,
                        weightScales + block);
                }
            }
        }
    }

    /// <summary>Where the rows of a product's input lie; gathered rows need no copy.</summary>
    internal sealed unsafe class RowPointers : IDisposable
    {
        private readonly AlignedBuffer? memory;

        /// <summary>Reserves room for pointers.</summary>
        /// <param name="count">The number of rows.</param>
        /// <param name="withScales">Whether the rows are quantised codes with scales.</param>
        public RowPointers(int count, bool withScales)
        {
            Count = count;
            memory = new AlignedBuffer((long)count * 2 * (sizeof(float*) / sizeof(float)));
            Pointers = (float**)memory.Pointer;
            Scales = withScales ? Pointers + count : null;
        }

        private RowPointers(RowPointers whole, int first, int count)
        {
            Count = count;
            Pointers = whole.Pointers + first;
            Scales = whole.Scales == null ? null : whole.Scales + first;
        }

        /// <summary>The number of rows.</summary>
        public int Count { get; }

        /// <summary>The first element of each row.</summary>
        public float** Pointers { get; }

        /// <summary>The scales of each row's blocks, or null.</summary>
        public float** Scales { get; }

        /// <summary>Rows that follow each other.</summary>
        /// <param name="first">The first element of the first row.</param>
        /// <param name="count">The number of rows.</param>
        /// <param name="stride">From row to row.</param>
        /// <returns>The pointers.</returns>
        public static RowPointers Consecutive(float* first, int count, int stride)
        {
            RowPointers rows = new(count, withScales: false);
            for (int row = 0; row < count; row++)
            {
                rows.Pointers[row] = first + ((long)row * stride);
            }

            return rows;
        }

        /// <summary>Some of the rows; valid as long as the whole.</summary>
        /// <param name="first">The first row.</param>
        /// <param name="count">The number of rows.</param>
        /// <returns>The rows.</returns>
        public RowPointers Slice(int first, int count) => new(this, first, count);

        /// <inheritdoc/>
        public void Dispose() => memory?.Dispose();
    }

    /// <summary>One worker's memory: a chunk of transposed weights and the running totals of every row.</summary>
    internal sealed unsafe class PanelScratch : IDisposable
    {
        private readonly AlignedBuffer chunk = new(ChunkColumns * ProductTile.PanelWidth);
        private readonly AlignedBuffer totals;

        /// <summary>Reserves memory.</summary>
        /// <param name="rows">The most rows that a panel will be multiplied with.</param>
        public PanelScratch(int rows)
        {
            int tiles = (rows + ProductTile.RowCount - 1) / ProductTile.RowCount;
            totals = new AlignedBuffer((long)tiles * ProductTile.RowCount * ProductTile.PanelWidth);
        }

        /// <summary>[256, 32].</summary>
        public float* Chunk => chunk.Pointer;

        /// <summary>[rows rounded up to whole tiles, 32].</summary>
        public float* Totals => totals.Pointer;

        /// <inheritdoc/>
        public void Dispose()
        {
            chunk.Dispose();
            totals.Dispose();
        }
    }
}
