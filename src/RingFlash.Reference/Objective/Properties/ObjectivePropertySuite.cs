using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>
/// The numbered properties of the objective, P1 to P54, runnable against anybody's loss. README.md of this folder lists
/// them.
/// </summary>
public static class ObjectivePropertySuite
{
    /// <summary>This library's float64 objective in the shape of a loss under test.</summary>
    public static LossUnderTest Reference { get; } =
        (batch, options) => OutcomeOf(PolicyObjective.Evaluate(batch, options));

    /// <summary>All properties in the order of their numbers; a number may have one about losses and one about
    /// operators.</summary>
    public static ImmutableArray<ObjectiveProperty> All { get; } =
    [
        .. MaskProperties.All
            .Concat(InvarianceProperties.All)
            .Concat(IndependenceProperties.All)
            .Concat(GradientProperties.All)
            .Concat(ClipProperties.All)
            .Concat(AggregationProperties.All)
            .Concat(RobustnessProperties.All)
            .Concat(CountProperties.All)
            .Concat(OperatorProperties.All)
            .Concat(EngineProperties.All)
            .Concat(AdvantageProperties.All)
            .Concat(RelativeProperties.All)
            .Concat(TheoryProperties.All)
            .OrderBy(property => int.Parse(property.Number.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture))
            .ThenBy(property => property.Subject),
    ];

    /// <summary>Checks all properties about losses on random cases.</summary>
    /// <param name="loss">The loss.</param>
    /// <param name="seed">The same seed gives the same cases.</param>
    /// <param name="casesPerProperty">Cases until a property counts as held; it stops at its first failure.</param>
    /// <param name="tolerance">How strictly numbers are compared; null for float64 and bitwise.</param>
    /// <returns>One report per property.</returns>
    public static IReadOnlyList<PropertyReport> Run(
        LossUnderTest loss, ulong seed, int casesPerProperty, LossTolerance? tolerance = null)
    {
        List<PropertyReport> reports = [];
        foreach (ObjectiveProperty property in All.Where(property => property.Subject == PropertySubject.Loss))
        {
            reports.Add(Run(property, loss, seed, casesPerProperty, tolerance));
        }

        return reports;
    }

    /// <summary>Checks one property on random cases.</summary>
    /// <param name="property">The property.</param>
    /// <param name="loss">The loss; not asked by properties about operators.</param>
    /// <param name="seed">The seed of the first case, from which those of the others follow.</param>
    /// <param name="cases">How many; it stops at the first failure.</param>
    /// <param name="tolerance">How strictly numbers are compared; null for float64 and bitwise.</param>
    /// <param name="beforeCase">Told the seed of each case before it is checked; may throw to stop; or null.</param>
    /// <returns>The counts, and the first failure.</returns>
    public static PropertyReport Run(
        ObjectiveProperty property,
        LossUnderTest loss,
        ulong seed,
        int cases,
        LossTolerance? tolerance = null,
        Action<ulong>? beforeCase = null)
    {
        ArgumentNullException.ThrowIfNull(property);
        CaseRandom seeds = new(seed);
        int passed = 0, notApplicable = 0;
        Dictionary<string, int> edges = property.Edges.ToDictionary(edge => edge, _ => 0);
        for (int i = 0; i < cases; i++)
        {
            // The first case is the seed's own, so that the seed of any case, alone, shows that case again.
            ulong caseSeed = i == 0 ? seed : seeds.NextBits();
            beforeCase?.Invoke(caseSeed);
            PropertyFinding finding = Check(property, loss, caseSeed, tolerance);
            passed += finding.Verdict == PropertyVerdict.Pass ? 1 : 0;
            notApplicable += finding.Verdict == PropertyVerdict.NotApplicable ? 1 : 0;
            foreach (string edge in finding.Edges)
            {
                edges[edge]++;
            }

            if (finding.Verdict == PropertyVerdict.Fail)
            {
                return new PropertyReport(property, passed, notApplicable, edges, caseSeed, finding.Failure);
            }
        }

        return new PropertyReport(property, passed, notApplicable, edges, null, null);
    }

    /// <summary>Checks one property on the case of one seed.</summary>
    /// <param name="property">The property.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="caseSeed">The case's seed.</param>
    /// <param name="tolerance">How strictly numbers are compared; null for float64 and bitwise.</param>
    /// <returns>The verdict, and the failure of the shrunk case.</returns>
    public static PropertyFinding Check(
        ObjectiveProperty property, LossUnderTest loss, ulong caseSeed, LossTolerance? tolerance = null)
    {
        ArgumentNullException.ThrowIfNull(property);
        PropertyProbe probe = new(loss, tolerance ?? LossTolerance.Strict);
        PropertyCase sample = PropertyCaseGenerator.Make(property.Cases, caseSeed, probe.SinglePrecision);
        string? failure = Failure(property, probe, sample, out bool reached);
        string[] edges = [.. probe.Edges];
        if (failure is null)
        {
            return new PropertyFinding(
                reached ? PropertyVerdict.Pass : PropertyVerdict.NotApplicable, edges, null);
        }

        PropertyCase shrunk = PropertyCaseShrinker.Shrink(
            sample, candidate => Failure(property, probe, candidate, out _) is not null);
        failure = Failure(property, probe, shrunk, out _) ?? failure;
        return new PropertyFinding(PropertyVerdict.Fail, edges, string.Create(
            CultureInfo.InvariantCulture, $"{failure}; shrunk: {shrunk}"));
    }

    /// <summary>Whether an exception says something about the loss. A program that breaks the protocol does not, nor
    /// does a person who stops the run.</summary>
    internal static bool IsOfTheLoss(Exception exception) =>
        exception is not (InvalidInputException or EnvironmentException or OperationCanceledException);

    internal static LossOutcome OutcomeOf(ObjectiveResult result)
    {
        Dictionary<LossAggregationKind, double> losses = [];
        Dictionary<LossAggregationKind, double[]> gradients = [];
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            losses[kind] = result.Loss(kind);
            gradients[kind] = result.Gradient(kind);
        }

        return new LossOutcome
        {
            Loss = losses,
            Gradient = gradients,
            Weight = result.Weights,
            Keep = result.Keep(),
            Metrics = result.Metrics,
        };
    }

    private static string? Failure(
        ObjectiveProperty property, PropertyProbe probe, PropertyCase sample, out bool reached)
    {
        reached = true;
        try
        {
            reached = property.Check(probe, sample);
            return null;
        }
        catch (PropertyFailure failure)
        {
            return failure.Message;
        }
        catch (Exception exception) when (IsOfTheLoss(exception))
        {
            // Somebody's loss may throw anything; on these inputs none may.
            return $"{exception.GetType().Name}: {exception.Message.ReplaceLineEndings(" ")}";
        }
    }
}
