// Red here: the router's choice or its weights break the published rules for some scores.
using System;
using System.Linq;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 60)]
public sealed class GroupLimitedTopKProperties
{
    [Property]
    public void TheChoiceIsThatOfTheSortingOracleAndWeightsAreWithinThePagesBound(int seed, byte ties)
    {
        (RouterShape shape, float[] scores, float[] bias) = Input(seed, ties % 3 == 0);
        GroupLimitedTopKExamples.Decision decision =
            GroupLimitedTopKExamples.Choose(ExecutionEngine.Vector512, shape, scores, bias);
        int[] indices = new int[shape.TopK];
        double[] weights = new double[shape.TopK];
        double margin = GroupLimitedTopK.Exact(shape, TestValues.Wide(scores), bias, indices, weights);
        string axes = $"{shape}, seed {seed}";
        if (margin > 4 * Check.FloatUnit || ties % 3 == 0)
        {
            // Sums of two and of four numbers below 2 in float32: a margin above their rounding decides as the oracle.
            // Scores and biases in sixteenths add up exactly, so there even ties must fall the same way.
            Assert.True(indices.AsSpan().SequenceEqual(decision.Indices), axes);
            Assert.Equal(margin, decision.Margin, 1e-6 * Math.Max(1, double.IsInfinity(margin) ? 1 : margin));
            Check.Within(
                decision.Weights,
                weights,
                k => (Check.Relative<Float32Precision>(shape.TopK + 3, 0) * weights[k]) + Check.FloatTiny,
                axes);
        }
    }

    [Property]
    public void WeightsAddUpToTheScalingFactor(int seed)
    {
        (RouterShape shape, float[] scores, float[] bias) = Input(seed, sixteenths: false);
        shape = shape with { TopK = Math.Max(2, shape.TopK) };
        GroupLimitedTopKExamples.Decision decision =
            GroupLimitedTopKExamples.Choose(ExecutionEngine.Vector512, shape, scores, bias);
        double sum = decision.Weights.Sum(weight => (double)weight);

        // Every weight is within (TopK + 3)·u of its exact share, and the exact shares add up to the factor (less 1e-20
        // over a sum of at least 1e-3, drawn so).
        double allowed = (Check.Relative<Float32Precision>(shape.TopK + 3, 0) + 1e-16) * shape.ScalingFactor;
        Assert.True(Math.Abs(sum - shape.ScalingFactor) <= allowed, $"{shape}, seed {seed}: {sum}");
    }

    [Property]
    public void MaskedGroupsAreNeverChosenEvenWithNegativeScores(int seed)
    {
        (RouterShape shape, float[] scores, float[] bias) = Input(seed, sixteenths: false);
        bias = Array.ConvertAll(bias, value => value - 3f); // every biased score is negative
        int[] groups = new int[shape.ChosenGroups], indices = new int[shape.TopK];
        GroupLimitedTopK.Vectorised(shape, scores, bias, groups, indices);
        Assert.Equal(shape.ChosenGroups, groups.Distinct().Count());
        Assert.Equal(shape.TopK, indices.Distinct().Count());
        Assert.All(indices, index => Assert.Contains(index / shape.ExpertsPerGroup, groups));
    }

    [Property]
    public void TheBiasNeverChangesTheWeightsOfAFixedChoice(int seed)
    {
        // A bias that lifts the chosen experts further: the choice stays as a set, and each expert keeps its weight but
        // for the order in which the sum of the chosen is taken.
        (RouterShape shape, float[] scores, float[] bias) = Input(seed, sixteenths: false);
        GroupLimitedTopKExamples.Decision before =
            GroupLimitedTopKExamples.Choose(ExecutionEngine.Vector512, shape, scores, bias);
        foreach (int index in before.Indices)
        {
            bias[index] += 4f + index;
        }

        GroupLimitedTopKExamples.Decision after =
            GroupLimitedTopKExamples.Choose(ExecutionEngine.Vector512, shape, scores, bias);
        float[] weighed = new float[shape.TopK];
        GroupLimitedTopK.Weigh(shape, scores, after.Indices, weighed);
        Check.SameBits(weighed, after.Weights, "weights come from the scores alone");
        if (after.Indices.Order().SequenceEqual(before.Indices.Order()))
        {
            for (int k = 0; k < shape.TopK; k++)
            {
                double other = before.Weights[Array.IndexOf(before.Indices, after.Indices[k])];
                Check.Within(
                    [after.Weights[k]],
                    [other],
                    _ => 2 * Check.Relative<Float32Precision>(shape.TopK + 3, 0) * other,
                    $"{shape}, seed {seed}");
            }
        }
        else
        {
            // Lifting may only bring in other groups where fewer than two of a chosen group were chosen.
            Assert.True(shape.ChosenGroups > 1, $"{shape}, seed {seed}: the choice changed");
        }
    }

    [Property]
    public void PermutingTokensCommutes(int seed)
    {
        RouterShape shape = new(48, 4, 2, 5, 2.5f);
        float[] scores = TestValues.Spread(7 * 48, seed), bias = TestValues.Spread(48, ~seed);
        int[] order = TestValues.Permutation(7, seed);
        GroupLimitedTopKExamples.Decision plain =
            GroupLimitedTopKExamples.Choose(ExecutionEngine.Vector512, shape, scores, bias);
        GroupLimitedTopKExamples.Decision permuted = GroupLimitedTopKExamples.Choose(
            ExecutionEngine.Vector512, shape, TestValues.PermuteRows(scores, 48, order), bias);
        Assert.Equal(TestValues.PermuteRows(plain.Indices, 5, order), permuted.Indices);
        Check.SameBits(TestValues.PermuteRows(plain.Weights, 5, order), permuted.Weights, $"seed {seed}");
        Check.SameBits(TestValues.PermuteRows(plain.Margins, 1, order), permuted.Margins, $"seed {seed}");
    }

    private static (RouterShape Shape, float[] Scores, float[] Bias) Input(int seed, bool sixteenths)
    {
        Random random = new(seed);
        int groups = random.Next(1, 9), perGroup = random.Next(2, 40), chosen = random.Next(1, groups + 1);
        int topK = random.Next(1, Math.Min(8, chosen * perGroup) + 1);
        RouterShape shape = new(groups * perGroup, groups, chosen, topK, 2.5f);
        float[] scores = new float[shape.Experts], bias = new float[shape.Experts];
        for (int e = 0; e < scores.Length; e++)
        {
            scores[e] = sixteenths ? random.Next(1, 16) / 16f : 0.001f + (0.99f * random.NextSingle());
            bias[e] = sixteenths ? random.Next(-16, 16) / 16f : random.NextSingle() - 0.5f;
        }

        return (shape, scores, bias);
    }
}
