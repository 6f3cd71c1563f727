using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>A set of operators that computes nothing itself: every member forwards to another set.</summary>
/// <typeparam name="T">What activations are held in.</typeparam>
public abstract class ForwardingOperators<T> : ForwardOperators<T>
    where T : unmanaged, System.Numerics.INumber<T>
{
    /// <summary>Wraps a set.</summary>
    /// <param name="inner">Who computes.</param>
    protected ForwardingOperators(ForwardOperators<T> inner) => Inner = inner;

    /// <summary>Who computes.</summary>
    public ForwardOperators<T> Inner { get; }

    /// <inheritdoc/>
    public override string EngineName => Inner.EngineName;

    /// <inheritdoc/>
    public override string PrecisionName => Inner.PrecisionName;

    /// <inheritdoc/>
    public override HostTensor<T> TokenEmbedding(long[] ids, int batch, WeightMatrix table) =>
        Inner.TokenEmbedding(ids, batch, table);

    /// <inheritdoc/>
    public override (HostTensor<T> Cosine, HostTensor<T> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch) => Inner.RotaryTables(table, positions, batch);

    /// <inheritdoc/>
    public override HostTensor<T> RmsNorm(HostTensor<T> x, float[] weight, float epsilon) =>
        Inner.RmsNorm(x, weight, epsilon);

    /// <inheritdoc/>
    public override HostTensor<T> LinearProjection(HostTensor<T> x, WeightMatrix weight, float[] bias) =>
        Inner.LinearProjection(x, weight, bias);

    /// <inheritdoc/>
    public override (HostTensor<T> Query, HostTensor<T> Key, HostTensor<T> Value) QueryKeyValueSplit(
        HostTensor<T> queryKeyValue, int heads, int keyValueHeads, int headDim) =>
        Inner.QueryKeyValueSplit(queryKeyValue, heads, keyValueHeads, headDim);

    /// <inheritdoc/>
    public override void Prepare(ModelWeights weights) => Inner.Prepare(weights);

    /// <inheritdoc/>
    public override void CopyTokens(
        HostTensor<T> source, int from, HostTensor<T> destination, int to, int count) =>
        Inner.CopyTokens(source, from, destination, to, count);

    /// <inheritdoc/>
    public override HostTensor<T> RotaryEmbedding(HostTensor<T> x, HostTensor<T> cosine, HostTensor<T> sine) =>
        Inner.RotaryEmbedding(x, cosine, sine);

    /// <inheritdoc/>
    public override HostTensor<T> CausalAttention(
        AttentionShape shape,
        HostTensor<T> query,
        HostTensor<T> keys,
        HostTensor<T> values,
        byte[] visible,
        HostTensor<T>? weights) => Inner.CausalAttention(shape, query, keys, values, visible, weights);

    /// <inheritdoc/>
    public override HostTensor<T> RouterLogits(HostTensor<T> x, WeightMatrix gate) => Inner.RouterLogits(x, gate);

    /// <inheritdoc/>
    public override HostTensor<T> RouterScores(HostTensor<T> routerLogits) => Inner.RouterScores(routerLogits);

    /// <inheritdoc/>
    public override RouterDecision<T> GroupLimitedTopK(HostTensor<T> scores, float[] expertBias, RouterShape shape) =>
        Inner.GroupLimitedTopK(scores, expertBias, shape);

    /// <inheritdoc/>
    public override HostTensor<T> RoutedExperts(HostTensor<T> x, RouterDecision<T> decision, SparseWeights experts) =>
        Inner.RoutedExperts(x, decision, experts);

    /// <inheritdoc/>
    public override HostTensor<T> ExpertCombine(HostTensor<T> expertOutputs, RouterDecision<T> decision) =>
        Inner.ExpertCombine(expertOutputs, decision);

    /// <inheritdoc/>
    public override HostTensor<T> SwiGlu(HostTensor<T> gate, HostTensor<T> up) => Inner.SwiGlu(gate, up);

    /// <inheritdoc/>
    public override HostTensor<T> ResidualAdd(HostTensor<T> residual, HostTensor<T> update) =>
        Inner.ResidualAdd(residual, update);

    /// <inheritdoc/>
    public override HostTensor<T> Concatenate(HostTensor<T> first, HostTensor<T> second) =>
        Inner.Concatenate(first, second);

    /// <inheritdoc/>
    public override HostTensor<T> CrossEntropy(HostTensor<T> logits, long[] targets) =>
        Inner.CrossEntropy(logits, targets);

    /// <inheritdoc/>
    public override HostTensor<T> TotalLoss(HostTensor<T> main, HostTensor<T> multiToken, double factor) =>
        Inner.TotalLoss(main, multiToken, factor);
}
