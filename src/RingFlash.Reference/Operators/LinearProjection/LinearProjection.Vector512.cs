using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LinearProjection
{
    // Below, copying the rows takes less time than waking the workers for it.
    private const int FewRows = 32;

    /// <summary>
    /// Lanes: 32 consecutive outputs, so each output keeps the chain of <see cref="Scalar"/>. Weights come in panels of
    /// 32 outputs, from memory or 256 k at a time from their source, and serve up to twelve rows in registers and all
    /// rows in cache. Remainder: tiles are as high as the rows that are there; outputs beyond the matrix are zero
    /// weights and are dropped.
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
            Project<TPrecision>(workers, xPointer, null, tokens, weight, bias, y);
        }
    }

    /// <summary>Projects rows that follow each other, and rounds.</summary>
    private static unsafe void Project<TPrecision>(
        WorkerPool workers,
        float* x,
        float* scales,
        int tokens,
        WeightMatrix weight,
        ReadOnlySpan<float> bias,
        Span<float> y)
        where TPrecision : struct, IPrecision
    {
        fixed (float* biasPointer = bias, yPointer = y)
        {
            // Weights in memory are read again for every 96 rows; weights that must be made are made once.
            int passes = weight.Panels is null
                ? 1
                : (tokens + PanelProduct.MostRowsTogether - 1) / PanelProduct.MostRowsTogether;
            int blocks = (weight.Inputs + Summation.BlockLength - 1) / Summation.BlockLength;
            for (int pass = 0; pass < passes; pass++)
            {
                int first = (int)((long)tokens * pass / passes), end = (int)((long)tokens * (pass + 1) / passes);
                if (first < end)
                {
                    PackedRows rows = Pack(
                        workers,
                        x + ((long)first * weight.Inputs),
                        scales == null ? null : scales + ((long)first * blocks),
                        end - first,
                        weight.Inputs);
                    Project<TPrecision>(
                        workers, rows, weight, biasPointer, yPointer + ((long)first * weight.Outputs));
                }
            }
        }
    }

    private static unsafe void Project<TPrecision>(
        WorkerPool workers, PackedRows rows, WeightMatrix weight, float* bias, float* y)
        where TPrecision : struct, IPrecision =>
        workers.Run(
            WeightPanels.CountFor(weight.Outputs),
            new Projection(workers, rows, weight, bias, y),
            static (in product, first, end, worker) => product.Panels<TPrecision>(first, end, worker));

    /// <summary>Copies rows into the kernel's order, in the pool's shared memory; a single row stays where it is.
    /// </summary>
    private static unsafe PackedRows Pack(WorkerPool workers, float* x, float* scales, int count, int inputs)
    {
        if (count == 1)
        {
            return new PackedRows(1, inputs, x, scales);
        }

        long length = PackedRows.Length(count, inputs);
        float* memory = workers.SharedScratch.Reserve(
            length + (scales == null ? 0 : PackedRows.ScaleLength(count, inputs)));
        PackedRows rows = new(count, inputs, memory, scales == null ? null : memory + length);
        Packing packing = new(rows, x, scales);
        if (count < FewRows)
        {
            packing.Tiles(0, rows.TileCount);
        }
        else
        {
            workers.Run(rows.TileCount, packing, static (in work, first, end, _) => work.Tiles(first, end));
        }

        return rows;
    }

    /// <summary>Rows to be copied into the kernel's order.</summary>
    private readonly unsafe struct Packing(PackedRows rows, float* x, float* scales)
    {
        private readonly PackedRows rows = rows;
        private readonly float* x = x;
        private readonly float* scales = scales;

        public void Tiles(int firstTile, int endTile)
        {
            int blocks = (rows.Inputs + Summation.BlockLength - 1) / Summation.BlockLength;
            for (int tile = firstTile; tile < endTile; tile++)
            {
                for (int row = rows.FirstRow(tile); row < rows.FirstRow(tile + 1); row++)
                {
                    rows.Store(
                        row,
                        tile,
                        x + ((long)row * rows.Inputs),
                        scales == null ? null : scales + ((long)row * blocks));
                }
            }
        }
    }

    /// <summary>One product, as the workers share it.</summary>
    private readonly unsafe struct Projection(
        WorkerPool workers, PackedRows rows, WeightMatrix weight, float* bias, float* y)
    {
        private readonly WorkerPool workers = workers;
        private readonly PackedRows rows = rows;
        private readonly WeightMatrix weight = weight;
        private readonly float* bias = bias;
        private readonly float* y = y;

        public void Panels<TPrecision>(int first, int end, int worker)
            where TPrecision : struct, IPrecision
        {
            int group = PanelProduct.GroupSize(rows.Count);
            long totalsLength = PanelProduct.TotalsLength(rows.Count);
            float* totals = workers.Scratch(worker).Reserve(totalsLength + PanelProduct.ChunkLength);
            for (int panel = first; panel < end; panel += group)
            {
                int panels = Math.Min(group, end - panel);
                PanelProduct.Multiply(rows, weight, panel, panels, totals, totals + totalsLength);
                for (int index = 0; index < panels; index++)
                {
                    Finish<TPrecision>(
                        totals + ((long)index * rows.Count * ProductKernel.PanelWidth),
                        (panel + index) * ProductKernel.PanelWidth);
                }
            }
        }

        /// <summary>Adds the bias, rounds, and writes one panel's columns of y.</summary>
        private void Finish<TPrecision>(float* totals, int firstOutput)
            where TPrecision : struct, IPrecision
        {
            int outputs = weight.Outputs;
            int width = Math.Min(ProductKernel.PanelWidth, outputs - firstOutput);
            for (int row = 0; row < rows.Count; row++)
            {
                float* output = y + ((long)row * outputs) + firstOutput;
                int lane = 0;
                for (; lane + 16 <= width; lane += 16)
                {
                    Vector512<float> addend =
                        bias == null ? Vector512<float>.Zero : Vector512.Load(bias + firstOutput + lane);
                    TPrecision.Round(Vector512.Load(totals + lane) + addend).Store(output + lane);
                }

                for (; lane < width; lane++)
                {
                    output[lane] = TPrecision.Round(totals[lane] + (bias == null ? 0f : bias[firstOutput + lane]));
                }

                totals += ProductKernel.PanelWidth;
            }
        }
    }
}
