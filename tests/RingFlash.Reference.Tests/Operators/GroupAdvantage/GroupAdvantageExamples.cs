// Red here: responses are compared with the wrong group, or equal rewards push the policy somewhere.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class GroupAdvantageExamples
{
    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void InterleavedGroupsAreTakenApart(ExecutionEngine engine)
    {
        // Group 7: 1, 3; group −2: 0, 0, 6; group 5 alone.
        float[] y = new float[6];
        GroupAdvantage.Apply(
            engine, [1f, 0f, 3f, 9f, 0f, 6f], [7, -2, 7, 5, -2, -2], GroupAdvantageOptions.Population, y);
        double deviation = Math.Sqrt((4 + 4 + 16) / 3.0);
        Check.Within(y, [-1, -2 / deviation, 1, 0, -2 / deviation, 4 / deviation], _ => 1e-6, "advantages");
        Assert.Equal(0f, y[3]);
    }

    [Fact]
    public void BinaryRewardsHaveTheirClosedForm()
    {
        double[] rewards = [.. Enumerable.Range(0, 8).Select(i => i < 3 ? 1.0 : 0.0)], y = new double[8];
        GroupAdvantage.Exact(rewards, new long[8], GroupAdvantageOptions.Population, y);
        Assert.Equal(Math.Sqrt(5 / 3.0), y[0], 1e-14);
        Assert.Equal(-Math.Sqrt(3 / 5.0), y[7], 1e-14);
    }

    [Fact]
    public void OneGroupDoesNotTouchAnother()
    {
        double[] rewards = [0.1, 0.7, 0.2, 0.9], y = new double[4], moved = new double[4];
        GroupAdvantage.Exact(rewards, [0, 1, 0, 1], new GroupAdvantageOptions(), y);
        rewards[1] = double.NaN;
        GroupAdvantage.Exact(rewards, [0, 1, 0, 1], new GroupAdvantageOptions(), moved);
        Assert.Equal(y[0], moved[0]);
        Assert.Equal(y[2], moved[2]);
        Assert.True(double.IsNaN(moved[1]) && double.IsNaN(moved[3]));
    }

    [Fact]
    public void EqualRewardsGiveExactZeroAndUnprotectedOnesDoNot()
    {
        float[] y = new float[10];
        float[] rewards = [.. Enumerable.Repeat(0.7f, 10)];
        GroupAdvantage.Scalar(rewards, new long[10], new GroupAdvantageOptions(), y);
        Check.SameBits(new float[10], y, "protected");
        double[] exact = new double[3];
        GroupAdvantage.Exact(
            [0.1, 0.1, 0.1],
            [0, 0, 0],
            GroupAdvantageOptions.Population with { EqualRewardsGiveZero = false },
            exact);
        Assert.All(exact, value => Assert.Equal(-1, value)); // the hazard that the test for equality prevents
    }

    [Fact]
    public void ScalarEqualsVectorised()
    {
        for (int size = 1; size <= 100; size++)
        {
            float[] rewards = TestValues.Spread(2 * size, size), expected = new float[2 * size];
            float[] actual = new float[2 * size];
            long[] groups = [.. Enumerable.Range(0, 2 * size).Select(i => (long)(i * 7 % 2))];
            foreach (AdvantageScale scale in Enum.GetValues<AdvantageScale>())
            {
                GroupAdvantageOptions options = new() { Scale = scale };
                GroupAdvantage.Scalar(rewards, groups, options, expected);
                GroupAdvantage.Vectorised(rewards, groups, options, actual);
                Check.SameBits(expected, actual, $"{scale}, {size}");
            }
        }
    }
}
