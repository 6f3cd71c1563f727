// Red here: the numbers that the objective's page works out by hand are not what the code computes.
using System;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class WorkedExample
{
    private static readonly int[] Offsets = [0, 3, 5];
    private static readonly double[] Old = [-0.5, -1, -2, -0.3, -4];
    private static readonly double[] Inference = [-0.6, -1.9, -3.8, -0.3, -3];
    private static readonly double[] Current = [-0.5, -0.8, -2, -0.3, -4];

    private static RolloutBatch Batch => RolloutBatch.FromPacked(Offsets, Current, Old, Inference, [1, -1]);

    [Fact]
    public void EveryNumberOfTheTable()
    {
        ObjectiveResult result = PolicyObjective.Evaluate(Batch);
        TokenDecision[] decisions =
        [
            TokenDecision.Kept, TokenDecision.Kept, TokenDecision.MaskedHigh,
            TokenDecision.Kept, TokenDecision.MaskedLow, TokenDecision.Padding,
        ];
        Assert.Equal(decisions, result.Decisions);
        Assert.Equal([0, 1, 0, 0, 0, 0], result.Clipped);
        Near([1.1051709180756477, 2.45960311115695, 0, 1, 0, 0], result.Weights);
        Near(
            [-0.18419515301260794, 0, 0, 0.25, 0, 0], result.Gradient(LossAggregationKind.SequenceMeanTokenMean));
        Near([-0.22103418361512955, 0, 0, 0.2, 0, 0], result.Gradient(LossAggregationKind.TokenMean));
        Near([-0.4261157752439978], [result.Loss(LossAggregationKind.SequenceMeanTokenMean)]);
        Near([-0.6113389302927974], [result.Loss(LossAggregationKind.TokenMean)]);
        Assert.Equal(result.Loss(LossAggregationKind.SequenceMeanTokenMean), result.TotalLoss());
    }

    [Fact]
    public void TheSameDataUnderTwoRelatives()
    {
        PolicyObjectiveOptions truncated =
            PolicyObjectiveOptions.Default with { Correction = new TruncatedCorrection(5) };
        Near([-1.1674792482844705], [PolicyObjective.Evaluate(Batch, truncated).TotalLoss()]);
        PolicyObjectiveOptions plain = PolicyObjectiveOptions.Default with { Correction = new NoCorrection() };
        Near([-1.0 / 30], [PolicyObjective.Evaluate(Batch, plain).TotalLoss()]);
    }

    private static void Near(double[] expected, double[] actual) =>
        IcePopCases.Near(expected, actual, 1e-14, 1e-16, "worked example");
}
