using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>The sizes and the factor of the router's choice.</summary>
/// <param name="Experts">Experts per token to choose from; a multiple of <paramref name="Groups"/>.</param>
/// <param name="Groups">Groups of consecutive experts, each of at least two.</param>
/// <param name="ChosenGroups">Groups that stay in the race.</param>
/// <param name="TopK">Experts that are chosen.</param>
/// <param name="ScalingFactor">What the weights of a token add up to.</param>
public readonly record struct RouterShape(int Experts, int Groups, int ChosenGroups, int TopK, float ScalingFactor)
{
    /// <summary>Experts in a group.</summary>
    public int ExpertsPerGroup => Experts / Groups;
}

/// <summary>Chooses the experts of each token, within the best groups, and weighs them.</summary>
/// <remarks>
/// <para>Maths: c = scores + expertBias. A group's score is the sum of its two largest c. The best ChosenGroups groups
/// stay; every expert elsewhere gets −∞. The TopK largest c are chosen, in descending order. weight = score of the
/// chosen (without bias) / (Σ of the chosen scores + 1e-20), times the scaling factor; with TopK = 1 there is no
/// division.</para>
/// <para>Axes: scores [tokens, experts]; expertBias [experts]; topKIndices, topKWeights [tokens, topK]; margins
/// [tokens].</para>
/// <para>Types: float32 under every policy. Order: the sum over the chosen is sequential in the chosen order.
/// Rounding points: none.</para>
/// <para>Ties: the lower index wins, for groups and for experts; +0 and −0 are equal. torch.topk leaves this open. A
/// NaN ranks above every number, as in torch.topk.</para>
/// <para>Margin (float64): the least of worst chosen group − best other group, and last chosen − first other expert
/// inside the chosen groups; ∞ where there is no other. A choice is safe while errors of c stay below half of it. It is
/// 0 at a tie, and negative, by a few u, where the float32 sums tied or turned an order that float64 still sees.</para>
/// <para>Bound of a weight: TopK − 1 additions, the 1e-20, a division and a product, all of one sign:
/// |weight − Exact| ≤ (TopK + 3)·u·Exact.</para>
/// <para>Differs: masking with 0 instead of −∞ lets experts of other groups in when biased scores are negative.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py, BailingMoeV2Gate.group_limited_topk and
/// forward.</para>
/// </remarks>
public static partial class GroupLimitedTopK
{
    private const float WeightSumFloor = 1e-20f;

    /// <summary>Chooses on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="shape">Sizes and factor.</param>
    /// <param name="scores">[tokens, experts], float32, read.</param>
    /// <param name="expertBias">[experts], float32, read.</param>
    /// <param name="topKIndices">[tokens, topK], written.</param>
    /// <param name="topKWeights">[tokens, topK], float32, written.</param>
    /// <param name="margins">[tokens], float32, written.</param>
    /// <param name="workers">The threads, used where it pays; null for the caller's.</param>
    public static void Apply(
        ExecutionEngine engine,
        RouterShape shape,
        ReadOnlySpan<float> scores,
        ReadOnlySpan<float> expertBias,
        Span<int> topKIndices,
        Span<float> topKWeights,
        Span<float> margins,
        WorkerPool? workers = null)
    {
        if (engine != ExecutionEngine.Scalar && RowSplit.Pays(workers, scores.Length))
        {
            Split(workers, shape, scores, expertBias, topKIndices, topKWeights, margins);
            return;
        }

        Span<int> chosenGroups = stackalloc int[shape.ChosenGroups];
        for (int t = 0; t < margins.Length; t++)
        {
            ReadOnlySpan<float> tokenScores = scores.Slice(t * shape.Experts, shape.Experts);
            Span<int> indices = topKIndices.Slice(t * shape.TopK, shape.TopK);
            if (engine == ExecutionEngine.Scalar)
            {
                Scalar(shape, tokenScores, expertBias, chosenGroups, indices);
            }
            else
            {
                Vectorised(shape, tokenScores, expertBias, chosenGroups, indices);
            }

            Weigh(shape, tokenScores, indices, topKWeights.Slice(t * shape.TopK, shape.TopK));
            margins[t] = (float)Margin(shape, tokenScores, expertBias, chosenGroups, indices);
        }
    }

    /// <summary>The definition of the choice, for one token.</summary>
    /// <param name="shape">Sizes.</param>
    /// <param name="scores">[experts], float32, read.</param>
    /// <param name="expertBias">[experts], float32, read.</param>
    /// <param name="chosenGroups">[chosenGroups], written, best first.</param>
    /// <param name="topKIndices">[topK], written, best first.</param>
    public static void Scalar(
        RouterShape shape,
        ReadOnlySpan<float> scores,
        ReadOnlySpan<float> expertBias,
        Span<int> chosenGroups,
        Span<int> topKIndices)
    {
        float[] biased = new float[shape.Experts];
        for (int e = 0; e < shape.Experts; e++)
        {
            biased[e] = scores[e] + expertBias[e];
        }

        float[] groupScores = new float[shape.Groups];
        int[] two = new int[2];
        for (int g = 0; g < shape.Groups; g++)
        {
            ReadOnlySpan<float> members = biased.AsSpan(g * shape.ExpertsPerGroup, shape.ExpertsPerGroup);
            Best(members, two);
            groupScores[g] = members[two[0]] + members[two[1]];
        }

        Best(groupScores, chosenGroups);
        for (int e = 0; e < shape.Experts; e++)
        {
            if (!chosenGroups.Contains(e / shape.ExpertsPerGroup))
            {
                biased[e] = float.NegativeInfinity;
            }
        }

        Best(biased, topKIndices);
    }

    /// <summary>Weighs the chosen experts of one token.</summary>
    /// <param name="shape">Sizes and factor.</param>
    /// <param name="scores">[experts], float32, read; without bias.</param>
    /// <param name="topKIndices">[topK], read.</param>
    /// <param name="topKWeights">[topK], float32, written.</param>
    public static void Weigh(
        RouterShape shape, ReadOnlySpan<float> scores, ReadOnlySpan<int> topKIndices, Span<float> topKWeights)
    {
        float sum = 0f;
        foreach (int index in topKIndices)
        {
            sum += scores[index];
        }

        for (int k = 0; k < topKIndices.Length; k++)
        {
            float score = scores[topKIndices[k]];
            topKWeights[k] = (shape.TopK > 1 ? score / (sum + WeightSumFloor) : score) * shape.ScalingFactor;
        }
    }

    /// <summary>The distance of one token's choice from another one, in float64 over the float32 scores.</summary>
    /// <param name="shape">Sizes.</param>
    /// <param name="scores">[experts], float32, read.</param>
    /// <param name="expertBias">[experts], float32, read.</param>
    /// <param name="chosenGroups">[chosenGroups], read.</param>
    /// <param name="topKIndices">[topK], read.</param>
    /// <returns>The margin; 0 at a tie.</returns>
    public static double Margin(
        RouterShape shape,
        ReadOnlySpan<float> scores,
        ReadOnlySpan<float> expertBias,
        ReadOnlySpan<int> chosenGroups,
        ReadOnlySpan<int> topKIndices)
    {
        double worstGroup = double.PositiveInfinity, bestOtherGroup = double.NegativeInfinity;
        double worstExpert = double.PositiveInfinity, bestOtherExpert = double.NegativeInfinity;
        for (int g = 0; g < shape.Groups; g++)
        {
            bool groupIsChosen = chosenGroups.Contains(g);
            double first = double.NegativeInfinity, second = double.NegativeInfinity;
            for (int e = g * shape.ExpertsPerGroup; e < (g + 1) * shape.ExpertsPerGroup; e++)
            {
                double biased = (double)scores[e] + expertBias[e];
                (first, second) = biased > first ? (biased, first) : (first, Math.Max(second, biased));
                if (topKIndices.Contains(e))
                {
                    worstExpert = Math.Min(worstExpert, biased);
                }
                else if (groupIsChosen)
                {
                    bestOtherExpert = Math.Max(bestOtherExpert, biased);
                }
            }

            if (groupIsChosen)
            {
                worstGroup = Math.Min(worstGroup, first + second);
            }
            else
            {
                bestOtherGroup = Math.Max(bestOtherGroup, first + second);
            }
        }

        return Math.Min(worstGroup - bestOtherGroup, worstExpert - bestOtherExpert);
    }

    // Selection by repeated search: k is 8 at most in practice, and the rule for ties can be read off the comparison.
    private static void Best(ReadOnlySpan<float> values, Span<int> indices)
    {
        for (int k = 0; k < indices.Length; k++)
        {
            int best = -1;
            for (int index = 0; index < values.Length; index++)
            {
                if (!indices[..k].Contains(index) && (best < 0 || Precedes(values[index], values[best])))
                {
                    best = index;
                }
            }

            indices[k] = best;
        }
    }

    private static bool Precedes(float left, float right) =>
        left > right || (float.IsNaN(left) && !float.IsNaN(right));
}
