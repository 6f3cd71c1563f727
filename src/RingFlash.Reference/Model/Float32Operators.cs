using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>
/// The operators on an engine with float32 arithmetic, under a precision policy. Every member forwards.
/// </summary>
/// <typeparam name="TPrecision">Float32 or bfloat16 rounding points.</typeparam>
public class Float32Operators<TPrecision> : ForwardOperators<float>
    where TPrecision : struct, IPrecision
{
    private readonly ExecutionEngine engine;
    private readonly WorkerPool workers;
    private readonly bool quantiseActivations;
    private readonly ExpertDispatch dispatch = new();

    /// <summary>Chooses engine and threads.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="workers">The threads.</param>
    /// <param name="quantiseActivations">
    /// The fp8 policy with dynamic activations: inputs of block-FP8 weights are quantised per token and 128 channels.
    /// Without it such weights are dequantised and multiplied in float32.
    /// </param>
    public Float32Operators(ExecutionEngine engine, WorkerPool workers, bool quantiseActivations = false)
    {
        this.engine = engine;
        this.workers = workers;
        this.quantiseActivations = quantiseActivations;
    }

    /// <inheritdoc/>
    public override string EngineName => engine.Word();

    /// <inheritdoc/>
    public override string PrecisionName => quantiseActivations ? "fp8" : TPrecision.Name;

    /// <inheritdoc/>
    public override HostTensor<float> TokenEmbedding(long[] ids, int batch, WeightMatrix table)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(table);
        HostTensor<float> hiddenStates = Result<float>(batch, ids.Length / batch, table.Inputs);
        Operators.TokenEmbedding.Scalar(ids, table, hiddenStates.Span);
        return hiddenStates;
    }

    /// <inheritdoc/>
    public override (HostTensor<float> Cosine, HostTensor<float> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(positions);
        int rotaryDim = 2 * table.InverseFrequencies.Length;
        HostTensor<float> cosine = Result<float>(batch, positions.Length / batch, rotaryDim);
        HostTensor<float> sine = Result<float>(batch, positions.Length / batch, rotaryDim);
        FillRotaryTables(table, positions, cosine.Span, sine.Span);
        return (cosine, sine);
    }

    /// <inheritdoc/>
    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon)
    {
        HostTensor<float> y = ResultLike(x);
        Operators.RmsNorm.Apply<TPrecision>(engine, x.Span, weight, epsilon, y.Span, workers);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        HostTensor<float> y = Result(x, weight.Outputs);
        if (quantiseActivations && weight is Float8BlockMatrix blocks)
        {
            Operators.LinearProjection.ApplyQuantised<TPrecision>(engine, workers, x.Span, blocks, bias, y.Span);
        }
        else
        {
            Operators.LinearProjection.Apply<TPrecision>(engine, workers, x.Span, weight, bias, y.Span);
        }

        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine)
    {
        ArgumentNullException.ThrowIfNull(cosine);
        ArgumentNullException.ThrowIfNull(sine);
        HostTensor<float> y = ResultLike(x);
        Operators.RotaryEmbedding.Apply<TPrecision>(
            engine, x.Span, x.Shape[1], x.Shape[2], x.Width, cosine.Span, sine.Span, cosine.Width, y.Span, workers);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> CausalAttention(
        AttentionShape shape,
        HostTensor<float> query,
        HostTensor<float> keys,
        HostTensor<float> values,
        byte[] visible,
        HostTensor<float>? weights)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(values);
        HostTensor<float> context = Result<float>(shape.Batch, shape.QueryTokens, shape.Heads * shape.HeadDim);
        Operators.CausalAttention.Apply<TPrecision>(
            engine,
            workers,
            shape,
            query.Values,
            keys.Values,
            values.Values,
            visible,
            context.Values,
            weights?.Values ?? []);
        return context;
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterLogits(HostTensor<float> x, WeightMatrix gate)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(gate);
        HostTensor<float> logits = Result<float>(x.Rows, gate.Outputs);
        Operators.LinearProjection.Apply<Float32Precision>(engine, workers, x.Span, gate, [], logits.Span);
        return logits;
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterScores(HostTensor<float> routerLogits)
    {
        HostTensor<float> scores = ResultLike(routerLogits);
        Operators.RouterScores.Apply(engine, routerLogits.Span, scores.Span, workers);
        return scores;
    }

    /// <inheritdoc/>
    public override RouterDecision<float> GroupLimitedTopK(
        HostTensor<float> scores, float[] expertBias, RouterShape shape)
    {
        ArgumentNullException.ThrowIfNull(scores);
        RouterDecision<float> decision = new(
            Result<int>(scores.Rows * shape.TopK),
            Result<float>(scores.Rows, shape.TopK),
            Result<float>(scores.Rows));
        Operators.GroupLimitedTopK.Apply(
            engine,
            shape,
            scores.Span,
            expertBias,
            decision.TopKIndices,
            decision.TopKWeights.Span,
            decision.Margins.Span,
            workers);
        return decision;
    }

    /// <inheritdoc/>
    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(experts);
        HostTensor<float> outputs = Result<float>(x.Rows, decision.TopK, x.Width);
        dispatch.Regroup(decision.TopKIndices, decision.TopK, experts.ExpertCount);
        if (experts.Batches?.Invoke(dispatch) is not { } batches)
        {
            Apply(dispatch);
            return outputs;
        }

        foreach (ExpertDispatch batch in batches)
        {
            Apply(batch);
        }

        return outputs;

        void Apply(ExpertDispatch batch) => Operators.RoutedExperts.Apply<TPrecision>(
            engine, workers, quantiseActivations, x.Values, batch, experts.Expert, outputs.Values);
    }

    /// <inheritdoc/>
    public override HostTensor<float> ExpertCombine(HostTensor<float> expertOutputs, RouterDecision<float> decision)
    {
        ArgumentNullException.ThrowIfNull(expertOutputs);
        HostTensor<float> y = Result<float>(expertOutputs.Shape[0], expertOutputs.Width);
        Operators.ExpertCombine.Apply<TPrecision>(
            engine, expertOutputs.Span, decision.TopKWeights.Span, decision.TopK, y.Span, workers);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> SwiGlu(HostTensor<float> gate, HostTensor<float> up)
    {
        ArgumentNullException.ThrowIfNull(up);
        HostTensor<float> y = ResultLike(gate);
        Operators.SwiGlu.Apply<TPrecision>(engine, gate.Span, up.Span, y.Span, workers);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> ResidualAdd(HostTensor<float> residual, HostTensor<float> update)
    {
        ArgumentNullException.ThrowIfNull(update);
        HostTensor<float> y = ResultLike(residual);
        Operators.ResidualAdd.Apply<TPrecision>(engine, residual.Span, update.Span, y.Span, workers);
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> CrossEntropy(HostTensor<float> logits, long[] targets)
    {
        ArgumentNullException.ThrowIfNull(logits);
        HostTensor<float> loss = Result<float>(1);
        loss.Values[0] = Operators.CrossEntropy.Apply(engine, logits.Span, targets);
        return loss;
    }

    /// <summary>The tables on the host, rounded to the storage type.</summary>
    /// <param name="table">The frequencies.</param>
    /// <param name="positions">[tokens].</param>
    /// <param name="cosine">[tokens, R], written.</param>
    /// <param name="sine">[tokens, R], written.</param>
    protected static void FillRotaryTables(
        RotaryTable table, ReadOnlySpan<long> positions, Span<float> cosine, Span<float> sine)
    {
        ArgumentNullException.ThrowIfNull(table);
        table.Fill(positions, cosine, sine);
        RoundInPlace(cosine);
        RoundInPlace(sine);
    }

    private static void RoundInPlace(Span<float> values)
    {
        foreach (ref float value in values)
        {
            value = TPrecision.Round(value);
        }
    }
}
