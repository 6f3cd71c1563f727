using System;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>How the policy's movement enters the loss.</summary>
public enum PolicyForm
{
    /// <summary>The clipped surrogate of r = e^(current − old): published IcePop, GRPO, PPO. Reading A.</summary>
    ClippedSurrogate,

    /// <summary>
    /// GSPO: one ratio per response, e^(mean over its response tokens of current − old), clipped as a whole; its
    /// gradient reaches every response token of the row.
    /// </summary>
    SequenceSurrogate,

    /// <summary>CISPO: −w·clip(r)·Â·current with the clipped ratio a constant; clipped on both sides for both signs,
    /// and no token loses its gradient.</summary>
    ClippedWeight,

    /// <summary>
    /// The engine weight carries the gradient: −w·Â, with dw/dcurrent = w. No policy ratio, no clip. With
    /// <see cref="RatioNumerator.CurrentWeights"/> reading B, prime-rl's IcePopLoss.
    /// </summary>
    LiveRatio,

    /// <summary>REINFORCE: −w·Â·current with w a constant. With <see cref="RatioNumerator.CurrentWeights"/> reading
    /// C.</summary>
    LogLikelihood,
}

/// <summary>Whose log-probability stands over the inference engine's in the engine ratio k.</summary>
public enum RatioNumerator
{
    /// <summary>The training engine at the weights of the rollout; as published.</summary>
    RolloutWeights,

    /// <summary>The training engine at the current weights; a constant except under
    /// <see cref="PolicyForm.LiveRatio"/>.</summary>
    CurrentWeights,
}

/// <summary>Which tokens the averages count.</summary>
public enum DenominatorTokens
{
    /// <summary>All response tokens, dropped ones included; as published.</summary>
    Original,

    /// <summary>Only kept tokens, so that a drop raises the weight of the others (ROLL).</summary>
    Kept,
}

/// <summary>
/// Every choice of the objective. The defaults are the published ones; where the publications are silent the page of
/// this folder says what was chosen. What frameworks do otherwise, faults included, is under Profiles.
/// </summary>
public sealed record PolicyObjectiveOptions
{
    /// <summary>IcePop with the band 0.5 … 5, clip 0.2 / 0.2, no KL term.</summary>
    public static PolicyObjectiveOptions Default { get; } = new();

    /// <summary>The factor against the two engines' difference.</summary>
    public EngineCorrection Correction { get; init; } = new IcePopCorrection(0.5, 5);

    /// <summary>Where bands over the engine ratio are compared.</summary>
    public BandDecision Decision { get; init; } = BandDecision.LogSpace;

    /// <summary>Whose log-probability is the numerator of the engine ratio.</summary>
    public RatioNumerator Numerator { get; init; } = RatioNumerator.RolloutWeights;

    /// <summary>How the policy's movement enters.</summary>
    public PolicyForm Policy { get; init; } = PolicyForm.ClippedSurrogate;

    /// <summary>ε_lo ≥ 0. Not published; 0.2 is everybody's.</summary>
    public double EpsilonLow { get; init; } = 0.2;

    /// <summary>ε_hi ≥ 0.</summary>
    public double EpsilonHigh { get; init; } = 0.2;

    /// <summary>The dual clip c > 1; +∞ for none.</summary>
    public double DualClip { get; init; } = double.PositiveInfinity;

    /// <summary>The largest |current − old|; +∞ for none. verl and OpenRLHF use 20.</summary>
    public double PolicyLogRatioClamp { get; init; } = double.PositiveInfinity;

    /// <summary>The aggregation that <see cref="ObjectiveResult.TotalLoss()"/> uses; the result holds all
    /// five.</summary>
    public LossAggregationKind Aggregation { get; init; } = LossAggregationKind.SequenceMeanTokenMean;

    /// <summary>γ; 0 means that reference log-probabilities are never read.</summary>
    public double KullbackLeiblerCoefficient { get; init; }

    /// <summary>The estimator that the total uses.</summary>
    public KullbackLeiblerKind KullbackLeibler { get; init; } = KullbackLeiblerKind.K3;

    /// <summary>The KL term is multiplied by the token's engine weight, so dropped tokens lose it too
    /// (ms-swift).</summary>
    public bool KullbackLeiblerInsideWeight { get; init; }

    /// <summary>Which tokens averages count.</summary>
    public DenominatorTokens DenominatorTokens { get; init; } = DenominatorTokens.Original;

    /// <summary>The temperature that both engines' logits are divided by; used by the gradient with respect to
    /// logits.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>The clip of the policy ratio.</summary>
    public SurrogateBounds Bounds => new(EpsilonLow, EpsilonHigh, DualClip);

    /// <summary>Refuses impossible values and combinations.</summary>
    public void Require()
    {
        Bounds.Require();
        Correction.Require();
        RequireNumber(PolicyLogRatioClamp > 0, nameof(PolicyLogRatioClamp), PolicyLogRatioClamp, "above 0");
        RequireNumber(
            double.IsFinite(KullbackLeiblerCoefficient),
            nameof(KullbackLeiblerCoefficient),
            KullbackLeiblerCoefficient,
            "finite");
        RequireNumber(
            Temperature > 0 && double.IsFinite(Temperature), nameof(Temperature), Temperature, "finite and above 0");
        if (Policy == PolicyForm.LiveRatio && !Correction.FollowsTokenRatio)
        {
            throw new ArgumentException(
                $"{Correction.Name} does not follow the token's ratio, so it has no gradient to carry ({Policy}).");
        }
    }

    private static void RequireNumber(bool good, string name, double value, string rule)
    {
        if (!good)
        {
            throw new ArgumentException(string.Create(
                System.Globalization.CultureInfo.InvariantCulture, $"{name} must be {rule}; found {value}."));
        }
    }
}
