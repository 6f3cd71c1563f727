using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>
/// Attention that is not computed, where its result is known and replaces it anyway: everything up to its output
/// projection is zero.
/// </summary>
internal sealed class RestingAttention(ForwardOperators<float> inner) : ForwardingOperators<float>(inner)
{
    private bool rests = true;

    /// <inheritdoc/>
    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon) =>
        rests && x.Shape.Length == 4 ? x : Inner.RmsNorm(x, weight, epsilon);

    /// <inheritdoc/>
    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine) => x;

    /// <inheritdoc/>
    public override HostTensor<float> CausalAttention(
        AttentionShape shape,
        HostTensor<float> query,
        HostTensor<float> keys,
        HostTensor<float> values,
        byte[] visible,
        HostTensor<float>? weights) => new(shape.Batch, shape.QueryTokens, shape.Heads * shape.HeadDim);

    /// <inheritdoc/>
    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        if (!rests)
        {
            return Inner.LinearProjection(x, weight, bias);
        }

        rests = !weight.Name.EndsWith(".attention.dense.weight", StringComparison.Ordinal);
        return new HostTensor<float>([.. x.Shape[..^1], weight.Outputs]);
    }
}

/// <summary>What experts made of rows, so that twins that only route otherwise need not run them again.</summary>
internal sealed class ExpertMemory
{
    /// <summary>The input of the rows that are remembered.</summary>
    public float[] Input { get; set; } = [];

    /// <summary>The block.</summary>
    public SparseWeights? Experts { get; set; }

    /// <summary>By token and expert.</summary>
    public Dictionary<(int Token, int Expert), float[]> Rows { get; } = [];
}

/// <summary>Experts that are run once for each token.</summary>
internal sealed class RememberingExperts(ForwardOperators<float> inner, ExpertMemory memory)
    : ForwardingOperators<float>(inner)
{
    /// <inheritdoc/>
    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (!ReferenceEquals(memory.Experts, experts) || !memory.Input.AsSpan().SequenceEqual(x.Values))
        {
            (memory.Experts, memory.Input) = (experts, [.. x.Values]);
            memory.Rows.Clear();
        }

        HostTensor<float> outputs = new(x.Rows, decision.TopK, x.Width);
        int[] missing = [.. Enumerable.Range(0, x.Rows * decision.TopK)
            .Where(slot => !memory.Rows.ContainsKey((slot / decision.TopK, decision.TopKIndices[slot])))];
        if (missing.Length > 0)
        {
            HostTensor<float> made = Inner.RoutedExperts(x, decision, experts);
            for (int slot = 0; slot < x.Rows * decision.TopK; slot++)
            {
                memory.Rows[(slot / decision.TopK, decision.TopKIndices[slot])] = [.. made.Row(slot)];
            }
        }

        for (int slot = 0; slot < x.Rows * decision.TopK; slot++)
        {
            memory.Rows[(slot / decision.TopK, decision.TopKIndices[slot])].CopyTo(outputs.Row(slot));
        }

        return outputs;
    }
}
