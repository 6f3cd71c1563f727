using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class RoutedExperts
{
    /// <summary>The same in float64, unrounded; only for measuring error.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="x">[tokens, hidden], float64, read.</param>
    /// <param name="dispatch">Who goes where.</param>
    /// <param name="experts">The weights of an expert.</param>
    /// <param name="expertOutputs">[tokens, topK, hidden], float64, written.</param>
    public static void Exact(
        WorkerPool workers,
        ReadOnlySpan<double> x,
        ExpertDispatch dispatch,
        Func<int, ExpertWeights> experts,
        Span<double> expertOutputs)
    {
        ArgumentNullException.ThrowIfNull(dispatch);
        ArgumentNullException.ThrowIfNull(experts);
        for (int active = 0; active < dispatch.ActiveExperts.Length; active++)
        {
            ExpertWeights weights = experts(dispatch.ActiveExperts[active]);
            int hidden = weights.Gate.Inputs;
            double[] gate = new double[weights.Gate.Outputs], up = new double[gate.Length];
            foreach (int row in dispatch.RowsOf(active))
            {
                ReadOnlySpan<double> token = x.Slice(row / dispatch.TopK * hidden, hidden);
                LinearProjection.Exact(workers, token, weights.Gate, [], gate);
                LinearProjection.Exact(workers, token, weights.Up, [], up);
                SwiGlu.Exact(gate, up, gate);
                LinearProjection.Exact(workers, gate, weights.Down, [], expertOutputs.Slice(row * hidden, hidden));
            }
        }
    }
}
