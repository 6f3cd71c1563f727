using System;
using System.Linq;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>What a router's scores are.</summary>
internal enum ScoreKind
{
    /// <summary>sigmoid(logit).</summary>
    Sigmoid,

    /// <summary>softmax over all experts.</summary>
    Softmax,

    /// <summary>The logit itself.</summary>
    Logit,

    /// <summary>sigmoid(logit), but softmax over the chosen logits as weights.</summary>
    SoftmaxOfChosen,

    /// <summary>sigmoid(logit), but softmax over the chosen scores as weights.</summary>
    SoftmaxOfChosenScores,
}

/// <summary>How a group is scored.</summary>
internal enum GroupScoreKind
{
    /// <summary>The sum of its two best.</summary>
    BestTwo,

    /// <summary>Its best.</summary>
    Best,

    /// <summary>The mean of all.</summary>
    Mean,
}

/// <summary>How a router may choose and weigh; the defaults are the published rules.</summary>
internal sealed record RouterRules
{
    /// <summary>What is chosen by.</summary>
    public ScoreKind Choice { get; init; }

    /// <summary>What weights are made of.</summary>
    public ScoreKind Weight { get; init; }

    /// <summary>Whether the bias is added before experts are chosen.</summary>
    public bool BiasInChoice { get; init; } = true;

    /// <summary>Whether it is in the groups' scores.</summary>
    public bool BiasInGroups { get; init; } = true;

    /// <summary>Whether it stays in the weights.</summary>
    public bool BiasInWeights { get; init; }

    /// <summary>The factor on the bias.</summary>
    public float BiasFactor { get; init; } = 1;

    /// <summary>Whether the bias is added to the logits, before they become scores to choose by.</summary>
    public bool BiasOnLogits { get; init; }

    /// <summary>How groups are scored.</summary>
    public GroupScoreKind GroupScore { get; init; }

    /// <summary>Whether groups are consecutive experts, and not every n-th one.</summary>
    public bool GroupsAreConsecutive { get; init; } = true;

    /// <summary>What the experts of other groups get.</summary>
    public float MaskFill { get; init; } = float.NegativeInfinity;

    /// <summary>Whether weights are divided by their sum.</summary>
    public bool Normalise { get; init; } = true;

    /// <summary>Added to the sum.</summary>
    public float SumFloor { get; init; } = 1e-20f;

    /// <summary>What the sum is at least.</summary>
    public float SmallestSum { get; init; } = float.NegativeInfinity;

    /// <summary>How often the factor is applied.</summary>
    public int FactorPower { get; init; } = 1;

    /// <summary>Whether the sum is over all experts and not over the chosen.</summary>
    public bool NormaliseOverAll { get; init; }

    /// <summary>Whether the higher of equal values wins.</summary>
    public bool HigherIndexWins { get; init; }

    /// <summary>Whether scores and weights are rounded to bfloat16.</summary>
    public bool BFloat16 { get; init; }

    /// <summary>Whether the finished weights are rounded to bfloat16.</summary>
    public bool BFloat16Weights { get; init; }

    /// <summary>Changes the rules of a model.</summary>
    /// <param name="parts">The model.</param>
    /// <param name="change">The change; it adds to those made before.</param>
    /// <returns>The changed model.</returns>
    public static ModelParts Change(ModelParts parts, Func<RouterRules, RouterRules> change)
    {
        RuledRouter? already = parts.Operators as RuledRouter;
        return parts with
        {
            Operators = new RuledRouter(
                already?.Inner ?? parts.Operators, change(already?.Rules ?? new RouterRules())),
        };
    }

    /// <summary>Chooses and weighs for one token.</summary>
    /// <param name="shape">Sizes and factor.</param>
    /// <param name="logits">[experts].</param>
    /// <param name="sigmoid">[experts], the sigmoid of the logits.</param>
    /// <param name="bias">[experts].</param>
    /// <param name="indices">[topK], written.</param>
    /// <param name="weights">[topK], written.</param>
    /// <returns>The margin: how far the worst chosen is from the best that is not, groups included.</returns>
    public float Decide(
        RouterShape shape, float[] logits, float[] sigmoid, float[] bias, Span<int> indices, Span<float> weights)
    {
        float[] choice = BiasOnLogits
            ? [.. logits.Select((logit, e) => Sigmoid.Apply(logit + (BiasFactor * bias[e])))]
            : Scores(Choice, logits, sigmoid);
        bool addBias = BiasInChoice && !BiasOnLogits;
        float[] biased = [.. choice.Select((score, e) => score + (addBias ? BiasFactor * bias[e] : 0f))];
        float margin = float.PositiveInfinity;
        if (shape.Groups > 1)
        {
            float[] members = BiasInGroups ? biased : choice;
            int GroupOf(int expert) => GroupsAreConsecutive ? expert / shape.ExpertsPerGroup : expert % shape.Groups;
            float[] groupScores = [.. Enumerable.Range(0, shape.Groups).Select(
                group => ScoreOf([.. members.Where((_, e) => GroupOf(e) == group).OrderDescending()]))];
            int[] groups = Best(groupScores, shape.ChosenGroups, out margin);
            biased = [.. biased.Select((score, e) => groups.Contains(GroupOf(e)) ? score : MaskFill)];
        }

        int[] chosen = Best(biased, shape.TopK, out float expertMargin);
        chosen.CopyTo(indices);
        Weigh(shape, logits, sigmoid, bias, chosen, weights);
        return Math.Min(margin, expertMargin);
    }

    private void Weigh(
        RouterShape shape, float[] logits, float[] sigmoid, float[] bias, int[] chosen, Span<float> weights)
    {
        float[] scores = Scores(Weight, logits, sigmoid);
        float[] own = [.. chosen.Select(e => scores[e] + (BiasInWeights ? BiasFactor * bias[e] : 0f))];
        if (Weight == ScoreKind.SoftmaxOfChosen)
        {
            Softmax.Scalar<Float32Precision>([.. chosen.Select(e => logits[e])], [], own);
        }
        else if (Weight == ScoreKind.SoftmaxOfChosenScores)
        {
            Softmax.Scalar<Float32Precision>([.. chosen.Select(e => sigmoid[e])], [], own);
        }

        float sum = Round((NormaliseOverAll ? scores : own).Aggregate(0f, (total, value) => total + value));
        for (int k = 0; k < chosen.Length; k++)
        {
            bool divide = Normalise && shape.TopK > 1;
            float weight = divide ? Round(own[k] / Math.Max(sum + SumFloor, SmallestSum)) : own[k];
            for (int power = 0; power < FactorPower; power++)
            {
                weight = Round(weight * shape.ScalingFactor);
            }

            weights[k] = BFloat16Weights ? Numerics.BFloat16.Round(weight) : weight;
        }
    }

    private float[] Scores(ScoreKind kind, float[] logits, float[] sigmoid)
    {
        float[] scores = [.. kind is ScoreKind.Logit ? logits : sigmoid];
        if (kind == ScoreKind.Softmax)
        {
            Softmax.Scalar<Float32Precision>(logits, [], scores);
        }

        return Array.ConvertAll(scores, Round);
    }

    private float ScoreOf(float[] descending) => GroupScore switch
    {
        GroupScoreKind.Best => descending[0],
        GroupScoreKind.Mean => descending.Average(),
        _ => descending[0] + descending[1],
    };

    private int[] Best(float[] values, int count, out float margin)
    {
        int[] order = [.. Enumerable.Range(0, values.Length)
            .OrderByDescending(index => values[index])
            .ThenBy(index => HigherIndexWins ? -index : index)];
        margin = count < order.Length ? values[order[count - 1]] - values[order[count]] : float.PositiveInfinity;
        return order[..count];
    }

    private float Round(float value) => BFloat16 ? Numerics.BFloat16.Round(value) : value;
}

/// <summary>A set of operators whose router follows other rules.</summary>
internal sealed class RuledRouter(ForwardOperators<float> inner, RouterRules rules) : ForwardingOperators<float>(inner)
{
    private HostTensor<float>? logits;

    /// <summary>The rules.</summary>
    public RouterRules Rules => rules;

    /// <inheritdoc/>
    public override HostTensor<float> RouterScores(HostTensor<float> routerLogits)
    {
        logits = routerLogits;
        return Inner.RouterScores(routerLogits);
    }

    /// <inheritdoc/>
    public override RouterDecision<float> GroupLimitedTopK(
        HostTensor<float> scores, float[] expertBias, RouterShape shape)
    {
        ArgumentNullException.ThrowIfNull(scores);
        RouterDecision<float> decision = new(
            new HostTensor<int>(scores.Rows * shape.TopK),
            new HostTensor<float>(scores.Rows, shape.TopK),
            new HostTensor<float>(scores.Rows));
        for (int token = 0; token < scores.Rows; token++)
        {
            decision.Margins.Values[token] = rules.Decide(
                shape,
                logits!.Row(token).ToArray(),
                scores.Row(token).ToArray(),
                expertBias,
                decision.TopKIndices.AsSpan(token * shape.TopK, shape.TopK),
                decision.TopKWeights.Row(token));
        }

        return decision;
    }
}
