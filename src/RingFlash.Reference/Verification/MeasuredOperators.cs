using System;
using System.Runtime.CompilerServices;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Verification;

/// <summary>
/// A set of operators that remembers where each tensor came from. It computes nothing itself: members forward and note
/// the operator, how many elementary operations lie behind the result, and how its gauge would be computed.
/// </summary>
internal sealed class MeasuredOperators : ForwardingOperators<float>
{
    private readonly Float32Operators<Float32Precision> gauges;
    private readonly Action betweenOperators;
    // By the elements and not by the tensor around them: a reshaped tensor has the same history.
    private readonly ConditionalWeakTable<TensorStorage<float>, Origin> origins = [];

    /// <summary>Wraps a set.</summary>
    /// <param name="inner">The set under test.</param>
    /// <param name="workers">The threads for gauges.</param>
    /// <param name="betweenOperators">Called before every operator; may throw to stop.</param>
    public MeasuredOperators(ForwardOperators<float> inner, WorkerPool workers, Action betweenOperators)
        : base(inner)
    {
        this.betweenOperators = betweenOperators;
        gauges = new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers);
    }

    /// <summary>The origin of a tensor.</summary>
    /// <param name="tensor">Any tensor of the pass.</param>
    /// <returns>The origin; <see cref="Origin.Reference"/> when it is not the output of an operator.</returns>
    public Origin OriginOf(HostTensor<float> tensor) =>
        origins.TryGetValue(tensor.Storage, out Origin? origin) ? origin : Origin.Reference;

    /// <summary>Notes that a tensor now holds the reference's values.</summary>
    /// <param name="tensor">The tensor.</param>
    public void SetReference(HostTensor<float> tensor) => origins.AddOrUpdate(tensor.Storage, Origin.Reference);

    /// <inheritdoc/>
    public override HostTensor<float> TokenEmbedding(long[] ids, int batch, WeightMatrix table)
    {
        betweenOperators();
        HostTensor<float> y = Inner.TokenEmbedding(ids, batch, table);
        return Note(y, Origin.Of(nameof(TokenEmbedding), 0, [], () => Absolute(y), 0, 0));
    }

    /// <inheritdoc/>
    public override (HostTensor<float> Cosine, HostTensor<float> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch)
    {
        ArgumentNullException.ThrowIfNull(table);
        betweenOperators();
        (HostTensor<float> cosine, HostTensor<float> sine) = Inner.RotaryTables(table, positions, batch);

        // One rounding each of sine or cosine (1 ulp in torch), and of the scaling: 4 units of the scaled size 1.
        HostTensor<float> Gauge()
        {
            HostTensor<float> gauge = Like(cosine);
            gauge.Span.Fill((float)table.AttentionScaling);
            return gauge;
        }

        Origin origin = Origin.Of(nameof(RotaryTable), 1, [], Gauge, 4, 1);
        return (Note(cosine, origin), Note(sine, origin));
    }

    /// <inheritdoc/>
    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon)
    {
        ArgumentNullException.ThrowIfNull(weight);
        betweenOperators();
        HostTensor<float> y = Inner.RmsNorm(x, weight, epsilon);
        double units = ErrorBudget.ChainUnits(4 + (weight.Length / 128.0));
        return Note(y, Origin.Of(nameof(RmsNorm), 1, [OriginOf(x)], () => Absolute(y), units, 2));
    }

    /// <inheritdoc/>
    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        ArgumentNullException.ThrowIfNull(weight);
        betweenOperators();
        HostTensor<float> y = Inner.LinearProjection(x, weight, bias);
        return Note(y, Product(nameof(LinearProjection), x, weight, Absolute(bias)));
    }

    /// <inheritdoc/>
    public override (HostTensor<float> Query, HostTensor<float> Key, HostTensor<float> Value) QueryKeyValueSplit(
        HostTensor<float> queryKeyValue, int heads, int keyValueHeads, int headDim)
    {
        betweenOperators();
        (HostTensor<float> query, HostTensor<float> key, HostTensor<float> value) =
            Inner.QueryKeyValueSplit(queryKeyValue, heads, keyValueHeads, headDim);

        Origin origin = OriginOf(queryKeyValue).CopiedBy(nameof(QueryKeyValueSplit));
        return (Note(query, origin), Note(key, origin), Note(value, origin));
    }

    /// <inheritdoc/>
    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine)
    {
        betweenOperators();
        HostTensor<float> y = Inner.RotaryEmbedding(x, cosine, sine);

        // −(−|x[d+R/2]|)·|sin| makes every term of the first half positive; the second half adds anyway.
        HostTensor<float> Gauge()
        {
            HostTensor<float> firstHalf =
                gauges.RotaryEmbedding(Absolute(x), Absolute(cosine), Negative(Absolute(sine)));
            HostTensor<float> secondHalf = gauges.RotaryEmbedding(Absolute(x), Absolute(cosine), Absolute(sine));
            int half = cosine.Width / 2;
            for (int row = 0; row < firstHalf.Rows; row++)
            {
                secondHalf.Row(row)[half..].CopyTo(firstHalf.Row(row)[half..]);
            }

            return firstHalf;
        }

        return Note(y, Origin.Of(nameof(RotaryEmbedding), 1, [OriginOf(x), OriginOf(cosine)], Gauge, 4, 3));
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
        betweenOperators();
        HostTensor<float> context = Inner.CausalAttention(shape, query, keys, values, visible, weights);
        double operations = 4 + (shape.HeadDim / 16.0);
        Origin origin = Origin.Of(
            nameof(CausalAttention), operations, [OriginOf(query), OriginOf(keys), OriginOf(values)], null, 0, 0);
        if (weights is not null)
        {
            // An error of a score is a relative error of the weight: A = max Σ|q·k|/√d units of u for d terms.
            float largest = LargestScoreGauge(shape, query, keys);
            double units = ErrorBudget.ChainUnits(shape.HeadDim + (shape.KeyTokens / 32.0) + 8);
            Note(weights, origin with { Gauge = () => Scaled(Absolute(weights), 1 + largest), UnitsBudget = units });
        }

        return Note(context, origin);
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterLogits(HostTensor<float> x, WeightMatrix gate)
    {
        ArgumentNullException.ThrowIfNull(gate);
        betweenOperators();
        HostTensor<float> y = Inner.RouterLogits(x, gate);

        // Float32 under every policy: no rounding point.
        return Note(y, Product(nameof(RouterLogits), x, gate, []) with { RoundingPoints = 0 });
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterScores(HostTensor<float> routerLogits)
    {
        betweenOperators();
        HostTensor<float> y = Inner.RouterScores(routerLogits);

        // 1 ulp ours, 1 or 2 in the reference, which rounds exp, 1 + exp and the quotient.
        return Note(y, Origin.Of(nameof(RouterScores), 1, [OriginOf(routerLogits)], () => Absolute(y), 8, 0));
    }

    /// <inheritdoc/>
    public override RouterDecision<float> GroupLimitedTopK(
        HostTensor<float> scores, float[] expertBias, RouterShape shape)
    {
        betweenOperators();
        RouterDecision<float> decision = Inner.GroupLimitedTopK(scores, expertBias, shape);
        Origin origin = Origin.Of(
            nameof(GroupLimitedTopK),
            1,
            [OriginOf(scores)],
            () => Absolute(decision.TopKWeights),
            2 * (shape.TopK + 3),
            0);
        Note(decision.TopKWeights, origin);

        // The margin is formed in float64 from float32 scores and rounded once; two scores of size 1 at most.
        Note(decision.Margins, origin with { Gauge = () => Filled(decision.Margins, 2f), UnitsBudget = 4 });
        return decision;
    }

    /// <inheritdoc/>
    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        ArgumentNullException.ThrowIfNull(experts);
        betweenOperators();
        HostTensor<float> y = Inner.RoutedExperts(x, decision, experts);
        ExpertWeights any = experts.Expert(decision.TopKIndices[0]);
        double operations = ErrorBudget.ProductWeight(any.Gate.Inputs) + 1 + ErrorBudget.ProductWeight(any.Down.Inputs);
        Origin origin = Origin.Of(
            nameof(RoutedExperts), operations, [OriginOf(x), OriginOf(decision.TopKWeights)], null, 0, 0);
        return Note(y, origin);
    }

    /// <inheritdoc/>
    public override HostTensor<float> ExpertCombine(HostTensor<float> expertOutputs, RouterDecision<float> decision)
    {
        betweenOperators();
        HostTensor<float> y = Inner.ExpertCombine(expertOutputs, decision);
        HostTensor<float> Gauge() => gauges.ExpertCombine(
            Absolute(expertOutputs), decision with { TopKWeights = Absolute(decision.TopKWeights) });
        Origin[] inputs = [OriginOf(expertOutputs), OriginOf(decision.TopKWeights)];
        return Note(y, Origin.Of(nameof(ExpertCombine), 1, inputs, Gauge, 2 * (decision.TopK + 1), 0));
    }

    /// <inheritdoc/>
    public override HostTensor<float> SwiGlu(HostTensor<float> gate, HostTensor<float> up)
    {
        betweenOperators();
        HostTensor<float> y = Inner.SwiGlu(gate, up);
        return Note(y, Origin.Of(nameof(SwiGlu), 1, [OriginOf(gate), OriginOf(up)], () => Absolute(y), 8, 2));
    }

    /// <inheritdoc/>
    public override HostTensor<float> ResidualAdd(HostTensor<float> residual, HostTensor<float> update)
    {
        betweenOperators();
        HostTensor<float> y = Inner.ResidualAdd(residual, update);
        HostTensor<float> Gauge() => gauges.ResidualAdd(Absolute(residual), Absolute(update));
        return Note(y, Origin.Of(nameof(ResidualAdd), 1, [OriginOf(residual), OriginOf(update)], Gauge, 2, 1));
    }

    /// <inheritdoc/>
    public override HostTensor<float> Concatenate(HostTensor<float> first, HostTensor<float> second)
    {
        HostTensor<float> y = Inner.Concatenate(first, second);
        Origin a = OriginOf(first), b = OriginOf(second);
        return Note(y, (a.Operations > b.Operations ? a : b).CopiedBy(nameof(Concatenate)));
    }

    /// <inheritdoc/>
    public override HostTensor<float> CrossEntropy(HostTensor<float> logits, long[] targets)
    {
        ArgumentNullException.ThrowIfNull(logits);
        betweenOperators();
        HostTensor<float> y = Inner.CrossEntropy(logits, targets);
        double units = ErrorBudget.ChainUnits(8 + (logits.Width / 32.0));
        return Note(y, Origin.Of(nameof(CrossEntropy), 2, [OriginOf(logits)], () => Absolute(y), units, 0));
    }

    /// <inheritdoc/>
    public override HostTensor<float> TotalLoss(HostTensor<float> main, HostTensor<float> multiToken, double factor)
    {
        HostTensor<float> y = Inner.TotalLoss(main, multiToken, factor);
        return Note(
            y, Origin.Of(nameof(CrossEntropy), 1, [OriginOf(main), OriginOf(multiToken)], () => Absolute(y), 4, 0));
    }

    private Origin Product(string name, HostTensor<float> x, WeightMatrix weight, float[] absoluteBias) => Origin.Of(
        name,
        ErrorBudget.ProductWeight(weight.Inputs),
        [OriginOf(x)],
        () => gauges.LinearProjection(Absolute(x), new AbsoluteMatrix(weight), absoluteBias),
        ErrorBudget.ProductUnits(weight.Inputs),
        1);

    private HostTensor<float> Note(HostTensor<float> tensor, Origin origin)
    {
        origins.AddOrUpdate(tensor.Storage, origin);
        return tensor;
    }

    private static float LargestScoreGauge(AttentionShape shape, HostTensor<float> query, HostTensor<float> keys)
    {
        // Σ|q·k| ≤ ‖q‖·‖k‖: cheap, and within a small factor for normalised heads.
        double largestQuery = LargestNorm(query, shape.HeadDim), largestKey = LargestNorm(keys, shape.HeadDim);
        return (float)(largestQuery * largestKey / Math.Sqrt(shape.HeadDim));
    }

    private static double LargestNorm(HostTensor<float> heads, int headDim)
    {
        double largest = 0;
        for (int start = 0; start < heads.Values.Length; start += headDim)
        {
            largest = Math.Max(largest, Summation.SumOfSquaresVectorised(heads.Span.Slice(start, headDim)));
        }

        return Math.Sqrt(largest);
    }

    private static HostTensor<float> Like(HostTensor<float> tensor) => new(tensor.Shape.ToArray());

    private static HostTensor<float> Map(HostTensor<float> tensor, Func<float, float> function)
    {
        HostTensor<float> result = Like(tensor);
        for (int index = 0; index < tensor.Values.Length; index++)
        {
            result.Values[index] = function(tensor.Values[index]);
        }

        return result;
    }

    private static HostTensor<float> Absolute(HostTensor<float> tensor) => Map(tensor, Math.Abs);

    private static float[] Absolute(float[] values) => Array.ConvertAll(values, Math.Abs);

    private static HostTensor<float> Negative(HostTensor<float> tensor) => Map(tensor, value => -value);

    private static HostTensor<float> Scaled(HostTensor<float> tensor, float factor) =>
        Map(tensor, value => value * factor);

    private static HostTensor<float> Filled(HostTensor<float> tensor, float value) => Map(tensor, _ => value);
}
