using System;

namespace RingFlash.Reference.Operators;

public static partial class GroupLimitedTopK
{
    /// <summary>The choice and the weights of one token in float64; only for measuring error.</summary>
    /// <param name="shape">Sizes and factor.</param>
    /// <param name="scores">[experts], float64, read.</param>
    /// <param name="expertBias">[experts], float32, read.</param>
    /// <param name="topKIndices">[topK], written, best first.</param>
    /// <param name="topKWeights">[topK], float64, written.</param>
    /// <returns>The margin.</returns>
    public static double Exact(
        RouterShape shape,
        ReadOnlySpan<double> scores,
        ReadOnlySpan<float> expertBias,
        Span<int> topKIndices,
        Span<double> topKWeights)
    {
        double[] biased = new double[shape.Experts];
        int[] order = new int[shape.Experts];
        for (int e = 0; e < shape.Experts; e++)
        {
            biased[e] = scores[e] + expertBias[e];
            order[e] = e;
        }

        // A full sort instead of a search: written differently from the scalar code on purpose. Array.Sort is not
        // stable, so the index breaks ties.
        Comparison<int> byScore = (left, right) => Descending(biased, left, right);
        Array.Sort(order, byScore);
        double[] groupScores = new double[shape.Groups];
        int[] seen = new int[shape.Groups];
        foreach (int e in order)
        {
            int g = e / shape.ExpertsPerGroup;
            if (seen[g]++ < 2)
            {
                groupScores[g] += biased[e];
            }
        }

        int[] groups = new int[shape.Groups];
        for (int g = 0; g < groups.Length; g++)
        {
            groups[g] = g;
        }

        Array.Sort(groups, (left, right) => Descending(groupScores, left, right));
        ReadOnlySpan<int> chosenGroups = groups.AsSpan(0, shape.ChosenGroups);
        int count = 0;
        double sum = 0, bestOther = double.NegativeInfinity, last = 0;
        foreach (int e in order)
        {
            if (!chosenGroups.Contains(e / shape.ExpertsPerGroup))
            {
                continue;
            }

            if (count == shape.TopK)
            {
                bestOther = biased[e];
                break;
            }

            topKIndices[count++] = e;
            sum += scores[e];
            last = biased[e];
        }

        for (int k = 0; k < shape.TopK; k++)
        {
            double score = scores[topKIndices[k]];
            topKWeights[k] = (shape.TopK > 1 ? score / (sum + 1e-20) : score) * shape.ScalingFactor;
        }

        double groupMargin = shape.ChosenGroups == shape.Groups
            ? double.PositiveInfinity
            : groupScores[groups[shape.ChosenGroups - 1]] - groupScores[groups[shape.ChosenGroups]];
        return Math.Min(groupMargin, last - bestOther);
    }

    /// <summary>NaN first, then by value, then by index; CompareTo by itself would put NaN last.</summary>
    private static int Descending(double[] values, int left, int right)
    {
        int byKind = double.IsNaN(values[right]).CompareTo(double.IsNaN(values[left]));
        int byValue = byKind != 0 ? byKind : values[right].CompareTo(values[left]);
        return byValue != 0 ? byValue : left.CompareTo(right);
    }
}
