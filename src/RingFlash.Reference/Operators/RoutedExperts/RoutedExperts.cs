using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Applies each chosen expert to its tokens, grouped by expert.</summary>
/// <remarks>
/// <para>Maths: expertOutputs[t,k] = W_down · swiglu(W_gate · x[t], W_up · x[t]) with the weights of expert
/// topKIndices[t,k].</para>
/// <para>Axes: x [tokens, hidden]; expertOutputs [tokens, topK, hidden], unweighted.</para>
/// <para>Types, order, rounding points: those of <see cref="LinearProjection"/> and <see cref="SwiGlu"/>, row by row: a
/// token's result does not depend on who shares its expert. Experts without tokens are not touched.</para>
/// <para>Bound: with G = Σ|x·W_gate|, U = Σ|x·W_up|, the hidden gauge h = 1.1·|up|·G + |silu(gate)|·U + |silu(gate)·up|
/// (|silu′| ≤ 1.1): |output − Exact| ≤ (128 + ⌈hidden/128⌉ + 128 + ⌈intermediate/128⌉ + 4)·u·Σ|W_down|·h.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py,
/// BailingMoeV2SparseMoeBlock.moe_infer.</para>
/// </remarks>
public static partial class RoutedExperts
{
    /// <summary>Applies the experts on the chosen engine.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes.</param>
    /// <param name="workers">The threads.</param>
    /// <param name="quantiseActivations">Whether inputs of block-FP8 weights are quantised too.</param>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="dispatch">Who goes where.</param>
    /// <param name="experts">The weights of an expert.</param>
    /// <param name="expertOutputs">[tokens, topK, hidden], float32, written.</param>
    public static void Apply<TPrecision>(
        ExecutionEngine engine,
        WorkerPool workers,
        bool quantiseActivations,
        float[] x,
        ExpertDispatch dispatch,
        Func<int, ExpertWeights> experts,
        float[] expertOutputs)
        where TPrecision : struct, IPrecision
    {
        if (engine == ExecutionEngine.Scalar || quantiseActivations)
        {
            // With quantised activations the grouped path has nothing to share but the weights; expert by expert is
            // enough.
            Scalar<TPrecision>(engine, workers, quantiseActivations, x, dispatch, experts, expertOutputs);
        }
        else
        {
            Vectorised<TPrecision>(workers, x, dispatch, experts, expertOutputs);
        }
    }

    /// <summary>The definition: expert by expert, gather, three projections, scatter.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="engine">Who computes the projections.</param>
    /// <param name="workers">The threads.</param>
    /// <param name="quantiseActivations">Whether inputs of block-FP8 weights are quantised too.</param>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="dispatch">Who goes where.</param>
    /// <param name="experts">The weights of an expert.</param>
    /// <param name="expertOutputs">[tokens, topK, hidden], float32, written.</param>
    public static void Scalar<TPrecision>(
        ExecutionEngine engine,
        WorkerPool workers,
        bool quantiseActivations,
        ReadOnlySpan<float> x,
        ExpertDispatch dispatch,
        Func<int, ExpertWeights> experts,
        Span<float> expertOutputs)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(dispatch);
        ArgumentNullException.ThrowIfNull(experts);
        for (int active = 0; active < dispatch.ActiveExperts.Length; active++)
        {
            ExpertWeights weights = experts(dispatch.ActiveExperts[active]);
            int hidden = weights.Gate.Inputs;
            ReadOnlySpan<int> rows = dispatch.RowsOf(active);
            float[] gathered = new float[rows.Length * hidden];
            for (int row = 0; row < rows.Length; row++)
            {
                x.Slice(rows[row] / dispatch.TopK * hidden, hidden).CopyTo(gathered.AsSpan(row * hidden));
            }

            float[] gate = new float[rows.Length * weights.Gate.Outputs];
            float[] up = new float[gate.Length];
            Project<TPrecision>(engine, workers, quantiseActivations, gathered, weights.Gate, gate);
            Project<TPrecision>(engine, workers, quantiseActivations, gathered, weights.Up, up);
            SwiGlu.Apply<TPrecision>(engine, gate, up, gate);
            Project<TPrecision>(engine, workers, quantiseActivations, gate, weights.Down, gathered);
            for (int row = 0; row < rows.Length; row++)
            {
                gathered.AsSpan(row * hidden, hidden).CopyTo(expertOutputs.Slice(rows[row] * hidden, hidden));
            }
        }
    }

    private static void Project<TPrecision>(
        ExecutionEngine engine,
        WorkerPool workers,
        bool quantise,
        ReadOnlySpan<float> x,
        WeightMatrix weight,
        Span<float> y)
        where TPrecision : struct, IPrecision
    {
        if (quantise && weight is Float8BlockMatrix blocks)
        {
            LinearProjection.ApplyQuantised<TPrecision>(engine, workers, x, blocks, [], y);
        }
        else
        {
            LinearProjection.Apply<TPrecision>(engine, workers, x, weight, [], y);
        }
    }
}
