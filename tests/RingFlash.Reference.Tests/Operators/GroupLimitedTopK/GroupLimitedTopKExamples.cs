// Red here: the router chooses other experts than the published one, or weighs them with the bias.
using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class GroupLimitedTopKExamples
{
    // Eight experts in four groups of two; two groups stay; three experts are chosen.
    private static readonly RouterShape Shape = new(8, 4, 2, 3, 2.5f);

    private static readonly float[] NoBias = new float[8];

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void ExpertsOutsideTheTwoBestGroupsAreNotChosenHoweverGood(ExecutionEngine engine)
    {
        // Group sums: 0.9 + 0 = 0.9 | 0.5 + 0.5 = 1 | 0.25 + 0.75 = 1 | 0.25 + 0.25. Groups 1 and 2 stay; 0.9 is out.
        // Chosen: expert 5 (0.75), then 2 and 3 (0.5 each, the lower first). Their sum is 1.75.
        float[] scores = [0.9f, 0f, 0.5f, 0.5f, 0.25f, 0.75f, 0.25f, 0.25f];
        Decision decision = Choose(engine, Shape, scores, NoBias);
        Assert.Equal([5, 2, 3], decision.Indices);
        Check.Within(decision.Weights, [2.5 * 0.75 / 1.75, 2.5 * 0.5 / 1.75, 2.5 * 0.5 / 1.75], _ => 3e-7, "weights");

        // Margins: groups 1 − 0.9 (float32 values), experts 0.5 − 0.25.
        Assert.Equal(1.0 - 0.9f, decision.Margin, 1e-8);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void TheBiasChoosesButDoesNotWeigh(ExecutionEngine engine)
    {
        float[] scores = [0.9f, 0f, 0.5f, 0.5f, 0.25f, 0.75f, 0.25f, 0.25f];
        Decision decision = Choose(engine, Shape, scores, [0f, 0f, 0f, 0f, 0f, 0f, 4f, 3f]);

        // Biased: group 3 has 4.25 + 3.25; groups 1 and 2 tie at 1 and the lower index stays. 6, 7, then 2.
        Assert.Equal([6, 7, 2], decision.Indices);
        Check.Within(decision.Weights, [0.625, 0.625, 1.25], _ => 3e-7, "2.5 · (0.25, 0.25, 0.5)");
        Assert.Equal(0f, decision.Margin); // the tie of the groups
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void MaskedGroupsLoseEvenAgainstNegativeScoresAndWouldWinWithAZeroMask(ExecutionEngine engine)
    {
        float[] scores = [0.5f, 0.5f, 0.4f, 0.4f, 0.1f, 0.1f, 0.1f, 0.1f];
        float[] bias = [-1f, -1f, -1f, -1f, -1f, -1f, -1f, -1f];
        Decision decision = Choose(engine, Shape, scores, bias);
        Assert.Equal([0, 1, 2], decision.Indices);

        // With 0 in place of −∞ the masked experts 4 … 7 beat every chosen one: 0 > −0.5.
        float[] zeroMasked = [-0.5f, -0.5f, -0.6f, -0.6f, 0f, 0f, 0f, 0f];
        Decision mistaken = Choose(engine, new RouterShape(8, 4, 4, 3, 2.5f), zeroMasked, NoBias);
        Assert.Equal([4, 5, 6], mistaken.Indices);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void TiesGoToTheLowerIndexAndZerosAreEqual(ExecutionEngine engine)
    {
        Decision decision = Choose(engine, Shape, [1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f], NoBias);
        Assert.Equal([0, 1, 2], decision.Indices);
        Assert.Equal(0f, decision.Margin);
        decision = Choose(engine, Shape, [-0f, 0f, 0f, -0f, 0f, 0f, -0f, 0f], [-0f, -0f, -0f, -0f, -0f, -0f, -0f, -0f]);
        Assert.Equal([0, 1, 2], decision.Indices);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void NaNRanksAboveEveryNumber(ExecutionEngine engine)
    {
        float[] scores = [1f, float.PositiveInfinity, 1f, 1f, 1f, float.NaN, 1f, 1f];
        Decision decision = Choose(engine, Shape, scores, NoBias);
        Assert.Equal([5, 1, 0], decision.Indices); // groups 2 (NaN) and 0 (∞); NaN, ∞, then the lower 1
        Assert.All(decision.Weights, weight => Assert.True(float.IsNaN(weight)));
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void OneExpertIsNotNormalised(ExecutionEngine engine)
    {
        Decision decision = Choose(engine, Shape with { TopK = 1 }, [0.5f, 0f, 0.25f, 0f, 0f, 0f, 0f, 0f], NoBias);
        Assert.Equal([0], decision.Indices);
        Assert.Equal([1.25f], decision.Weights);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void ScoresThatAreAllZeroWeighNothing(ExecutionEngine engine)
    {
        // 0 / (0 + 1e-20): the floor keeps the quotient a number.
        Assert.Equal([0f, 0f, 0f], Choose(engine, Shape, new float[8], NoBias).Weights);
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void WhereFloat32DecidedAgainstTheExactOrderTheMarginIsNegative(ExecutionEngine engine)
    {
        // 2^-25 + 1 rounds to 1, so expert 0 ties with expert 1 and wins by its index although it is the smaller
        // exactly.
        float[] scores = [0f, MathF.ScaleB(1f, -25), 0f, 0f];
        Decision decision = Choose(engine, new RouterShape(4, 1, 1, 1, 1f), scores, [1f, 1f, 0f, 0f]);
        Assert.Equal([0], decision.Indices);
        Assert.Equal(-MathF.ScaleB(1f, -25), decision.Margin);
    }

    internal static Decision Choose(ExecutionEngine engine, RouterShape shape, float[] scores, float[] bias)
    {
        int tokens = scores.Length / shape.Experts;
        int[] indices = new int[tokens * shape.TopK];
        float[] weights = new float[indices.Length], margins = new float[tokens];
        GroupLimitedTopK.Apply(engine, shape, scores, bias, indices, weights, margins);
        return new Decision(indices, weights, margins);
    }

    internal sealed record Decision(int[] Indices, float[] Weights, float[] Margins)
    {
        public float Margin => Margins[0];
    }
}
