using System;
using System.Runtime.CompilerServices;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// The operators as another correct backend computes them: sums in another order, other rounding
/// points. Only for computing how far apart correct programs lie.
/// </summary>
/// <typeparam name="TPrecision">Float32 or bfloat16 rounding points.</typeparam>
internal sealed class LegalOperators<TPrecision> : Float32Operators<TPrecision>
    where TPrecision : struct, IPrecision
{
    private readonly WorkerPool workers;
    private readonly SummationOrder? order;
    private readonly LegalRounding rounding;
    private readonly ConditionalWeakTable<TensorStorage<float>, float[]> unrounded = [];
    private readonly ExpertDispatch dispatch = new();

    /// <summary>Chooses.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="order">The order of sums; null for ours.</param>
    /// <param name="rounding">The rounding points that differ.</param>
    public LegalOperators(WorkerPool workers, SummationOrder? order, LegalRounding rounding)
        : base(ExecutionEngine.Vector512, workers)
    {
        this.workers = workers;
        this.order = order;
        this.rounding = rounding;
    }

    /// <inheritdoc/>
    public override (HostTensor<float> Cosine, HostTensor<float> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch)
    {
        (HostTensor<float> cosine, HostTensor<float> sine) = base.RotaryTables(table, positions, batch);
        if (Has(LegalRounding.Float32Rotary))
        {
            table.Fill(positions, cosine.Span, sine.Span);
        }

        return (cosine, sine);
    }

    /// <inheritdoc/>
    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine)
    {
        if (!Has(LegalRounding.Float32Rotary))
        {
            return base.RotaryEmbedding(x, cosine, sine);
        }

        HostTensor<float> y = ResultLike(x);
        Operators.RotaryEmbedding.Apply<Float32Precision>(
            ExecutionEngine.Vector512,
            x.Span,
            x.Shape[1],
            x.Shape[2],
            x.Width,
            cosine.Span,
            sine.Span,
            cosine.Width,
            y.Span,
            workers);
        return Rounded(y);
    }

    /// <inheritdoc/>
    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon)
    {
        if (order is null && !Has(LegalRounding.FusedNorm))
        {
            return base.RmsNorm(x, weight, epsilon);
        }

        HostTensor<float> y = ResultLike(x);
        float[] values = Has(LegalRounding.UnroundedResidual) ? BeforeRounding(x) : x.Values;
        for (int row = 0; row < x.Rows; row++)
        {
            ReadOnlySpan<float> source = values.AsSpan(row * x.Width, x.Width);
            float squares = SummationOrders.Dot(order ?? SummationOrder.Pairwise, source, source);
            float scale = 1 / MathF.Sqrt((squares / x.Width) + epsilon);
            Span<float> target = y.Row(row);
            for (int index = 0; index < target.Length; index++)
            {
                float scaled = source[index] * scale;
                target[index] = TPrecision.Round(
                    (Has(LegalRounding.NormRoundedOnce) ? scaled : TPrecision.Round(scaled)) * weight[index]);
            }
        }

        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        if (order is null)
        {
            return base.LinearProjection(x, weight, bias);
        }

        HostTensor<float> y = Result(x, weight.Outputs);
        SummationOrders.Product(order.Value, x.Values, weight, bias, y.Values, workers);
        return Rounded(y);
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterLogits(HostTensor<float> x, WeightMatrix gate)
    {
        if (order is null)
        {
            return base.RouterLogits(x, gate);
        }

        HostTensor<float> logits = Result<float>(x.Rows, gate.Outputs);
        SummationOrders.Product(order.Value, x.Values, gate, [], logits.Values, workers);
        return logits;
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterScores(HostTensor<float> routerLogits)
    {
        if (order is null)
        {
            return base.RouterScores(routerLogits);
        }

        HostTensor<float> scores = ResultLike(routerLogits);
        for (int index = 0; index < scores.Values.Length; index++)
        {
            scores.Values[index] = 1 / (1 + Exponential.Exp(-routerLogits.Values[index]));
        }

        return scores;
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
        if (order is null && !Has(LegalRounding.FusedAttention))
        {
            return base.CausalAttention(shape, query, keys, values, visible, weights);
        }

        HostTensor<float> context = Result<float>(shape.Batch, shape.QueryTokens, shape.Heads * shape.HeadDim);
        LegalAttention attention = new(shape, order ?? SummationOrder.Pairwise, Has(LegalRounding.FusedAttention));
        float[] q = query.Values, k = keys.Values, v = values.Values, y = context.Values, p = weights?.Values ?? [];
        workers.Run(shape.Batch * shape.Heads, (first, end, _) =>
        {
            for (int head = first; head < end; head++)
            {
                attention.Head<TPrecision>(head / shape.Heads, head % shape.Heads, q, k, v, visible, y, p);
            }
        });
        return context;
    }

    /// <inheritdoc/>
    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        if (order is null && !Has(LegalRounding.FusedActivation))
        {
            return base.RoutedExperts(x, decision, experts);
        }

        HostTensor<float> outputs = Result<float>(x.Rows, decision.TopK, x.Width);
        dispatch.Regroup(decision.TopKIndices, decision.TopK, experts.ExpertCount);
        for (int active = 0; active < dispatch.ActiveExperts.Length; active++)
        {
            ExpertWeights expert = experts.Expert(dispatch.ActiveExperts[active]);
            ReadOnlySpan<int> slots = dispatch.RowsOf(active);
            HostTensor<float> gathered = new(slots.Length, x.Width);
            for (int row = 0; row < slots.Length; row++)
            {
                x.Row(slots[row] / decision.TopK).CopyTo(gathered.Row(row));
            }

            HostTensor<float> activated =
                SwiGlu(LinearProjection(gathered, expert.Gate, []), LinearProjection(gathered, expert.Up, []));
            HostTensor<float> made = LinearProjection(activated, expert.Down, []);
            for (int row = 0; row < slots.Length; row++)
            {
                made.Row(row).CopyTo(outputs.Span.Slice(slots[row] * x.Width, x.Width));
            }
        }

        return outputs;
    }

    /// <inheritdoc/>
    public override HostTensor<float> ExpertCombine(HostTensor<float> expertOutputs, RouterDecision<float> decision)
    {
        if (!Has(LegalRounding.RoundedExperts))
        {
            return base.ExpertCombine(expertOutputs, decision);
        }

        int tokens = expertOutputs.Shape[0], topK = decision.TopK;
        HostTensor<float> y = Result<float>(tokens, expertOutputs.Width);
        for (int token = 0; token < tokens; token++)
        {
            Span<float> weights = decision.TopKWeights.Row(token), target = y.Row(token);
            float factor = 0;
            foreach (float weight in weights)
            {
                factor += weight;
            }

            target.Clear();
            for (int slot = 0; slot < topK; slot++)
            {
                Span<float> source = expertOutputs.Row((token * topK) + slot);
                for (int index = 0; index < target.Length; index++)
                {
                    target[index] += TPrecision.Round(weights[slot] / factor * source[index]);
                }
            }

            foreach (ref float value in target)
            {
                value = TPrecision.Round(TPrecision.Round(value) * factor);
            }
        }

        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> SwiGlu(HostTensor<float> gate, HostTensor<float> up)
    {
        if (!Has(LegalRounding.FusedActivation))
        {
            return base.SwiGlu(gate, up);
        }

        HostTensor<float> y = ResultLike(gate);
        Operators.SwiGlu.Apply<Float32Precision>(ExecutionEngine.Vector512, gate.Span, up.Span, y.Span, workers);
        return Rounded(y);
    }

    /// <inheritdoc/>
    public override HostTensor<float> ResidualAdd(HostTensor<float> residual, HostTensor<float> update)
    {
        HostTensor<float> y = base.ResidualAdd(residual, update);
        if (Has(LegalRounding.UnroundedResidual))
        {
            float[] sums = new float[y.Values.Length];
            for (int index = 0; index < sums.Length; index++)
            {
                sums[index] = residual.Values[index] + update.Values[index];
            }

            unrounded.AddOrUpdate(y.Storage, sums);
        }

        return y;
    }

    private bool Has(LegalRounding flag) => (rounding & flag) != 0;

    // Where somebody put another value in the place of the rounded sum, that value is all there is.
    private float[] BeforeRounding(HostTensor<float> x)
    {
        if (!unrounded.TryGetValue(x.Storage, out float[]? sums))
        {
            return x.Values;
        }

        float[] values = [.. x.Values];
        for (int index = 0; index < values.Length; index++)
        {
            if (TPrecision.Round(sums[index]) == values[index])
            {
                values[index] = sums[index];
            }
        }

        return values;
    }

    private static HostTensor<float> Rounded(HostTensor<float> tensor)
    {
        foreach (ref float value in tensor.Span)
        {
            value = TPrecision.Round(value);
        }

        return tensor;
    }
}
