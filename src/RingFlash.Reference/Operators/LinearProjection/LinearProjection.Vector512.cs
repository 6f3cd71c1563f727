using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LinearProjection
{
    // With as many rows for each worker, weights are read once per worker just as often as once per 96 rows.
    private const int RowsWorthAllPanels = 64;

    /// <summary>
    /// Lanes: 32 consecutive outputs, so each output keeps the chain of <see cref="Scalar"/>. Weights come in panels of
    /// 32 outputs, from memory or 256 k at a time from their source, and serve up to twelve rows in registers and all
    /// rows in cache. Remainder: tiles are as high as the rows that are there; outputs beyond the matrix are zero
    /// weights and are dropped.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads; each takes a run of panels, or of rows when there are many.</param>
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
        if (tokens == 0)
        {
            return;
        }

        fixed (float* biasPointer = bias, yPointer = y)
        {
            Projection product = new(workers, x, scales, tokens, weight, biasPointer, yPointer);
            if (product.IsByRows)
            {
                workers.Run(
                    product.PassCount,
                    product,
                    static (in product, first, end, worker) => product.AllPanels<TPrecision>(first, end, worker));
            }
            else
            {
                workers.Run(
                    product.PanelCount,
                    product,
                    static (in product, first, end, worker) => product.AllRows<TPrecision>(first, end, worker));
            }
        }
    }

    /// <summary>
    /// One product, as the workers share it. Rows are taken in passes of up to 96, for each of which the weights are
    /// read again; weights that must be made are made once, for all rows. Every worker copies the rows of a pass into
    /// the kernel's order for itself: what another core has written comes more slowly than it is copied.
    /// </summary>
    private readonly unsafe struct Projection
    {
        private readonly WorkerPool workers;
        private readonly float* x;
        private readonly float* scales;
        private readonly int tokens;
        private readonly WeightMatrix weight;
        private readonly float* bias;
        private readonly float* y;
        private readonly PackedRows shared;

        public Projection(
            WorkerPool workers, float* x, float* scales, int tokens, WeightMatrix weight, float* bias, float* y)
        {
            this.workers = workers;
            this.x = x;
            this.scales = scales;
            this.tokens = tokens;
            this.weight = weight;
            this.bias = bias;
            this.y = y;
            PassCount = 1;
            if (weight.Panels is null)
            {
                // All rows at once are too many for every worker to have a copy.
                shared = Pack(0, workers.SharedScratch.Reserve(PackedLength(tokens)));
                return;
            }

            int perWorker = (tokens + workers.ThreadCount - 1) / workers.ThreadCount;
            IsByRows = tokens >= RowsWorthAllPanels * workers.ThreadCount;
            PassCount = IsByRows
                ? workers.ThreadCount * Passes(perWorker)
                : Passes(tokens);
        }

        /// <summary>Whether a worker takes some rows and all panels, or the other way round.</summary>
        public bool IsByRows { get; }

        public int PassCount { get; }

        public int PanelCount => WeightPanels.CountFor(weight.Outputs);

        private bool IsShared => weight.Panels is null;

        public void AllPanels<TPrecision>(int firstPass, int endPass, int worker)
            where TPrecision : struct, IPrecision
        {
            for (int pass = firstPass; pass < endPass; pass++)
            {
                Multiply<TPrecision>(pass, 0, PanelCount, worker);
            }
        }

        public void AllRows<TPrecision>(int firstPanel, int endPanel, int worker)
            where TPrecision : struct, IPrecision
        {
            for (int pass = 0; pass < PassCount; pass++)
            {
                Multiply<TPrecision>(pass, firstPanel, endPanel, worker);
            }
        }

        private static int Passes(int rows) =>
            (rows + PanelProduct.MostRowsTogether - 1) / PanelProduct.MostRowsTogether;

        private void Multiply<TPrecision>(int pass, int firstPanel, int endPanel, int worker)
            where TPrecision : struct, IPrecision
        {
            int count = FirstRow(pass + 1) - FirstRow(pass), group = PanelProduct.GroupSize(count);
            long totalsLength = PanelProduct.TotalsLength(count);
            float* totals = workers.Scratch(worker).Reserve(
                totalsLength + PanelProduct.ChunkLength + (IsShared ? 0 : PackedLength(count)));
            float* chunk = totals + totalsLength;
            PackedRows rows = IsShared ? shared : Pack(pass, chunk + PanelProduct.ChunkLength);
            for (int panel = firstPanel; panel < endPanel; panel += group)
            {
                int panels = Math.Min(group, endPanel - panel);
                PanelProduct.Multiply(rows, weight, panel, panels, totals, chunk);
                for (int index = 0; index < panels; index++)
                {
                    Finish<TPrecision>(
                        totals + ((long)index * count * ProductKernel.PanelWidth),
                        FirstRow(pass),
                        count,
                        (panel + index) * ProductKernel.PanelWidth);
                }
            }
        }

        private int FirstRow(int pass) => (int)((long)tokens * pass / PassCount);

        private long PackedLength(int count) => count == 1
            ? 0
            : PackedRows.Length(count, weight.Inputs)
                + (scales == null ? 0 : PackedRows.ScaleLength(count, weight.Inputs));

        /// <summary>Copies the rows of a pass into the kernel's order; a single row stays where it is.</summary>
        private PackedRows Pack(int pass, float* memory)
        {
            int first = FirstRow(pass), count = FirstRow(pass + 1) - first, inputs = weight.Inputs;
            int blocks = (inputs + Summation.BlockLength - 1) / Summation.BlockLength;
            float* source = x + ((long)first * inputs);
            float* sourceScales = scales == null ? null : scales + ((long)first * blocks);
            if (count == 1)
            {
                return new PackedRows(1, inputs, source, sourceScales);
            }

            PackedRows rows = new(
                count, inputs, memory, scales == null ? null : memory + PackedRows.Length(count, inputs));
            for (int tile = 0; tile < rows.TileCount; tile++)
            {
                for (int row = rows.FirstRow(tile); row < rows.FirstRow(tile + 1); row++)
                {
                    rows.Store(
                        row,
                        tile,
                        source + ((long)row * inputs),
                        sourceScales == null ? null : sourceScales + ((long)row * blocks));
                }
            }

            return rows;
        }

        /// <summary>Adds the bias, rounds, and writes one panel's columns of y.</summary>
        private void Finish<TPrecision>(float* totals, int firstRow, int count, int firstOutput)
            where TPrecision : struct, IPrecision
        {
            int outputs = weight.Outputs;
            int width = Math.Min(ProductKernel.PanelWidth, outputs - firstOutput);
            for (int row = 0; row < count; row++)
            {
                float* output = y + ((long)(firstRow + row) * outputs) + firstOutput;
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
