using System.Collections.Generic;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>What a loss under test says about a batch: as much of it as the loss offers, the rest absent or
/// null.</summary>
/// <remarks>Arrays are [rollouts, response], row-major. The loss is the one that is minimised, without a KL
/// term.</remarks>
public sealed record LossOutcome
{
    /// <summary>The loss by aggregation; at least one.</summary>
    public required IReadOnlyDictionary<LossAggregationKind, double> Loss { get; init; }

    /// <summary>Its derivative in the current log-probabilities, for the same aggregations.</summary>
    public required IReadOnlyDictionary<LossAggregationKind, double[]> Gradient { get; init; }

    /// <summary>The engine weight of each token, 0 where dropped; or null.</summary>
    public double[]? Weight { get; init; }

    /// <summary>1 where a token trains; or null.</summary>
    public byte[]? Keep { get; init; }

    /// <summary>Counts and mismatch metrics; or null.</summary>
    public ObjectiveMetrics? Metrics { get; init; }
}

/// <summary>Anybody's loss, in float64. It must not write to the batch.</summary>
/// <param name="batch">The responses.</param>
/// <param name="options">The band (an <see cref="IcePopCorrection"/>) and the clip widths; everything else is at its
/// published value.</param>
/// <returns>What it computes.</returns>
public delegate LossOutcome LossUnderTest(RolloutBatch batch, PolicyObjectiveOptions options);

/// <summary>How strictly numbers of a loss under test are compared, and what it is asked.</summary>
/// <param name="Relative">Relative to the number and to the sum of the absolute contributions.</param>
/// <param name="Bitwise">Whether statements about equal bits are checked as such; a loss that reorders its sums, or
/// computes in float32, needs false.</param>
/// <param name="SinglePrecision">Whether the loss computes in float32: then cases hold numbers that float32 has, no
/// difference is so near an end of the band that float32 may decide otherwise, and no kept weight leaves the range of
/// float32.</param>
public sealed record LossTolerance(double Relative, bool Bitwise, bool SinglePrecision = false)
{
    /// <summary>1e-12 and bitwise where a property says so: for losses in float64 with sums in a fixed order.</summary>
    public static LossTolerance Strict { get; } = new(1e-12, true);

    /// <summary>For losses that compute in float32.</summary>
    public static LossTolerance Single { get; } = new(2e-5, false, true);

    /// <summary>The smallest normal number of the type: below it a rounding is no longer relative to the number (at
    /// most 2^−1075 in float64), so a comparison allows it as an absolute part.</summary>
    internal double Smallest => SinglePrecision ? 1.1754943508222875E-38 : 2.2250738585072014E-308;
}
