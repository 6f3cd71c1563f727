using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>The published objective with one thing changed, as people change it by mistake: where somebody's numbers
/// equal it, the mistake is found.</summary>
public sealed record IcePopMistake
{
    private readonly Func<PolicyObjectiveOptions, IcePopCorrection, PolicyObjectiveOptions> _change;

    private IcePopMistake(
        string description, Func<PolicyObjectiveOptions, IcePopCorrection, PolicyObjectiveOptions> change)
    {
        Description = description;
        _change = change;
    }

    /// <summary>All of them, in the order of the objective.</summary>
    public static IReadOnlyList<IcePopMistake> All { get; } =
    [
        Weight("factor 1 instead of k inside the band (a binary mask)", band =>
            new BinaryMaskCorrection(band.Alpha, band.Beta)),
        new("k reversed: inference over training", (options, _) => options) { IsReversed = true },
        new("k from the current policy instead of the rollout's", (options, _) =>
            options with { Numerator = RatioNumerator.CurrentWeights }),
        Weight("min(k, β) instead of a band (TIS)", band => new TruncatedCorrection(band.Beta)),
        Weight("k clamped to the band instead of dropped", band => new TwoSidedClampCorrection(band.Alpha, band.Beta)),
        Weight("no engine weight (GRPO)", _ => new NoCorrection()),
        Weight("no band (plain importance sampling)", _ => new ImportanceSamplingCorrection()),
        Weight("upper end of the band only", band => band with { Alpha = 0 }),
        Weight("lower end of the band only", band => band with { Beta = double.PositiveInfinity }),
        Weight("band from 1/β to β", band => band with { Alpha = 1 / band.Beta }),
        Weight("the band applied to a response's geometric mean", band =>
            new GeometricMaskCorrection(band.Alpha, band.Beta, TimesRatio: true)),
        new("the band decided in ratio space", (options, _) =>
            options with { Decision = BandDecision.RatioSpace }),
        new("no PPO clip", (options, _) => options with
        {
            EpsilonLow = double.PositiveInfinity,
            EpsilonHigh = double.PositiveInfinity,
        }),
        new("eps_low on both sides of the clip", (options, _) => options with { EpsilonHigh = options.EpsilonLow }),
        new("a dual clip at 3", (options, _) => options with { DualClip = 3 }),
        new("averages over kept tokens only", (options, _) =>
            options with { DenominatorTokens = DenominatorTokens.Kept }),
    ];

    /// <summary>What was done.</summary>
    public string Description { get; }

    private bool IsReversed { get; init; }

    /// <summary>The values with the mistake.</summary>
    /// <param name="loss">The case.</param>
    /// <param name="single">In float32.</param>
    /// <returns>The values; null where the mistake cannot be made, such as a reversal of an empty band.</returns>
    public IcePopExpectation? Evaluate(IcePopCaseFile loss, bool single)
    {
        ArgumentNullException.ThrowIfNull(loss);
        if (loss.Options.Correction is not IcePopCorrection band)
        {
            return null;
        }

        PolicyObjectiveOptions options = _change(loss.Options, band);
        try
        {
            options.Require();
        }
        catch (ArgumentException)
        {
            return null;
        }

        RolloutBatch batch = IsReversed ? Reversed(loss.Batch) : loss.Batch;
        return IcePopValues.From(single
            ? PolicyObjective.Evaluate(ExecutionEngine.Vector512, batch.ToSingle(), options)
            : PolicyObjective.Evaluate(batch, options));
    }

    private static IcePopMistake Weight(string description, Func<IcePopCorrection, EngineCorrection> correction) =>
        new(description, (options, band) => options with { Correction = correction(band) });

    // The policy ratio keeps its o, so the other side is moved: o − (2·o − q) = q − o.
    private static RolloutBatch Reversed(RolloutBatch batch)
    {
        double[] moved = batch.OldLogProbabilities.ToArray();
        for (int index = 0; index < moved.Length; index++)
        {
            moved[index] = (2 * moved[index]) - batch.InferenceLogProbabilities[index];
        }

        return new RolloutBatch(
            batch.Rollouts,
            batch.ResponseLength,
            batch.CurrentLogProbabilities.ToArray(),
            batch.OldLogProbabilities.ToArray(),
            moved,
            batch.Advantages.ToArray(),
            batch.ResponseMask.ToArray(),
            batch.Arrays.Reference,
            batch.Groups);
    }
}
