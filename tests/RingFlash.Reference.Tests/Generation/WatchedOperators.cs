// Shared by the generation tests.
using System;
using System.Collections.Concurrent;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Generation;

/// <summary>Counts what the engine asks of its operators; may do something on the way.</summary>
internal sealed class WatchedOperators(WorkerPool workers)
    : Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers)
{
    /// <summary>[operator], rows that it was given.</summary>
    public ConcurrentDictionary<string, long> Rows { get; } = new();

    /// <summary>Called before attention.</summary>
    public Action<AttentionShape>? BeforeAttention { get; set; }

    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon)
    {
        Count("RmsNorm", x.Rows);
        return base.RmsNorm(x, weight, epsilon);
    }

    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        Count("LinearProjection", x.Rows);
        return base.LinearProjection(x, weight, bias);
    }

    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        Count("RoutedExperts", x.Rows);
        return base.RoutedExperts(x, decision, experts);
    }

    public override HostTensor<float> CausalAttention(
        AttentionShape shape,
        HostTensor<float> query,
        HostTensor<float> keys,
        HostTensor<float> values,
        byte[] visible,
        HostTensor<float>? weights)
    {
        Count("CausalAttention", shape.QueryTokens);
        Count("keys", shape.KeyTokens);
        BeforeAttention?.Invoke(shape);
        return base.CausalAttention(shape, query, keys, values, visible, weights);
    }

    private void Count(string name, long rows) => Rows.AddOrUpdate(name, rows, (_, sum) => sum + rows);
}
