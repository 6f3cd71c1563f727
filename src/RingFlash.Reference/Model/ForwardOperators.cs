using System;
using System.Numerics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>
/// The operators that a forward pass is made of, as one set: an engine under a precision policy, or the float64 oracle.
/// The forward pass is written once over this set; verification wraps it to measure, and tests override single members.
/// </summary>
/// <typeparam name="T">What activations are held in: float, or double for the oracle.</typeparam>
public abstract class ForwardOperators<T>
    where T : unmanaged, INumber<T>
{
    /// <summary>The word for the engine in reports.</summary>
    public abstract string EngineName { get; }

    /// <summary>The word for the precision policy in reports.</summary>
    public abstract string PrecisionName { get; }

    /// <summary>Where results lie while a model's pass runs; null for tensors of their own.</summary>
    internal TensorArena? Arena { get; set; }

    /// <summary>
    /// Brings weights to where they are used, before the first pass; where that is the host there is nothing to do.
    /// </summary>
    /// <param name="weights">The model's weights.</param>
    public virtual void Prepare(ModelWeights weights)
    {
    }

    /// <summary>See <see cref="Operators.TokenEmbedding"/>.</summary>
    /// <param name="ids">[batch · tokens].</param>
    /// <param name="batch">The number of sequences.</param>
    /// <param name="table">[vocabulary, hidden].</param>
    /// <returns>[batch, tokens, hidden].</returns>
    public abstract HostTensor<T> TokenEmbedding(long[] ids, int batch, WeightMatrix table);

    /// <summary>See <see cref="RotaryTable"/>.</summary>
    /// <param name="table">The frequencies.</param>
    /// <param name="positions">[batch · tokens].</param>
    /// <param name="batch">The number of sequences.</param>
    /// <returns>Cosines and sines, [batch, tokens, R] each, rounded to the storage type.</returns>
    public abstract (HostTensor<T> Cosine, HostTensor<T> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch);

    /// <summary>See <see cref="Operators.RmsNorm"/>.</summary>
    /// <param name="x">[…, width].</param>
    /// <param name="weight">[width].</param>
    /// <param name="epsilon">Inside the root.</param>
    /// <returns>The shape of x.</returns>
    public abstract HostTensor<T> RmsNorm(HostTensor<T> x, float[] weight, float epsilon);

    /// <summary>See <see cref="Operators.LinearProjection"/>.</summary>
    /// <param name="x">[…, inputs].</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs], or empty.</param>
    /// <returns>[…, outputs].</returns>
    public abstract HostTensor<T> LinearProjection(HostTensor<T> x, WeightMatrix weight, float[] bias);

    /// <summary>See <see cref="Operators.QueryKeyValueSplit"/>.</summary>
    /// <param name="queryKeyValue">[batch, tokens, (heads + 2·keyValueHeads)·headDim].</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keyValueHeads">Key and value heads.</param>
    /// <param name="headDim">The width of a head.</param>
    /// <returns>[batch, heads or keyValueHeads, tokens, headDim] each.</returns>
    public virtual (HostTensor<T> Query, HostTensor<T> Key, HostTensor<T> Value) QueryKeyValueSplit(
        HostTensor<T> queryKeyValue, int heads, int keyValueHeads, int headDim)
    {
        ArgumentNullException.ThrowIfNull(queryKeyValue);
        int batch = queryKeyValue.Shape[0], tokens = queryKeyValue.Shape[1];
        HostTensor<T> query = Result<T>(batch, heads, tokens, headDim);
        HostTensor<T> key = Result<T>(batch, keyValueHeads, tokens, headDim);
        HostTensor<T> value = Result<T>(batch, keyValueHeads, tokens, headDim);
        Operators.QueryKeyValueSplit.Scalar<T>(
            queryKeyValue.Span, batch, heads, keyValueHeads, headDim, query.Span, key.Span, value.Span);
        return (query, key, value);
    }

    /// <summary>
    /// Copies tokens of every head from one tensor to a place in another: into a cache, out of a batch.
    /// </summary>
    /// <param name="source">[batch, heads, tokens, width].</param>
    /// <param name="from">The first token to copy.</param>
    /// <param name="destination">
    /// [batch, heads, capacity, width]; its tokens before <paramref name="to"/> stay, those behind the copied ones are
    /// undefined afterwards.
    /// </param>
    /// <param name="to">The place of the first one.</param>
    /// <param name="count">Tokens to copy.</param>
    public virtual void CopyTokens(
        HostTensor<T> source, int from, HostTensor<T> destination, int to, int count)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        int width = source.Width, tokens = source.Shape[2], capacity = destination.Shape[2];
        for (int head = 0; head < source.Shape[0] * source.Shape[1]; head++)
        {
            source.Span.Slice(((head * tokens) + from) * width, count * width)
                .CopyTo(destination.Span[(((head * capacity) + to) * width)..]);
        }
    }

    /// <summary>See <see cref="Operators.RotaryEmbedding"/>.</summary>
    /// <param name="x">[batch, heads, tokens, headDim].</param>
    /// <param name="cosine">[batch, tokens, R].</param>
    /// <param name="sine">[batch, tokens, R].</param>
    /// <returns>The shape of x.</returns>
    public abstract HostTensor<T> RotaryEmbedding(HostTensor<T> x, HostTensor<T> cosine, HostTensor<T> sine);

    /// <summary>See <see cref="Operators.CausalAttention"/>.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="query">[batch, heads, tokens, headDim].</param>
    /// <param name="keys">[batch, keyValueHeads, capacity, headDim].</param>
    /// <param name="values">[batch, keyValueHeads, capacity, headDim].</param>
    /// <param name="visible">[batch, past + tokens], or empty.</param>
    /// <param name="weights">[batch, heads, tokens, past + tokens], written; or null when not wanted.</param>
    /// <returns>[batch, tokens, heads · headDim].</returns>
    public abstract HostTensor<T> CausalAttention(
        AttentionShape shape,
        HostTensor<T> query,
        HostTensor<T> keys,
        HostTensor<T> values,
        byte[] visible,
        HostTensor<T>? weights);

    /// <summary>
    /// The router's product, in float32 under every policy; see <see cref="Operators.LinearProjection"/>.
    /// </summary>
    /// <param name="x">[…, hidden].</param>
    /// <param name="gate">[experts, hidden].</param>
    /// <returns>[tokens, experts].</returns>
    public abstract HostTensor<T> RouterLogits(HostTensor<T> x, WeightMatrix gate);

    /// <summary>See <see cref="Operators.RouterScores"/>.</summary>
    /// <param name="routerLogits">[tokens, experts].</param>
    /// <returns>[tokens, experts].</returns>
    public abstract HostTensor<T> RouterScores(HostTensor<T> routerLogits);

    /// <summary>See <see cref="Operators.GroupLimitedTopK"/>.</summary>
    /// <param name="scores">[tokens, experts].</param>
    /// <param name="expertBias">[experts].</param>
    /// <param name="shape">Sizes and factor.</param>
    /// <returns>The choice.</returns>
    public abstract RouterDecision<T> GroupLimitedTopK(HostTensor<T> scores, float[] expertBias, RouterShape shape);

    /// <summary>See <see cref="Operators.RoutedExperts"/>.</summary>
    /// <param name="x">[…, hidden].</param>
    /// <param name="decision">Who goes where.</param>
    /// <param name="experts">The weights of the experts.</param>
    /// <returns>[tokens, topK, hidden].</returns>
    public abstract HostTensor<T> RoutedExperts(
        HostTensor<T> x, RouterDecision<T> decision, SparseWeights experts);

    /// <summary>See <see cref="Operators.ExpertCombine"/>.</summary>
    /// <param name="expertOutputs">[tokens, topK, hidden].</param>
    /// <param name="decision">The weights.</param>
    /// <returns>[tokens, hidden].</returns>
    public abstract HostTensor<T> ExpertCombine(HostTensor<T> expertOutputs, RouterDecision<T> decision);

    /// <summary>See <see cref="Operators.SwiGlu"/>.</summary>
    /// <param name="gate">[…, intermediate].</param>
    /// <param name="up">[…, intermediate].</param>
    /// <returns>The shape of gate.</returns>
    public abstract HostTensor<T> SwiGlu(HostTensor<T> gate, HostTensor<T> up);

    /// <summary>See <see cref="Operators.ResidualAdd"/>.</summary>
    /// <param name="residual">[…, hidden].</param>
    /// <param name="update">As many elements.</param>
    /// <returns>The shape of residual.</returns>
    public abstract HostTensor<T> ResidualAdd(HostTensor<T> residual, HostTensor<T> update);

    /// <summary>Joins two tensors along the last axis: the input of the MTP layer's eh_proj.</summary>
    /// <param name="first">[…, a].</param>
    /// <param name="second">[…, b].</param>
    /// <returns>[…, a + b].</returns>
    public virtual HostTensor<T> Concatenate(HostTensor<T> first, HostTensor<T> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        HostTensor<T> joined = Result(first, first.Width + second.Width);
        for (int row = 0; row < first.Rows; row++)
        {
            first.Row(row).CopyTo(joined.Row(row));
            second.Row(row).CopyTo(joined.Row(row)[first.Width..]);
        }

        return joined;
    }

    /// <summary>See <see cref="Operators.CrossEntropy"/>.</summary>
    /// <param name="logits">[batch, tokens, vocabulary].</param>
    /// <param name="targets">[batch · tokens].</param>
    /// <returns>[1], nats.</returns>
    public abstract HostTensor<T> CrossEntropy(HostTensor<T> logits, long[] targets);

    /// <summary>The loss that is trained on: main + factor · multiToken, the product rounded first.</summary>
    /// <param name="main">[1].</param>
    /// <param name="multiToken">[1].</param>
    /// <param name="factor">mtp_loss_scaling_factor.</param>
    /// <returns>[1].</returns>
    public virtual HostTensor<T> TotalLoss(HostTensor<T> main, HostTensor<T> multiToken, double factor)
    {
        ArgumentNullException.ThrowIfNull(main);
        ArgumentNullException.ThrowIfNull(multiToken);
        HostTensor<T> total = Result<T>(1);
        total.Values[0] = main.Values[0] + (T.CreateChecked(factor) * multiToken.Values[0]);
        return total;
    }

    /// <summary>
    /// A tensor for a result: in a model's pass one of its own, valid as long as <see cref="ForwardResult{T}"/> says;
    /// else a new one.
    /// </summary>
    /// <typeparam name="TElement">The element type.</typeparam>
    /// <param name="shape">The axes.</param>
    /// <returns>A tensor with undefined contents.</returns>
    protected internal HostTensor<TElement> Result<TElement>(params ReadOnlySpan<int> shape)
        where TElement : unmanaged => Arena?.Take<TElement>(shape) ?? new HostTensor<TElement>(shape);

    /// <summary>A tensor for a result that has the axes of an input, but rows of another width.</summary>
    /// <param name="x">[…, any].</param>
    /// <param name="width">The width.</param>
    /// <returns>[…, width], with undefined contents.</returns>
    protected HostTensor<T> Result(HostTensor<T> x, int width)
    {
        ArgumentNullException.ThrowIfNull(x);
        Span<int> shape = stackalloc int[x.Shape.Length];
        x.Shape.CopyTo(shape);
        shape[^1] = width;
        return Result<T>(shape);
    }

    /// <summary>A tensor for a result that has the axes of an input.</summary>
    /// <param name="x">The input.</param>
    /// <returns>The shape of x, with undefined contents.</returns>
    protected HostTensor<T> ResultLike(HostTensor<T> x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return Result<T>(x.Shape);
    }
}

/// <summary>The router's choice for every token of a layer.</summary>
/// <typeparam name="T">What weights are held in.</typeparam>
/// <param name="Indices">[tokens · topK], the chosen experts, best first.</param>
/// <param name="TopKWeights">[tokens, topK].</param>
/// <param name="Margins">[tokens], the distance from another choice.</param>
public readonly record struct RouterDecision<T>(
    HostTensor<int> Indices, HostTensor<T> TopKWeights, HostTensor<T> Margins)
    where T : unmanaged
{
    /// <summary>[tokens · topK], the chosen experts on the host.</summary>
    public int[] TopKIndices => Indices.Values;

    /// <summary>Experts per token.</summary>
    public int TopK => TopKWeights.Width;
}
