using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Where in a layer, or outside of one, an operator stands.</summary>
internal enum Place
{
    /// <summary>input_layernorm.</summary>
    InputNorm,

    /// <summary>query_layernorm; the rotation of queries.</summary>
    Query,

    /// <summary>key_layernorm; the rotation of keys.</summary>
    Key,

    /// <summary>post_attention_layernorm.</summary>
    PostAttentionNorm,

    /// <summary>model.norm.</summary>
    FinalNorm,

    /// <summary>enorm of the MTP layer.</summary>
    EmbeddingNorm,

    /// <summary>hnorm of the MTP layer.</summary>
    HiddenNorm,

    /// <summary>final_layernorm of the MTP layer.</summary>
    MultiTokenFinalNorm,

    /// <summary>h + attention.</summary>
    AttentionResidual,

    /// <summary>routed + shared.</summary>
    SharedExpert,

    /// <summary>h' + feed-forward block.</summary>
    FeedForwardResidual,
}

/// <summary>A norm that is about to be computed.</summary>
internal readonly record struct NormCall(HostTensor<float> X, float[] Weight, float Epsilon, Place Place);

/// <summary>A rotation that is about to be computed.</summary>
internal readonly record struct RotaryCall(
    HostTensor<float> X, HostTensor<float> Cosine, HostTensor<float> Sine, Place Place);

/// <summary>Attention that is about to be computed.</summary>
internal readonly record struct AttentionCall(
    AttentionShape Shape,
    HostTensor<float> Query,
    HostTensor<float> Keys,
    HostTensor<float> Values,
    byte[] Visible,
    HostTensor<float>? Weights)
{
    /// <summary>Computes.</summary>
    /// <param name="operators">Who computes.</param>
    /// <returns>[batch, tokens, heads · headDim].</returns>
    public HostTensor<float> On(ForwardOperators<float> operators) =>
        operators.CausalAttention(Shape, Query, Keys, Values, Visible, Weights);
}

/// <summary>
/// A set of operators in which single ones are replaced. A replacement is given the set below and what the operator is
/// called with, so that it reads as what it changes: <c>Norm = (o, c) =&gt; o.RmsNorm(c.X, c.Weight, 1e-5f)</c>.
/// </summary>
internal sealed class HookedOperators : ForwardingOperators<float>
{
    private readonly ModelWeights weights;
    private bool isAfterAttention, keyNormIsNext, keyRotationIsNext, hasShared, combined;

    /// <summary>Wraps a set.</summary>
    /// <param name="inner">Who computes.</param>
    /// <param name="weights">Tell the norms outside of layers apart.</param>
    public HookedOperators(ForwardOperators<float> inner, ModelWeights weights)
        : base(inner) => this.weights = weights;

    public Func<ForwardOperators<float>, long[], int, WeightMatrix, HostTensor<float>>? Embedding { get; init; }

    public Func<ForwardOperators<float>, RotaryTable, long[], int, (HostTensor<float>, HostTensor<float>)>? Tables
    {
        get;
        init;
    }

    public Func<ForwardOperators<float>, NormCall, HostTensor<float>>? Norm { get; init; }

    public Func<ForwardOperators<float>, HostTensor<float>, WeightMatrix, float[], HostTensor<float>>? Product
    {
        get;
        init;
    }

    /// <summary>Given the fused projection; returns it with its rows in another order, or otherwise changed.</summary>
    public Func<HostTensor<float>, int, int, int, HostTensor<float>>? BeforeSplit { get; init; }

    public Func<ForwardOperators<float>, RotaryCall, HostTensor<float>>? Rotary { get; init; }

    public Func<ForwardOperators<float>, AttentionCall, HostTensor<float>>? Attention { get; init; }

    public Func<ForwardOperators<float>, HostTensor<float>, WeightMatrix, HostTensor<float>>? Logits { get; init; }

    public Func<ForwardOperators<float>, HostTensor<float>, HostTensor<float>>? Scores { get; init; }

    public Func<ForwardOperators<float>, HostTensor<float>, float[], RouterShape, RouterDecision<float>>? Choice
    {
        get;
        init;
    }

    public Func<ForwardOperators<float>, HostTensor<float>, RouterDecision<float>, SparseWeights, HostTensor<float>>?
        Experts
    {
        get;
        init;
    }

    public Func<ForwardOperators<float>, HostTensor<float>, RouterDecision<float>, HostTensor<float>>? Combine
    {
        get;
        init;
    }

    public Func<ForwardOperators<float>, HostTensor<float>, HostTensor<float>, HostTensor<float>>? Gated
    {
        get;
        init;
    }

    public Func<ForwardOperators<float>, HostTensor<float>, HostTensor<float>, Place, HostTensor<float>>? Add
    {
        get;
        init;
    }

    public Func<ForwardOperators<float>, HostTensor<float>, HostTensor<float>, HostTensor<float>>? Join { get; init; }

    /// <inheritdoc/>
    public override HostTensor<float> TokenEmbedding(long[] ids, int batch, WeightMatrix table) =>
        Embedding is null ? Inner.TokenEmbedding(ids, batch, table) : Embedding(Inner, ids, batch, table);

    /// <inheritdoc/>
    public override (HostTensor<float> Cosine, HostTensor<float> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch) => Tables is null
        ? Inner.RotaryTables(table, positions, batch)
        : Tables(Inner, table, positions, batch);

    /// <inheritdoc/>
    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon)
    {
        Place place = PlaceOf(x, weight);
        return Norm is null ? Inner.RmsNorm(x, weight, epsilon) : Norm(Inner, new(x, weight, epsilon, place));
    }

    /// <inheritdoc/>
    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        if (weight.Name.EndsWith(".attention.query_key_value.weight", StringComparison.Ordinal))
        {
            (keyNormIsNext, keyRotationIsNext) = (false, false);
        }
        else if (weight.Name.EndsWith(".attention.dense.weight", StringComparison.Ordinal))
        {
            isAfterAttention = true;
        }

        return Product is null ? Inner.LinearProjection(x, weight, bias) : Product(Inner, x, weight, bias);
    }

    /// <inheritdoc/>
    public override (HostTensor<float> Query, HostTensor<float> Key, HostTensor<float> Value) QueryKeyValueSplit(
        HostTensor<float> queryKeyValue, int heads, int keyValueHeads, int headDim) => Inner.QueryKeyValueSplit(
            BeforeSplit is null ? queryKeyValue : BeforeSplit(queryKeyValue, heads, keyValueHeads, headDim),
            heads,
            keyValueHeads,
            headDim);

    /// <inheritdoc/>
    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine)
    {
        Place place = keyRotationIsNext ? Place.Key : Place.Query;
        keyRotationIsNext = !keyRotationIsNext;
        return Rotary is null ? Inner.RotaryEmbedding(x, cosine, sine) : Rotary(Inner, new(x, cosine, sine, place));
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
        AttentionCall call = new(shape, query, keys, values, visible, weights);
        return Attention is null ? call.On(Inner) : Attention(Inner, call);
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterLogits(HostTensor<float> x, WeightMatrix gate) =>
        Logits is null ? Inner.RouterLogits(x, gate) : Logits(Inner, x, gate);

    /// <inheritdoc/>
    public override HostTensor<float> RouterScores(HostTensor<float> routerLogits) =>
        Scores is null ? Inner.RouterScores(routerLogits) : Scores(Inner, routerLogits);

    /// <inheritdoc/>
    public override RouterDecision<float> GroupLimitedTopK(
        HostTensor<float> scores, float[] expertBias, RouterShape shape) => Choice is null
        ? Inner.GroupLimitedTopK(scores, expertBias, shape)
        : Choice(Inner, scores, expertBias, shape);

    /// <inheritdoc/>
    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        hasShared = experts.SharedExperts is not null;
        return Experts is null
            ? Inner.RoutedExperts(x, decision, experts)
            : Experts(Inner, x, decision, experts);
    }

    /// <inheritdoc/>
    public override HostTensor<float> ExpertCombine(HostTensor<float> expertOutputs, RouterDecision<float> decision)
    {
        combined = hasShared; // the next addition is the shared expert's
        return Combine is null ? Inner.ExpertCombine(expertOutputs, decision) : Combine(Inner, expertOutputs, decision);
    }

    /// <inheritdoc/>
    public override HostTensor<float> SwiGlu(HostTensor<float> gate, HostTensor<float> up) =>
        Gated is null ? Inner.SwiGlu(gate, up) : Gated(Inner, gate, up);

    /// <inheritdoc/>
    public override HostTensor<float> ResidualAdd(HostTensor<float> residual, HostTensor<float> update)
    {
        Place place = combined ? Place.SharedExpert
            : isAfterAttention ? Place.AttentionResidual
            : Place.FeedForwardResidual;
        combined = false;
        return Add is null ? Inner.ResidualAdd(residual, update) : Add(Inner, residual, update, place);
    }

    /// <inheritdoc/>
    public override HostTensor<float> Concatenate(HostTensor<float> first, HostTensor<float> second) =>
        Join is null ? Inner.Concatenate(first, second) : Join(Inner, first, second);

    private Place PlaceOf(HostTensor<float> x, float[] weight)
    {
        if (x.Shape.Length == 4)
        {
            Place head = keyNormIsNext ? Place.Key : Place.Query;
            keyNormIsNext = !keyNormIsNext;
            return head;
        }

        if (ReferenceEquals(weight, weights.FinalNorm))
        {
            return Place.FinalNorm;
        }

        if (weights.MultiToken is { } layer)
        {
            if (ReferenceEquals(weight, layer.EmbeddingNorm))
            {
                return Place.EmbeddingNorm;
            }

            if (ReferenceEquals(weight, layer.HiddenNorm))
            {
                return Place.HiddenNorm;
            }

            if (ReferenceEquals(weight, layer.FinalLayerNorm))
            {
                return Place.MultiTokenFinalNorm;
            }
        }

        Place place = isAfterAttention ? Place.PostAttentionNorm : Place.InputNorm;
        isAfterAttention = false;
        return place;
    }
}
