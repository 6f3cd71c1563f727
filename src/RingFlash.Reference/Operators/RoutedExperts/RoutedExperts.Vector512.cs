using System;
using System.Buffers;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class RoutedExperts
{
    // Reading or making a panel takes about the time of multiplying this many rows with it.
    private const int RowsWorthAPanel = 8;

    /// <summary>
    /// Two passes over all experts of the layer: gate, up and activation, then down. The unit of work is one panel of
    /// 32 outputs of one expert, so few tokens on many experts still fill every thread; each thread takes a run of
    /// units of equal cost. Lanes and order are those of <see cref="LinearProjection"/>. A thread gathers an expert's
    /// rows when it comes to the expert; a single row is read where it lies.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="workers">The threads.</param>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="dispatch">Who goes where.</param>
    /// <param name="experts">The weights of an expert.</param>
    /// <param name="expertOutputs">[tokens, topK, hidden], float32, written.</param>
    public static unsafe void Vectorised<TPrecision>(
        WorkerPool workers, float[] x, ExpertDispatch dispatch, Func<int, ExpertWeights> experts, float[] expertOutputs)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(workers);
        ArgumentNullException.ThrowIfNull(dispatch);
        ArgumentNullException.ThrowIfNull(experts);
        ExpertWeights[] weights = ArrayPool<ExpertWeights>.Shared.Rent(dispatch.ActiveExperts.Length);
        try
        {
            for (int active = 0; active < dispatch.ActiveExperts.Length; active++)
            {
                weights[active] = experts(dispatch.ActiveExperts[active]);
            }

            if (dispatch.ActiveExperts.Length > 0)
            {
                Vectorised<TPrecision>(workers, x, dispatch, weights, expertOutputs);
            }
        }
        finally
        {
            ArrayPool<ExpertWeights>.Shared.Return(weights, clearArray: true);
        }
    }

    private static unsafe void Vectorised<TPrecision>(
        WorkerPool workers, float[] x, ExpertDispatch dispatch, ExpertWeights[] weights, float[] expertOutputs)
        where TPrecision : struct, IPrecision
    {
        int hidden = weights[0].Gate.Inputs, intermediate = weights[0].Gate.Outputs;
        float* activated = workers.SharedScratch.Reserve((long)dispatch.Rows.Length * intermediate);
        fixed (float* xPointer = x, outputPointer = expertOutputs)
        {
            // One share for each worker; what a share is, the experts' rows decide.
            Layer layer = new(workers, dispatch, weights, xPointer, activated, outputPointer);
            workers.Run(
                workers.ThreadCount,
                layer,
                static (in work, first, end, worker) => work.GatesAndUps<TPrecision>(first, end, worker));
            workers.Run(
                workers.ThreadCount,
                layer,
                static (in work, first, end, worker) => work.Downs<TPrecision>(first, end, worker));
        }
    }

    private static unsafe void GateAndUp<TPrecision>(
        in PackedRows rows, ExpertWeights weights, int firstPanel, int endPanel, in Scratch scratch, float* activated)
        where TPrecision : struct, IPrecision
    {
        int group = PanelProduct.GroupSize(rows.Count), intermediate = weights.Gate.Outputs;
        for (int panel = firstPanel; panel < endPanel; panel += group)
        {
            int panels = Math.Min(group, endPanel - panel);
            PanelProduct.Multiply(rows, weights.Gate, panel, panels, scratch.Totals, scratch.Chunk);
            PanelProduct.Multiply(rows, weights.Up, panel, panels, scratch.OtherTotals, scratch.Chunk);
            int count = panels * rows.Count * ProductKernel.PanelWidth;
            Span<float> gate = new(scratch.Totals, count), up = new(scratch.OtherTotals, count);
            RoundInPlace<TPrecision>(gate);
            RoundInPlace<TPrecision>(up);
            SwiGlu.Vectorised<TPrecision>(gate, up, gate);
            for (int row = 0; row < panels * rows.Count; row++)
            {
                int output = (panel + (row / rows.Count)) * ProductKernel.PanelWidth;
                gate.Slice(row * ProductKernel.PanelWidth, Math.Min(ProductKernel.PanelWidth, intermediate - output))
                    .CopyTo(new Span<float>(
                        activated + ((row % rows.Count) * (long)intermediate) + output, ProductKernel.PanelWidth));
            }
        }
    }

    private static unsafe void Down<TPrecision>(
        in PackedRows rows,
        WeightMatrix weight,
        int firstPanel,
        int endPanel,
        in Scratch scratch,
        ReadOnlySpan<int> destinations,
        float* outputs)
        where TPrecision : struct, IPrecision
    {
        int group = PanelProduct.GroupSize(rows.Count), hidden = weight.Outputs;
        for (int panel = firstPanel; panel < endPanel; panel += group)
        {
            int panels = Math.Min(group, endPanel - panel);
            PanelProduct.Multiply(rows, weight, panel, panels, scratch.Totals, scratch.Chunk);
            Span<float> totals = new(scratch.Totals, panels * rows.Count * ProductKernel.PanelWidth);
            RoundInPlace<TPrecision>(totals);
            for (int row = 0; row < panels * rows.Count; row++)
            {
                int output = (panel + (row / rows.Count)) * ProductKernel.PanelWidth;
                totals.Slice(row * ProductKernel.PanelWidth, Math.Min(ProductKernel.PanelWidth, hidden - output))
                    .CopyTo(new Span<float>(
                        outputs + (destinations[row % rows.Count] * (long)hidden) + output, ProductKernel.PanelWidth));
            }
        }
    }

    /// <summary>Where a share of the units begins: units of one expert cost its rows and a constant.</summary>
    private static int FirstUnit(ExpertDispatch dispatch, int panels, int share, int shares)
    {
        int experts = dispatch.ActiveExperts.Length;
        long cost = ((long)dispatch.Rows.Length + ((long)experts * RowsWorthAPanel)) * panels * share / shares;
        int active = 0;
        for (; active < experts && cost >= Cost(active) * panels; active++)
        {
            cost -= Cost(active) * panels;
        }

        return active == experts ? experts * panels : (active * panels) + (int)(cost / Cost(active));

        long Cost(int index) => dispatch.Offsets[index + 1] - dispatch.Offsets[index] + RowsWorthAPanel;
    }

    private static void RoundInPlace<TPrecision>(Span<float> values)
        where TPrecision : struct, IPrecision
    {
        for (int index = 0; index < values.Length; index += 16) // rows of 32
        {
            TPrecision.Round(Vector512.Create<float>(values.Slice(index, 16))).CopyTo(values[index..]);
        }
    }

    /// <summary>The experts of a layer, as the workers share them.</summary>
    private readonly unsafe struct Layer(
        WorkerPool workers,
        ExpertDispatch dispatch,
        ExpertWeights[] weights,
        float* x,
        float* activated,
        float* outputs)
    {
        private readonly WorkerPool workers = workers;
        private readonly ExpertDispatch dispatch = dispatch;
        private readonly ExpertWeights[] weights = weights;
        private readonly float* x = x;
        private readonly float* activated = activated;
        private readonly float* outputs = outputs;

        public void GatesAndUps<TPrecision>(int firstShare, int endShare, int worker)
            where TPrecision : struct, IPrecision
        {
            int hidden = weights[0].Gate.Inputs, intermediate = weights[0].Gate.Outputs;
            int panels = WeightPanels.CountFor(intermediate);
            int unit = FirstUnit(dispatch, panels, firstShare, workers.ThreadCount);
            int end = FirstUnit(dispatch, panels, endShare, workers.ThreadCount);
            for (int count; unit < end; unit += count)
            {
                int active = unit / panels, panel = unit % panels;
                count = Math.Min(panels - panel, end - unit);
                Scratch scratch = new(workers.Scratch(worker), dispatch, active, hidden);
                PackedRows rows = scratch.Gather(x, fromTokens: true);
                GateAndUp<TPrecision>(
                    rows,
                    weights[active],
                    panel,
                    panel + count,
                    scratch,
                    activated + (scratch.FirstRow * (long)intermediate));
            }
        }

        public void Downs<TPrecision>(int firstShare, int endShare, int worker)
            where TPrecision : struct, IPrecision
        {
            int hidden = weights[0].Down.Outputs, intermediate = weights[0].Down.Inputs;
            int panels = WeightPanels.CountFor(hidden);
            int unit = FirstUnit(dispatch, panels, firstShare, workers.ThreadCount);
            int end = FirstUnit(dispatch, panels, endShare, workers.ThreadCount);
            for (int count; unit < end; unit += count)
            {
                int active = unit / panels, panel = unit % panels;
                count = Math.Min(panels - panel, end - unit);
                Scratch scratch = new(workers.Scratch(worker), dispatch, active, intermediate);
                PackedRows rows = scratch.Gather(activated, fromTokens: false);
                ReadOnlySpan<int> destinations = dispatch.RowsOf(active);
                Down<TPrecision>(
                    rows, weights[active].Down, panel, panel + count, scratch, destinations, outputs);
            }
        }
    }

    /// <summary>A worker's memory for one expert: packed rows, sums, and a chunk of weights.</summary>
    private readonly unsafe struct Scratch
    {
        private readonly ExpertDispatch dispatch;
        private readonly int count;
        private readonly int inputs;
        private readonly float* packed;

        public Scratch(ScratchMemory memory, ExpertDispatch dispatch, int active, int inputs)
        {
            this.dispatch = dispatch;
            this.inputs = inputs;
            FirstRow = dispatch.Offsets[active];
            count = dispatch.Offsets[active + 1] - FirstRow;
            long packedLength = PackedRows.Length(count, inputs), totals = PanelProduct.TotalsLength(count);
            packed = memory.Reserve(packedLength + (2 * totals) + PanelProduct.ChunkLength);
            Totals = packed + packedLength;
            OtherTotals = Totals + totals;
            Chunk = OtherTotals + totals;
        }

        /// <summary>The expert's first assignment.</summary>
        public int FirstRow { get; }

        public float* Totals { get; }

        public float* OtherTotals { get; }

        public float* Chunk { get; }

        /// <summary>Brings the expert's rows into the kernel's order.</summary>
        /// <param name="source">[tokens, inputs] or [assignments, inputs].</param>
        /// <param name="fromTokens">Whether the rows are those of the tokens.</param>
        /// <returns>The rows.</returns>
        public PackedRows Gather(float* source, bool fromTokens)
        {
            if (count == 1)
            {
                return new PackedRows(1, inputs, Source(source, 0, fromTokens));
            }

            PackedRows rows = new(count, inputs, packed);
            for (int tile = 0; tile < rows.TileCount; tile++)
            {
                for (int row = rows.FirstRow(tile); row < rows.FirstRow(tile + 1); row++)
                {
                    rows.Store(row, tile, Source(source, row, fromTokens));
                }
            }

            return rows;
        }

        private float* Source(float* source, int row, bool fromTokens)
        {
            int assignment = FirstRow + row;
            return source + ((fromTokens ? dispatch.Rows[assignment] / dispatch.TopK : assignment) * (long)inputs);
        }
    }
}
