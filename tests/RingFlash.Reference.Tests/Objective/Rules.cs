// Red here: one of the published rules N1 to N13 of the objective no longer holds.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class Rules
{
    private const LossAggregationKind Published = LossAggregationKind.SequenceMeanTokenMean;

    [Fact]
    public void N1TheBandIsDecidedInLogSpaceAndClosed()
    {
        double low = Math.Log(0.5), high = Math.Log(5);
        ObjectiveResult result = Evaluate([low, high, Math.BitDecrement(low), Math.BitIncrement(high)]);
        Assert.Equal(
            [TokenDecision.Kept, TokenDecision.Kept, TokenDecision.MaskedLow, TokenDecision.MaskedHigh],
            result.Decisions);
        Assert.True(Math.Exp(Math.Log(8)) < 8); // the reason: the ratio is not on its bound

        float single = (float)Math.Log(0.2);
        PolicyObjectiveOptions band = WithBand(0.2, 5);
        ObjectiveResult narrow = PolicyObjective.Evaluate(ExecutionEngine.Scalar, Batch([single]).ToSingle(), band);
        Assert.Equal(TokenDecision.Kept, narrow.Decisions[0]);
        PolicyObjectiveOptions inRatios = band with { Decision = BandDecision.RatioSpace };
        narrow = PolicyObjective.Evaluate(ExecutionEngine.Scalar, Batch([single]).ToSingle(), inRatios);
        Assert.Equal(TokenDecision.MaskedLow, narrow.Decisions[0]);
    }

    [Theory]
    [InlineData(double.NegativeInfinity, -1)]
    [InlineData(-1, double.NegativeInfinity)]
    [InlineData(double.NegativeInfinity, double.NegativeInfinity)]
    [InlineData(double.NaN, -1)]
    [InlineData(-1, double.NaN)]
    [InlineData(1e308, -1e308)]
    public void N2ANonFiniteLogRatioDropsTheTokenEvenWithoutABand(double old, double inference)
    {
        RolloutBatch batch = new(1, 2, [-1, -1], [old, -1], [inference, -1], [1], [1, 1]);
        foreach (PolicyObjectiveOptions options in new PolicyObjectiveOptions[]
            { PolicyObjectiveOptions.Default, WithBand(0, double.PositiveInfinity) })
        {
            ObjectiveResult result = PolicyObjective.Evaluate(batch, options);
            Assert.Equal([TokenDecision.NonFinite, TokenDecision.Kept], result.Decisions);
            Assert.Equal(1, result.Metrics.NonFiniteLogRatio);
            Assert.Equal(-0.5, result.Loss(Published));
            IcePopCases.SameBits([0, -0.5], result.Gradient(Published), "gradient");
        }
    }

    [Fact]
    public void N2bAnOverflowingWeightIsTreatedLikeANonFiniteOne()
    {
        PolicyObjectiveOptions open = WithBand(0, double.PositiveInfinity);
        ObjectiveResult wide = PolicyObjective.Evaluate(Batch([709, 710]), open);
        Assert.Equal([TokenDecision.Kept, TokenDecision.NonFinite], wide.Decisions);
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            double[] differences = [.. Enumerable.Repeat(85.0, 16), 89];
            ObjectiveResult narrow = PolicyObjective.Evaluate(engine, Batch(differences).ToSingle(), open);
            Assert.Equal(TokenDecision.Kept, narrow.Decisions[0]);
            Assert.Equal(TokenDecision.NonFinite, narrow.Decisions[16]);
            Assert.True(double.IsFinite(narrow.Loss(Published)));
        }
    }

    [Fact]
    public void N4AMaskedTokenStaysInEveryDenominator()
    {
        RolloutBatch masked = Batch([0, 0, 0, 9]);
        ObjectiveResult through = PolicyObjective.Evaluate(masked);
        ObjectiveResult removed = PolicyObjective.Evaluate(Batch([0, 0, 0]));
        Assert.Equal(-0.75, through.Loss(Published));
        Assert.Equal(-1, removed.Loss(Published));
        PolicyObjectiveOptions kept =
            PolicyObjectiveOptions.Default with { DenominatorTokens = DenominatorTokens.Kept };
        Assert.Equal(-1, PolicyObjective.Evaluate(masked, kept).Loss(Published));
    }

    [Fact]
    public void N5TheWeightDoesNotMoveWithThePolicy()
    {
        RolloutBatch batch = RandomBatches.Make(3, 9, 4, edges: true);
        double[] moved = [.. batch.CurrentLogProbabilities.ToArray().Select(value => value - 3)];
        RolloutBatch other = new(
            3,
            9,
            moved,
            batch.OldLogProbabilities.ToArray(),
            batch.InferenceLogProbabilities.ToArray(),
            batch.Advantages.ToArray(),
            batch.ResponseMask.ToArray());
        IcePopCases.SameBits(
            PolicyObjective.Evaluate(batch).Weights, PolicyObjective.Evaluate(other).Weights, "weights");
    }

    [Fact]
    public void N6AtEqualityTheGradientFlows()
    {
        // 1 + ε as a ratio of exactly representable logarithms does not exist; the operator takes the ratio itself.
        double[] contributions = new double[4], gradient = new double[4];
        byte[] clipped = new byte[4];
        SurrogateBounds bounds = new(0.25, 0.25);
        TokenDecision[] kept = [.. Enumerable.Repeat(TokenDecision.Kept, 4)];
        double[] ratios = [1.25, Math.BitIncrement(1.25), 0.75, Math.BitDecrement(0.75)];
        ClippedSurrogate.Exact(ratios, [1, 1, 1, 1], kept, 1, bounds, contributions, clipped);
        Assert.Equal([0, 1, 0, 0], clipped);
        ClippedSurrogate.Backward<double>(contributions, clipped, gradient);
        Assert.Equal([-1.25, 0, -0.75, -ratios[3]], gradient);
        ClippedSurrogate.Exact(ratios, [1, 1, 1, 1], kept, -1, bounds, contributions, clipped);
        Assert.Equal([0, 0, 0, 1], clipped);
    }

    [Fact]
    public void N7AZeroAdvantageIsExactlyZeroEvenWhereTheRatioOverflows()
    {
        RolloutBatch batch = new(1, 2, [800, -1], [0, -1], [0, -1], [0], [1, 1]);
        foreach (PolicyForm form in Enum.GetValues<PolicyForm>())
        {
            PolicyObjectiveOptions options = PolicyObjectiveOptions.Default with { Policy = form };
            IcePopCases.SameBits([0], [PolicyObjective.Evaluate(batch, options).Loss(Published)], form.ToString());
            IcePopCases.SameBits([0, 0], PolicyObjective.Evaluate(batch, options).Gradient(Published), form.ToString());
        }

        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            ObjectiveResult result = PolicyObjective.Evaluate(engine, batch.ToSingle());
            IcePopCases.SameBits([0, 0], result.Gradient(Published), engine.ToString());
        }
    }

    [Theory]
    [InlineData(0.1, 3)]
    [InlineData(0.7, 10)]
    [InlineData(0.3, 7)]
    [InlineData(1e6, 5)]
    [InlineData(5e-324, 4)]
    [InlineData(2.5, 1)]
    public void N8EqualRewardsGiveExactZeros(double reward, int members)
    {
        double[] rewards = [.. Enumerable.Repeat(reward, members)], advantages = new double[members];
        GroupAdvantage.Exact(rewards, new long[members], new GroupAdvantageOptions(), advantages);
        IcePopCases.SameBits(new double[members], advantages, "advantages");
        GroupAdvantage.Exact(rewards, new long[members], GroupAdvantageOptions.Population, advantages);
        IcePopCases.SameBits(new double[members], advantages, "advantages");
    }

    [Fact]
    public void N9AnEmptyResponseContributesNothingAndCountsOnlyWhereAllRowsCount()
    {
        RolloutBatch batch = new(2, 1, [-1, -1], [-1, -1], [-1, -1], [1, 1], [1, 0]);
        ObjectiveResult result = PolicyObjective.Evaluate(batch);
        Assert.Equal(-0.5, result.Loss(Published));
        Assert.Equal(-1, result.Loss(LossAggregationKind.SequenceMeanTokenMeanNonEmpty));
        RolloutBatch[] withoutTokens =
        [
            new(2, 1, [1, 1], [1, 1], [1, 1], [1, 1], [0, 0]), new(2, 0, [], [], [], [1, 1], []),
            new(0, 5, [], [], [], [], []),
        ];
        foreach (RolloutBatch empty in withoutTokens)
        {
            result = PolicyObjective.Evaluate(empty);
            Assert.Equal(0, result.Metrics.ClipFraction);
            Assert.Equal(0, result.Metrics.EffectiveSampleFraction);
            foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
            {
                IcePopCases.SameBits([0], [result.Loss(kind)], kind.Word());
                Assert.All(result.Gradient(kind), value => Assert.Equal(0, value));
            }
        }
    }

    [Fact]
    public void N10TheDivergenceStandsApartAndIsNotReadAtCoefficientZero()
    {
        RolloutBatch batch = new(1, 2, [-1, -1], [-1, -1], [-1, -9], [1], [1, 1], [double.NaN, double.NaN]);
        Assert.Equal(-0.5, PolicyObjective.Evaluate(batch).TotalLoss());

        // The second token is outside the band and keeps its divergence.
        batch = new RolloutBatch(1, 2, [-1, -1], [-1, -1], [-1, -9], [1], [1, 1], [-1.5, -2]);
        PolicyObjectiveOptions options = PolicyObjectiveOptions.Default with { KullbackLeiblerCoefficient = 0.1 };
        ObjectiveResult result = PolicyObjective.Evaluate(batch, options);
        double expected = 0.1 * 0.5 * (1 - Math.Exp(-1));
        IcePopCases.Near(expected, result.TotalGradient()[1], 1e-14, 0, "gradient of a masked token");
        result = PolicyObjective.Evaluate(batch, options with { KullbackLeiblerInsideWeight = true });
        IcePopCases.SameBits([0], [result.TotalGradient()[1]], "inside the weight");
        RolloutBatch without = new(1, 1, [-1], [-1], [-1], [1], [1]);
        Assert.Throws<ArgumentException>(() => PolicyObjective.Evaluate(without, options));
    }

    [Fact]
    public void N11TheLogRatioIsOnlyClampedOnRequest()
    {
        RolloutBatch batch = new(1, 1, [0], [-800], [-800], [-1], [1]);
        ObjectiveResult result = PolicyObjective.Evaluate(batch);
        Assert.Equal(double.PositiveInfinity, result.Loss(Published));
        Assert.Equal(double.PositiveInfinity, result.Gradient(Published)[0]);
        result = PolicyObjective.Evaluate(batch, PolicyObjectiveOptions.Default with { PolicyLogRatioClamp = 20 });
        Assert.Equal(Math.Exp(20), result.Loss(Published));
        IcePopCases.SameBits([0], result.Gradient(Published), "a clamped ratio does not move");
        result = PolicyObjective.Evaluate(batch, PolicyObjectiveOptions.Default with { DualClip = 3 });
        Assert.Equal(3, result.Loss(Published));
    }

    [Theory]
    [InlineData(5, 0.5)]
    [InlineData(-1, 5)]
    [InlineData(double.NaN, 5)]
    [InlineData(0.5, double.NaN)]
    [InlineData(0, 0)]
    [InlineData(double.PositiveInfinity, 1)]
    public void N12AnImpossibleBandIsRefused(double alpha, double beta) =>
        Assert.Throws<ArgumentException>(() => PolicyObjective.Evaluate(Batch([0]), WithBand(alpha, beta)));

    [Fact]
    public void N12ImpossibleOptionsAndShapesAreRefused()
    {
        PolicyObjectiveOptions start = PolicyObjectiveOptions.Default;
        PolicyObjectiveOptions[] wrong =
        [
            start with { EpsilonLow = -0.1 }, start with { EpsilonHigh = double.NaN }, start with { DualClip = 1 },
            start with { PolicyLogRatioClamp = 0 }, start with { KullbackLeiblerCoefficient = double.NaN },
            start with { Temperature = 0 },
            start with { Policy = PolicyForm.LiveRatio, Correction = new NoCorrection() },
            start with { Correction = new KPopCorrection(-1, false) },
        ];
        Assert.All(wrong, options =>
            Assert.Throws<ArgumentException>(() => PolicyObjective.Evaluate(Batch([0]), options)));
        Assert.Throws<ArgumentException>(() => new RolloutBatch(1, 2, [0], [0, 0], [0, 0], [1], [1, 1]));
        Assert.Throws<ArgumentException>(() => new RolloutBatch(1, 1, [0], [0], [0], [double.NaN], [1]));
        Assert.Throws<ArgumentException>(() => new RolloutBatch(1, 1, [0], [0], [0], [1], [2]));
        Assert.Throws<ArgumentException>(() => new RolloutBatch(1, 1, [0], [0], [0], [1], [1], [0, 0]));
        Assert.Throws<ArgumentException>(() => RolloutBatch.FromPacked([0, 2, 1], [0], [0], [0], [1, 1]));
        Assert.Throws<ArgumentException>(() => RolloutBatch.FromPacked([0, 1], [0, 0], [0, 0], [0, 0], [1]));
        Assert.Equal(TokenDecision.Kept, PolicyObjective.Evaluate(
            new RolloutBatch(1, 1, [5], [5], [5], [1], [1])).Decisions[0]); // only differences matter
    }

    [Fact]
    public void N13CountsAddUp()
    {
        ObjectiveMetrics metrics = Evaluate([0, 3, 4, -2, double.NaN, 0.1]).Metrics;
        Assert.Equal(6, metrics.ValidTokens);
        Assert.Equal(2, metrics.KeptTokens);
        Assert.Equal(1, metrics.MaskedLow);
        Assert.Equal(2, metrics.MaskedHigh);
        Assert.Equal(1, metrics.NonFiniteLogRatio);
        Assert.Equal(4.0 / 6, metrics.ClipFraction);
    }

    [Fact]
    public void ANotANumberPolicyOnAKeptTokenIsNotHidden()
    {
        RolloutBatch batch = new(1, 2, [double.NaN, -1], [-1, -1], [-1, -1], [1], [1, 1]);
        Assert.Equal(double.NaN, PolicyObjective.Evaluate(batch).Loss(Published));
        RolloutBatch masked = new(1, 2, [double.NaN, -1], [-1, -1], [-9, -1], [1], [1, 1]);
        Assert.Equal(-0.5, PolicyObjective.Evaluate(masked).Loss(Published));
    }

    [Fact]
    public void EqualEnginesGiveTheBitsOfGrpo()
    {
        RolloutBatch batch = RandomBatches.Make(6, 17, 8, edges: false);
        RolloutBatch same = new(
            6,
            17,
            batch.CurrentLogProbabilities.ToArray(),
            batch.OldLogProbabilities.ToArray(),
            batch.OldLogProbabilities.ToArray(),
            batch.Advantages.ToArray(),
            batch.ResponseMask.ToArray());
        PolicyObjectiveOptions plain = PolicyObjectiveOptions.Default with { Correction = new NoCorrection() };
        IcePopCases.SameBits(
            PolicyObjective.Evaluate(same, plain), PolicyObjective.Evaluate(same), "float64");
        IcePopCases.SameBits(
            PolicyObjective.Evaluate(ExecutionEngine.Vector512, same.ToSingle(), plain),
            PolicyObjective.Evaluate(ExecutionEngine.Vector512, same.ToSingle()),
            "float32");
    }

    private static ObjectiveResult Evaluate(double[] differences) => PolicyObjective.Evaluate(Batch(differences));

    private static RolloutBatch Batch(double[] differences) => new(
        1,
        differences.Length,
        differences,
        differences,
        new double[differences.Length],
        [1],
        [.. Enumerable.Repeat((byte)1, differences.Length)]);

    private static PolicyObjectiveOptions WithBand(double alpha, double beta) =>
        PolicyObjectiveOptions.Default with { Correction = new IcePopCorrection(alpha, beta) };
}
