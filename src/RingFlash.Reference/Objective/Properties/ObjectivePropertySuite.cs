using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>
/// The numbered properties of the objective, runnable against anybody's loss. P39 and P53 speak about no loss and no
/// operator but about distributions and a recursion; they are tests of the theory.
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
            .Concat(GradientProperties.All)
            .Concat(AggregationProperties.All)
            .Concat(RobustnessProperties.All)
            .Concat(OperatorProperties.All)
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
    /// <param name="seed">The same seed gives the same cases.</param>
    /// <param name="cases">How many; it stops at the first failure.</param>
    /// <param name="tolerance">How strictly numbers are compared; null for float64 and bitwise.</param>
    /// <returns>The counts, and the first counterexample.</returns>
    public static PropertyReport Run(
        ObjectiveProperty property, LossUnderTest loss, ulong seed, int cases, LossTolerance? tolerance = null)
    {
        CaseRandom seeds = new(seed);
        int passed = 0, notApplicable = 0;
        for (int i = 0; i < cases; i++)
        {
            PropertyFinding finding = Check(property, loss, seeds.NextBits(), tolerance);
            passed += finding.Verdict == PropertyVerdict.Pass ? 1 : 0;
            notApplicable += finding.Verdict == PropertyVerdict.NotApplicable ? 1 : 0;
            if (finding.Verdict == PropertyVerdict.Fail)
            {
                return new PropertyReport(property, passed, notApplicable, finding.Counterexample);
            }
        }

        return new PropertyReport(property, passed, notApplicable, null);
    }

    /// <summary>Checks one property on the case of one seed; the seed of a counterexample replays it.</summary>
    /// <param name="property">The property.</param>
    /// <param name="loss">The loss.</param>
    /// <param name="caseSeed">The case's seed.</param>
    /// <param name="tolerance">How strictly numbers are compared; null for float64 and bitwise.</param>
    /// <returns>The verdict, and the shrunk counterexample.</returns>
    public static PropertyFinding Check(
        ObjectiveProperty property, LossUnderTest loss, ulong caseSeed, LossTolerance? tolerance = null)
    {
        ArgumentNullException.ThrowIfNull(property);
        PropertyProbe probe = new(loss, tolerance ?? LossTolerance.Strict);
        PropertyCase sample = PropertyCaseGenerator.Make(property.Cases, caseSeed);
        string? failure = Failure(property, probe, sample, out bool reached);
        if (failure is null)
        {
            return reached ? PropertyFinding.Pass : PropertyFinding.NotApplicable;
        }

        PropertyCase shrunk = PropertyCaseShrinker.Shrink(
            sample, candidate => Failure(property, probe, candidate, out _) is not null);
        failure = Failure(property, probe, shrunk, out _) ?? failure;
        return new PropertyFinding(PropertyVerdict.Fail, string.Create(
            CultureInfo.InvariantCulture,
            $"{property} — {failure}; case seed 0x{caseSeed:x16}, shrunk: {shrunk}"));
    }

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
        catch (Exception exception)
        {
            // Somebody's loss may throw anything; on these inputs none may.
            return $"{exception.GetType().Name}: {exception.Message.ReplaceLineEndings(" ")}";
        }
    }
}
