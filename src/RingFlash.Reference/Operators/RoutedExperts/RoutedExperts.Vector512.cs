using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class RoutedExperts
{
    /// <summary>
    /// Two passes over all experts of the layer: gate, up and activation, then down. The unit of work is one panel of
    /// 32 outputs of one expert, so few tokens on many experts still fill every thread. Lanes and order are those of
    /// <see cref="LinearProjection"/>; rows are read where they lie.
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
        ExpertWeights[] weights = Array.ConvertAll(dispatch.ActiveExperts, expert => experts(expert));
        if (weights.Length == 0)
        {
            return;
        }

        int hidden = weights[0].Gate.Inputs, intermediate = weights[0].Gate.Outputs, assignments = dispatch.Rows.Length;
        float[] activated = new float[(long)assignments * intermediate];
        fixed (float* xPointer = x, activatedPointer = activated)
        {
            using LinearProjection.RowPointers inputs = new(assignments, withScales: false);
            using LinearProjection.RowPointers middles =
                LinearProjection.RowPointers.Consecutive(activatedPointer, assignments, intermediate);
            for (int row = 0; row < assignments; row++)
            {
                inputs.Pointers[row] = xPointer + ((long)(dispatch.Rows[row] / dispatch.TopK) * hidden);
            }

            int panels = LinearProjection.PanelCount(intermediate);
            workers.Run(weights.Length * panels, (first, end, _) =>
            {
                using LinearProjection.PanelScratch gate = new(MostRows(dispatch)), up = new(MostRows(dispatch));
                for (int unit = first; unit < end; unit++)
                {
                    int active = unit / panels, output = unit % panels * ProductTile.PanelWidth;
                    LinearProjection.RowPointers rows = Slice(inputs, dispatch, active);
                    LinearProjection.Panel(rows, weights[active].Gate, output, gate);
                    LinearProjection.Panel(rows, weights[active].Up, output, up);
                    int count = rows.Count * ProductTile.PanelWidth;
                    Span<float> gateTotals = new(gate.Totals, count), upTotals = new(up.Totals, count);
                    RoundInPlace<TPrecision>(gateTotals);
                    RoundInPlace<TPrecision>(upTotals);
                    SwiGlu.Vectorised<TPrecision>(gateTotals, upTotals, gateTotals);
                    int width = Math.Min(ProductTile.PanelWidth, intermediate - output);
                    for (int row = 0; row < rows.Count; row++)
                    {
                        int start = ((dispatch.Offsets[active] + row) * intermediate) + output;
                        gateTotals.Slice(row * ProductTile.PanelWidth, width).CopyTo(activated.AsSpan(start));
                    }
                }
            });

            int downPanels = LinearProjection.PanelCount(hidden);
            workers.Run(weights.Length * downPanels, (first, end, _) =>
            {
                using LinearProjection.PanelScratch down = new(MostRows(dispatch));
                for (int unit = first; unit < end; unit++)
                {
                    int active = unit / downPanels, output = unit % downPanels * ProductTile.PanelWidth;
                    LinearProjection.RowPointers rows = Slice(middles, dispatch, active);
                    LinearProjection.Panel(rows, weights[active].Down, output, down);
                    Span<float> totals = new(down.Totals, rows.Count * ProductTile.PanelWidth);
                    RoundInPlace<TPrecision>(totals);
                    int width = Math.Min(ProductTile.PanelWidth, hidden - output);
                    for (int row = 0; row < rows.Count; row++)
                    {
                        int start = (dispatch.Rows[dispatch.Offsets[active] + row] * hidden) + output;
                        totals.Slice(row * ProductTile.PanelWidth, width).CopyTo(expertOutputs.AsSpan(start));
                    }
                }
            });
        }
    }

    private static int MostRows(ExpertDispatch dispatch)
    {
        int most = 0;
        for (int active = 0; active < dispatch.ActiveExperts.Length; active++)
        {
            most = Math.Max(most, dispatch.Offsets[active + 1] - dispatch.Offsets[active]);
        }

        return most;
    }

    private static LinearProjection.RowPointers Slice(
        LinearProjection.RowPointers rows, ExpertDispatch dispatch, int active) =>
        rows.Slice(dispatch.Offsets[active], dispatch.Offsets[active + 1] - dispatch.Offsets[active]);

    private static void RoundInPlace<TPrecision>(Span<float> values)
        where TPrecision : struct, IPrecision
    {
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = TPrecision.Round(values[index]);
        }
    }
}
