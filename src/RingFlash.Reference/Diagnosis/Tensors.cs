using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Small things that variations are written with.</summary>
internal static class Tensors
{
    /// <summary>One variation that acts through operators.</summary>
    /// <param name="parts">The model.</param>
    /// <param name="hooks">Makes the set: given the set below and the weights.</param>
    /// <returns>The varied model.</returns>
    public static ModelParts Hook(
        this ModelParts parts, Func<ForwardOperators<float>, ModelWeights, HookedOperators> hooks) =>
        parts with { Operators = hooks(parts.Operators, parts.Weights) };

    /// <summary>A tensor of the same axes, element by element.</summary>
    /// <param name="x">The tensor.</param>
    /// <param name="function">Given value and flat index.</param>
    /// <returns>A new tensor.</returns>
    public static HostTensor<float> Map(this HostTensor<float> x, Func<float, int, float> function)
    {
        HostTensor<float> y = new(x.Shape);
        for (int index = 0; index < y.Count; index++)
        {
            y.Values[index] = function(x.Values[index], index);
        }

        return y;
    }

    /// <summary>A tensor whose rows are the rows of another with their elements moved.</summary>
    /// <param name="x">The tensor.</param>
    /// <param name="source">For each place of a row, where its element comes from.</param>
    /// <returns>A new tensor.</returns>
    public static HostTensor<float> Permute(this HostTensor<float> x, int[] source) =>
        x.Map((_, index) => x.Values[(index / x.Width * x.Width) + source[index % x.Width]]);

    /// <summary>Zeros.</summary>
    /// <param name="x">The axes.</param>
    /// <returns>A new tensor.</returns>
    public static HostTensor<float> Zeros(this HostTensor<float> x) => new(x.Shape);

    /// <summary>Rounds to bfloat16.</summary>
    /// <param name="x">The tensor.</param>
    /// <returns>A new tensor.</returns>
    public static HostTensor<float> ToBFloat16(this HostTensor<float> x) => x.Map((value, _) => BFloat16.Round(value));

    /// <summary>Scales as the policy does: in float32, rounded to its storage type.</summary>
    /// <param name="x">The tensor.</param>
    /// <param name="operators">The policy.</param>
    /// <param name="factor">The factor.</param>
    /// <returns>A new tensor.</returns>
    public static HostTensor<float> Scale(this HostTensor<float> x, ForwardOperators<float> operators, float factor)
    {
        Func<float, float> round = operators.Rounding();
        return x.Map((value, _) => round(value * factor));
    }

    /// <summary>How a policy rounds results: found out by adding to 1 what bfloat16 cannot hold beside it.</summary>
    /// <param name="operators">The policy.</param>
    /// <returns>The identity, or rounding to bfloat16.</returns>
    public static Func<float, float> Rounding(this ForwardOperators<float> operators)
    {
        // Not a twin's own sum, which may be wrong on purpose.
        while (operators is ForwardingOperators<float> twin)
        {
            operators = twin.Inner;
        }

        HostTensor<float> one = new(1), small = new(1);
        (one.Values[0], small.Values[0]) = (1f, 1f / 4096);
        return operators.ResidualAdd(one, small).Values[0] == 1f ? BFloat16.Round : value => value;
    }

    /// <summary>A matrix with its values in memory.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <param name="function">Given row, column and value.</param>
    /// <returns>A new matrix of the same name.</returns>
    public static WeightMatrix Map(this WeightMatrix matrix, Func<int, int, float, float> function)
    {
        float[] values = matrix.ReadAll();
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = function(index / matrix.Inputs, index % matrix.Inputs, values[index]);
        }

        return new MemoryMatrix(matrix.Name, matrix.Outputs, matrix.Inputs, values);
    }

    /// <summary>Every value of a matrix.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <returns>[outputs · inputs].</returns>
    public static float[] ReadAll(this WeightMatrix matrix)
    {
        float[] values = new float[matrix.Outputs * matrix.Inputs];
        for (int row = 0; row < matrix.Outputs; row++)
        {
            matrix.ReadRow(row, values.AsSpan(row * matrix.Inputs, matrix.Inputs));
        }

        return values;
    }

    /// <summary>Changes the weights of routed experts, of those that are used.</summary>
    /// <param name="experts">The experts.</param>
    /// <param name="change">The change.</param>
    /// <returns>The changed experts.</returns>
    public static SparseWeights Each(this SparseWeights experts, Func<ExpertWeights, ExpertWeights> change)
    {
        Dictionary<int, ExpertWeights> changed = [];
        return experts with
        {
            Expert = index => changed.TryGetValue(index, out ExpertWeights? expert)
                ? expert
                : changed[index] = change(experts.Expert(index)),
            Batches = null,
        };
    }

    /// <summary>
    /// The routed experts one by one, with an inner block of one's own; the published order of operations, slowly.
    /// </summary>
    /// <param name="x">[…, hidden].</param>
    /// <param name="decision">Who goes where.</param>
    /// <param name="block">Given rows, their weights, and the expert; returns rows of the same width.</param>
    /// <returns>[tokens, topK, hidden].</returns>
    public static HostTensor<float> ForEachExpert(
        HostTensor<float> x,
        RouterDecision<float> decision,
        Func<HostTensor<float>, float[], int, HostTensor<float>> block)
    {
        HostTensor<float> outputs = new(x.Rows, decision.TopK, x.Width);
        foreach (IGrouping<int, int> slots in Enumerable.Range(0, x.Rows * decision.TopK)
            .GroupBy(slot => decision.TopKIndices[slot]))
        {
            int[] slot = [.. slots];
            HostTensor<float> rows = new(1, slot.Length, x.Width);
            for (int row = 0; row < slot.Length; row++)
            {
                x.Row(slot[row] / decision.TopK).CopyTo(rows.Row(row));
            }

            HostTensor<float> result = block(
                rows, [.. slot.Select(index => decision.TopKWeights.Values[index])], slots.Key);
            for (int row = 0; row < slot.Length; row++)
            {
                result.Row(row).CopyTo(outputs.Row(slot[row]));
            }
        }

        return outputs;
    }
}

/// <summary>A matrix whose values lie in memory.</summary>
internal sealed class MemoryMatrix(string name, int outputs, int inputs, float[] values)
    : WeightMatrix(name, outputs, inputs)
{
    /// <inheritdoc/>
    public override void ReadRow(int row, Span<float> destination) =>
        values.AsSpan(row * Inputs, Inputs).CopyTo(destination);

    /// <inheritdoc/>
    public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
    {
        panel[..(columnCount * 32)].Clear();
        for (int lane = 0; lane < Math.Min(32, Outputs - firstRow); lane++)
        {
            for (int column = 0; column < columnCount; column++)
            {
                panel[(column * 32) + lane] = values[((firstRow + lane) * Inputs) + firstColumn + column];
            }
        }
    }
}
