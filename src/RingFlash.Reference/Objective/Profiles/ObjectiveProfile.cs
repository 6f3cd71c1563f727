using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective.Checking;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles;

/// <summary>
/// What one framework, in one configuration, returns for a case: its formula with its denominators, its treatment of
/// numbers that are not finite, and its faults. "paper" is the published objective by this library's rules.
/// </summary>
public sealed record ObjectiveProfile
{
    internal ObjectiveProfile(
        string name,
        string source,
        string summary,
        IReadOnlyList<LossAggregationKind> aggregations,
        IReadOnlyList<ProfileFault> faults,
        IFrameworkLoss? loss)
    {
        Name = name;
        Framework = name.Split('/')[0];
        Source = source;
        Summary = summary;
        Aggregations = aggregations;
        Faults = [.. faults.OrderBy(fault => int.Parse(fault.Number.AsSpan(1), CultureInfo.InvariantCulture))];
        FrameworkLoss = loss;
    }

    /// <summary>The word for it, framework/configuration.</summary>
    public string Name { get; }

    /// <summary>Whose it is.</summary>
    public string Framework { get; }

    /// <summary>Repository @ commit and path that was read.</summary>
    public string Source { get; }

    /// <summary>What it does, in a line.</summary>
    public string Summary { get; }

    /// <summary>The aggregations that it offers; empty where it offers weights or a mask only.</summary>
    public IReadOnlyList<LossAggregationKind> Aggregations { get; }

    /// <summary>What to beware of, by number.</summary>
    public IReadOnlyList<ProfileFault> Faults { get; }

    /// <summary>Whether it needs probabilities, so that a log-probability above 0 on a response token has no meaning;
    /// to the others only differences matter.</summary>
    public bool NeedsProbabilities { get; internal init; }

    /// <summary>The formula; null for our own.</summary>
    internal IFrameworkLoss? FrameworkLoss { get; }

    /// <summary>
    /// What the framework's function returns for a case, with the case's band and clip widths. A KL term is not part of
    /// those functions; "paper" gives it apart, under <see cref="IcePopExpectation.Divergence"/>.
    /// </summary>
    /// <param name="loss">The case.</param>
    /// <param name="singlePrecision">In float32 on rounded inputs, else in float64.</param>
    /// <returns>Its values by the names of the schema; what it does not offer is null or absent.</returns>
    /// <exception cref="ProfileErrorException">The framework raises on this input.</exception>
    public IcePopExpectation Evaluate(IcePopCaseFile loss, bool singlePrecision = false)
    {
        ArgumentNullException.ThrowIfNull(loss);
        if (FrameworkLoss is null)
        {
            return IcePopValues.From(singlePrecision
                ? PolicyObjective.Evaluate(ExecutionEngine.Scalar, loss.SingleBatch(), loss.Options)
                : PolicyObjective.Evaluate(loss.Batch, loss.Options));
        }

        return singlePrecision
            ? FrameworkLoss.Evaluate(new FrameworkInput<float>(loss.SingleBatch().Arrays, loss.Options, loss.Lengths))
                .ToExpectation()
            : FrameworkLoss.Evaluate(new FrameworkInput<double>(loss.Batch.Arrays, loss.Options, loss.Lengths))
                .ToExpectation();
    }
}
