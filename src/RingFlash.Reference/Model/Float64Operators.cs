using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>
/// The float64 oracle: every operator's <c>Exact</c>, nothing rounded in between. Rotary cosines and sines keep their
/// float32 values, which are part of the published behaviour.
/// </summary>
public sealed class Float64Operators : ForwardOperators<double>
{
    private readonly WorkerPool workers;

    /// <summary>Chooses the threads.</summary>
    /// <param name="workers">The threads.</param>
    public Float64Operators(WorkerPool workers) => this.workers = workers;

    /// <inheritdoc/>
    public override string EngineName => "oracle";

    /// <inheritdoc/>
    public override string PrecisionName => "float64";

    /// <inheritdoc/>
    public override HostTensor<double> TokenEmbedding(long[] ids, int batch, WeightMatrix table)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(table);
        HostTensor<double> hiddenStates = Result<double>(batch, ids.Length / batch, table.Inputs);
        Operators.TokenEmbedding.Exact(ids, table, hiddenStates.Span);
        return hiddenStates;
    }

    /// <inheritdoc/>
    public override (HostTensor<double> Cosine, HostTensor<double> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(positions);
        int rotaryDim = 2 * table.InverseFrequencies.Length;
        float[] cosine = new float[positions.Length * rotaryDim], sine = new float[cosine.Length];
        table.Fill(positions, cosine, sine);
        HostTensor<double> wideCosine = Result<double>(batch, positions.Length / batch, rotaryDim);
        HostTensor<double> wideSine = Result<double>(batch, positions.Length / batch, rotaryDim);
        Array.ConvertAll(cosine, value => (double)value).CopyTo(wideCosine.Values, 0);
        Array.ConvertAll(sine, value => (double)value).CopyTo(wideSine.Values, 0);
        return (wideCosine, wideSine);
    }

    /// <inheritdoc/>
    public override HostTensor<double> RmsNorm(HostTensor<double> x, float[] weight, float epsilon)
    {
        HostTensor<double> y = ResultLike(x);
        Operators.RmsNorm.Exact(x.Span, weight, epsilon, y.Span);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<double> LinearProjection(HostTensor<double> x, WeightMatrix weight, float[] bias)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        HostTensor<double> y = Result(x, weight.Outputs);
        Operators.LinearProjection.Exact(workers, x.Span, weight, bias, y.Span);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<double> RotaryEmbedding(
        HostTensor<double> x, HostTensor<double> cosine, HostTensor<double> sine)
    {
        ArgumentNullException.ThrowIfNull(cosine);
        ArgumentNullException.ThrowIfNull(sine);
        HostTensor<double> y = ResultLike(x);
        int heads = x.Shape[1], tokens = x.Shape[2];
        for (int row = 0; row < x.Rows; row++)
        {
            int tableRow = (row / (heads * tokens) * tokens) + (row % tokens);
            Operators.RotaryEmbedding.Exact(x.Row(row), cosine.Row(tableRow), sine.Row(tableRow), y.Row(row));
        }

        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<double> CausalAttention(
        AttentionShape shape,
        HostTensor<double> query,
        HostTensor<double> keys,
        HostTensor<double> values,
        byte[] visible,
        HostTensor<double>? weights)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(values);
        HostTensor<double> context = Result<double>(shape.Batch, shape.QueryTokens, shape.Heads * shape.HeadDim);
        Operators.CausalAttention.Exact(
            workers, shape, query.Values, keys.Values, values.Values, visible, context.Values, weights?.Values ?? []);
        return context;
    }

    /// <inheritdoc/>
    public override HostTensor<double> RouterLogits(HostTensor<double> x, WeightMatrix gate)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(gate);
        HostTensor<double> logits = Result<double>(x.Rows, gate.Outputs);
        Operators.LinearProjection.Exact(workers, x.Span, gate, [], logits.Span);
        return logits;
    }

    /// <inheritdoc/>
    public override HostTensor<double> RouterScores(HostTensor<double> routerLogits)
    {
        HostTensor<double> scores = ResultLike(routerLogits);
        Operators.RouterScores.Exact(routerLogits.Span, scores.Span);
        return scores;
    }

    /// <inheritdoc/>
    public override RouterDecision<double> GroupLimitedTopK(
        HostTensor<double> scores, float[] expertBias, RouterShape shape)
    {
        ArgumentNullException.ThrowIfNull(scores);
        RouterDecision<double> decision = new(
            Result<int>(scores.Rows * shape.TopK),
            Result<double>(scores.Rows, shape.TopK),
            Result<double>(scores.Rows));
        for (int t = 0; t < scores.Rows; t++)
        {
            Span<int> indices = decision.TopKIndices.AsSpan(t * shape.TopK, shape.TopK);
            decision.Margins.Values[t] = Operators.GroupLimitedTopK.Exact(
                shape, scores.Row(t), expertBias, indices, decision.TopKWeights.Row(t));
        }

        return decision;
    }

    /// <inheritdoc/>
    public override HostTensor<double> RoutedExperts(
        HostTensor<double> x, RouterDecision<double> decision, SparseWeights experts)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(experts);
        HostTensor<double> outputs = Result<double>(x.Rows, decision.TopK, x.Width);
        ExpertDispatch dispatch = ExpertDispatch.Group(decision.TopKIndices, decision.TopK, experts.ExpertCount);
        Operators.RoutedExperts.Exact(workers, x.Span, dispatch, experts.Expert, outputs.Span);
        return outputs;
    }

    /// <inheritdoc/>
    public override HostTensor<double> ExpertCombine(HostTensor<double> expertOutputs, RouterDecision<double> decision)
    {
        ArgumentNullException.ThrowIfNull(expertOutputs);
        HostTensor<double> y = Result<double>(expertOutputs.Shape[0], expertOutputs.Width);
        Operators.ExpertCombine.Exact(expertOutputs.Span, decision.TopKWeights.Span, decision.TopK, y.Span);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<double> SwiGlu(HostTensor<double> gate, HostTensor<double> up)
    {
        ArgumentNullException.ThrowIfNull(up);
        HostTensor<double> y = ResultLike(gate);
        Operators.SwiGlu.Exact(gate.Span, up.Span, y.Span);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<double> ResidualAdd(HostTensor<double> residual, HostTensor<double> update)
    {
        ArgumentNullException.ThrowIfNull(update);
        HostTensor<double> y = ResultLike(residual);
        Operators.ResidualAdd.Exact(residual.Span, update.Span, y.Span);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<double> CrossEntropy(HostTensor<double> logits, long[] targets)
    {
        ArgumentNullException.ThrowIfNull(logits);
        HostTensor<double> loss = Result<double>(1);
        loss.Values[0] = Operators.CrossEntropy.Exact(logits.Span, targets);
        return loss;
    }
}
