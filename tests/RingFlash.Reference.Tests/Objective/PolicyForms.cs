// Red here: a relative of the objective has a gradient that is not the derivative of its loss, or a definition that is
// not its literature's.
using System;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class PolicyForms
{
    /// <summary>Those whose loss has the stated gradient as its derivative; a constant that moves with θ has
    /// not.</summary>
    public static TheoryData<string> Differentiable =>
        [.. ObjectiveVariants.All.Keys.Where(name => name is not ("cispo" or "reading C"))];

    [Theory]
    [MemberData(nameof(Differentiable))]
    public void TheGradientIsTheDerivativeOfTheLoss(string variant)
    {
        const double Step = 1e-6;
        PolicyObjectiveOptions options = ObjectiveVariants.All[variant];
        int compared = 0;
        for (int seed = 0; seed < 6; seed++)
        {
            RolloutBatch batch = RandomBatches.Make(4, 7, seed, edges: false);
            ObjectiveResult result = PolicyObjective.Evaluate(batch, options);
            double[] gradient = result.TotalGradient();
            for (int i = 0; i < gradient.Length; i++)
            {
                ObjectiveResult up = PolicyObjective.Evaluate(Moved(batch, i, Step), options);
                ObjectiveResult down = PolicyObjective.Evaluate(Moved(batch, i, -Step), options);
                bool kink = !up.Clipped.SequenceEqual(down.Clipped) || !up.Decisions.SequenceEqual(down.Decisions);
                double slope = (up.TotalLoss() - down.TotalLoss()) / (2 * Step);
                if (!kink)
                {
                    IcePopCases.Near(slope, gradient[i], 1e-6, 1e-8, $"{variant}, seed {seed}, token {i}");
                    compared += gradient[i] != 0 ? 1 : 0;
                }
            }
        }

        Assert.True(compared > 10, $"{variant}: only {compared} live tokens");
    }

    [Fact]
    public void OnlineAllThreeReadingsHaveTheSameGradient()
    {
        RolloutBatch batch = RandomBatches.Make(5, 9, 3, edges: false);
        double[] old = batch.OldLogProbabilities.ToArray();
        RolloutBatch online = new(
            5,
            9,
            old,
            old,
            batch.InferenceLogProbabilities.ToArray(),
            batch.Advantages.ToArray(),
            batch.ResponseMask.ToArray());
        double[] published = PolicyObjective.Evaluate(online).TotalGradient();
        foreach (string reading in new string[] { "reading B", "reading C" })
        {
            ObjectiveResult result = PolicyObjective.Evaluate(online, ObjectiveVariants.All[reading]);
            IcePopCases.Near(published, result.TotalGradient(), 1e-14, 0, reading);
        }

        double expected = PolicyObjective.Evaluate(online).Contributions.Zip(old, (value, l) => value * l).Sum();
        ObjectiveResult c = PolicyObjective.Evaluate(online, ObjectiveVariants.All["reading C"]);
        IcePopCases.Near(expected, c.Contributions.Sum(), 1e-12, 1e-12, "the value of reading C");
    }

    [Fact]
    public void TheBandOfReadingBMovesWithThePolicy()
    {
        RolloutBatch batch = new(1, 2, [2, 0], [0, 0], [0, 0], [1], [1, 1]);
        ObjectiveResult result = PolicyObjective.Evaluate(batch, ObjectiveVariants.All["reading B"]);
        Assert.Equal([TokenDecision.MaskedHigh, TokenDecision.Kept], result.Decisions);
        Assert.Equal([0, -1], result.Contributions);
    }

    [Fact]
    public void GspoClipsOneRatioPerResponse()
    {
        // mean of (0.4, −0.1, 0) = 0.1: inside the clip although the first token's own ratio is not.
        RolloutBatch batch = new(1, 4, [0.4, -0.1, 0, 9], [0, 0, 0, 0], [0, 0, 0, 0], [2], [1, 1, 1, 0]);
        ObjectiveResult result = PolicyObjective.Evaluate(batch, ObjectiveVariants.All["gspo"]);
        double ratio = Math.Exp(0.3 / 3);
        IcePopCases.Near([-2 * ratio, -2 * ratio, -2 * ratio, 0], result.Contributions, 1e-15, 0, "contributions");
        double shared = -2 * ratio / 3;
        IcePopCases.Near(
            [shared, shared, shared, 0], result.TotalGradient(), 1e-15, 0, "each token moves a third of the ratio");
        batch = new RolloutBatch(1, 2, [0.4, 0.4], [0, 0], [0, 0], [2], [1, 1]);
        result = PolicyObjective.Evaluate(batch, ObjectiveVariants.All["gspo"]);
        Assert.Equal([-2.4, -2.4], result.Contributions);
        Assert.Equal([0, 0], result.TotalGradient());
    }

    [Fact]
    public void CispoClipsTheWeightAndKeepsTheGradient()
    {
        double far = Math.Log(3);
        RolloutBatch batch = new(1, 2, [far - 4, -4], [-4, -4], [-4, -4], [1], [1, 1]);
        ObjectiveResult result = PolicyObjective.Evaluate(batch, ObjectiveVariants.All["cispo"]);
        Assert.Equal([1, 0], result.Clipped);
        IcePopCases.Near([-1.2 * (far - 4), 4], result.Contributions, 1e-15, 0, "−clip(r)·Â·log π");
        IcePopCases.Near([-0.6, -0.5], result.TotalGradient(), 1e-15, 0, "no token loses its gradient");
    }

    [Fact]
    public void CombinedTakesOneFactorAndAnotherFilter()
    {
        CombinedCorrection combined = new(new TruncatedCorrection(2), new BinaryMaskCorrection(0.5, 5));
        double[] weights = new double[4];
        TokenDecision[] decisions = new TokenDecision[4];
        combined.Weigh([0, Math.Log(3), 2, -2], [0, 0, 0, 0], [1, 1, 1, 1], 1, weights, decisions);
        Assert.Equal([1, 2, 0, 0], weights);
        Assert.Equal(
            [TokenDecision.Kept, TokenDecision.Kept, TokenDecision.MaskedHigh, TokenDecision.MaskedLow], decisions);
    }

    [Theory]
    [InlineData(0.6, 1)]
    [InlineData(0.7, 0)]
    [InlineData(-0.6, 1)]
    [InlineData(-0.7, 0)]
    public void TheGeometricMeanIsOverTheResponsesOwnTokens(double mean, double expected)
    {
        // log 2 = 0.693. The hole and the token that is not finite count in no way.
        double[] training = [mean - 1, 9, mean + 1, double.NaN, mean], weights = new double[5];
        TokenDecision[] decisions = new TokenDecision[5];
        new GeometricMaskCorrection(0.5, 2, TimesRatio: false)
            .Weigh(training, new double[5], [1, 0, 1, 1, 1], 1, weights, decisions);
        Assert.Equal([expected, 0, expected, 0, expected], weights);
        Assert.Equal([TokenDecision.Padding, TokenDecision.NonFinite], [decisions[1], decisions[3]]);

        // The product of the same tokens has three times the logarithm.
        new MaskedSequenceCorrection(0.125, 8)
            .Weigh(training, new double[5], [1, 0, 1, 1, 1], 1, weights, decisions);
        Assert.Equal(expected == 0 ? 0 : Math.Exp(3 * mean), weights[0], 1e-14);
    }

    [Fact]
    public void ALongResponseStaysInLogSpace()
    {
        // Π k overflows after 710 tokens of Δ = 1 and comes back; the geometric mean never leaves 1.
        double[] training = [.. Enumerable.Range(0, 2000).Select(t => t < 1000 ? 1.0 : -1.0)];
        double[] weights = new double[2000];
        byte[] mask = [.. Enumerable.Repeat((byte)1, 2000)];
        TokenDecision[] decisions = new TokenDecision[2000];
        new MaskedSequenceCorrection(0.5, 2).Weigh(training, new double[2000], mask, 1, weights, decisions);
        Assert.All(weights, weight => Assert.Equal(1, weight));
        new GeometricMaskCorrection(0.999, 1.002, false).Weigh(training, new double[2000], mask, 1, weights, decisions);
        Assert.All(weights, weight => Assert.Equal(1, weight));
        new VetoCorrection(0.5, 5, false).Weigh(training, new double[2000], mask, 1, weights, decisions);
        Assert.All(weights, weight => Assert.Equal(0, weight));
        Assert.Contains(TokenDecision.Dropped, Enum.GetValues<TokenDecision>());
    }

    [Fact]
    public void KPopAtZeroKeepsEqualProbabilitiesOnly()
    {
        double[] weights = new double[3];
        TokenDecision[] decisions = new TokenDecision[3];
        KPopCorrection kpop = new(0, TimesRatio: false);
        kpop.Weigh([-1, Math.BitDecrement(-1.0), -2], [-1, -1, -1], [1, 1, 1], 1, weights, decisions);
        Assert.Equal(1, weights[0]);
        Assert.Equal(0, weights[2]);
        Assert.True(kpop.NeedsProbabilities);
    }

    private static RolloutBatch Moved(RolloutBatch batch, int token, double step)
    {
        double[] current = batch.CurrentLogProbabilities.ToArray();
        current[token] += step;
        return new RolloutBatch(
            batch.Rollouts,
            batch.ResponseLength,
            current,
            batch.OldLogProbabilities.ToArray(),
            batch.InferenceLogProbabilities.ToArray(),
            batch.Advantages.ToArray(),
            batch.ResponseMask.ToArray(),
            batch.ReferenceLogProbabilities.ToArray());
    }
}
