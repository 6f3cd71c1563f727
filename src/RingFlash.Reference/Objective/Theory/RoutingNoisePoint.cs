namespace RingFlash.Reference.Objective.Theory;

/// <summary>What is measured at one step of <see cref="RoutingNoiseSimulation"/>; expectations are over the inference
/// engine's
/// probabilities, by enumeration, and averaged over prompts and positions.</summary>
/// <param name="Step">Updates done before.</param>
/// <param name="MeanLogRatio">The mean of |Δ|.</param>
/// <param name="LargestLogRatio">max |Δ| over the tokens that were sampled at this step.</param>
/// <param name="Divergence">KL(infer ‖ train).</param>
/// <param name="MaskedShare">The probability mass outside the band, whether or not this operator masks.</param>
/// <param name="Entropy">The entropy of the inference policy: of whoever sampled the token.</param>
/// <param name="MaskedEntropy">The same, averaged over the mass outside the band; NaN when there is none.</param>
/// <param name="Reward">The expected share of targets hit by the training policy.</param>
public sealed record RoutingNoisePoint(
    int Step,
    double MeanLogRatio,
    double LargestLogRatio,
    double Divergence,
    double MaskedShare,
    double Entropy,
    double MaskedEntropy,
    double Reward);

/// <summary>One run of <see cref="RoutingNoiseSimulation"/>.</summary>
/// <param name="Operator">The operator that weighted the gradient.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Points">The first step, every reported one, the last.</param>
/// <param name="GapByPosition">[positions], mean |Δ| at step 0.</param>
public sealed record RoutingNoiseRun(
    TheoryOperator Operator,
    ulong Seed,
    System.Collections.Generic.IReadOnlyList<RoutingNoisePoint> Points,
    System.Collections.Generic.IReadOnlyList<double> GapByPosition)
{
    /// <summary>Before the first update.</summary>
    public RoutingNoisePoint Start => Points[0];

    /// <summary>After the last update.</summary>
    public RoutingNoisePoint End => Points[^1];
}
