// Red here: a numbered property is missing, is never reached by its cases, or fails in the long run; then nothing
// guards the law that it states.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Properties;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Properties;

public sealed class NumberedProperties(ITestOutputHelper output)
{
    /// <summary>FsCheck prints it with the seed that fails; the suite adds the shrunk case.</summary>
    internal const string Replay = "(20250917,20250919)";

    internal const int Cases = 1000;

    [Fact]
    public void EveryNumberIsInTheSuiteAndHasItsTest()
    {
        string[] expected =
            [.. Enumerable.Range(1, 54).Select(number => $"P{number}").Order(StringComparer.Ordinal)];
        Assert.Equal(
            expected,
            ObjectivePropertySuite.All.Select(property => property.Number).Distinct().Order(StringComparer.Ordinal));
        IEnumerable<string> tested = new Type[]
            { typeof(MaskProperties), typeof(LossProperties), typeof(AdvantageAndRelativeProperties) }
            .SelectMany(type => type.GetMethods())
            .Where(method => method.IsDefined(typeof(PropertyAttribute), false))
            .Select(method => Regex.Match(method.Name, "^P[0-9]+").Value);
        Assert.Equal(expected, tested.Order(StringComparer.Ordinal));
    }

    // A property whose cases never reach it, or never have the edge that it names, holds for every loss.
    [Fact]
    public void EveryPropertyIsReachedAndEveryEdgeOccurs()
    {
        List<string> vacuous = [];
        foreach (ObjectiveProperty property in ObjectivePropertySuite.All)
        {
            PropertyReport report = ObjectivePropertySuite.Run(property, ObjectivePropertySuite.Reference, 11, Cases);
            string edges = string.Join(", ", report.Edges.Select(edge => $"{edge.Key} {edge.Value}"));
            string line = $"{property.Number} {property.Subject}: {report.Passed} of {Cases}; {edges}";
            output.WriteLine(line);
            Assert.Null(report.Counterexample);
            if (report.Passed < Cases * 2 / 3 || report.Edges.Values.Any(count => count < Cases / 50))
            {
                vacuous.Add(line);
            }
        }

        Assert.Empty(vacuous);
    }

    [Fact]
    public void ACounterexampleIsOneLineShrunkAndReplayable()
    {
        LossUnderTest wrong = (batch, options) =>
            ObjectivePropertySuite.Reference(batch, options with { DualClip = 3 });
        PropertyReport report = ObjectivePropertySuite.Run(Property("P20"), wrong, 5, 100);
        Assert.Equal(PropertyVerdict.Fail, report.Verdict);
        Assert.DoesNotContain('\n', report.Counterexample!);
        Assert.Contains("shape [1, ", report.Counterexample!, StringComparison.Ordinal);
        ulong seed = Convert.ToUInt64(Regex.Match(report.Replay!, "--seed 0x([0-9a-f]{16})").Groups[1].Value, 16);
        PropertyReport again = ObjectivePropertySuite.Run(Property("P20"), wrong, seed, 1);
        Assert.Equal(report.Counterexample, again.Counterexample);
    }

    // A user's float32 loss with a mean over tokens, without weights, decisions or metrics is right, so nothing fails.
    [Fact]
    public void ALossInSinglePrecisionWithOneAggregationHolds()
    {
        LossUnderTest narrow = (batch, options) =>
        {
            const LossAggregationKind Mean = LossAggregationKind.TokenMean;
            ObjectiveResult result = PolicyObjective.Evaluate(ExecutionEngine.Scalar, batch.ToSingle(), options);
            return new LossOutcome
            {
                Loss = new Dictionary<LossAggregationKind, double> { [Mean] = result.Loss(Mean) },
                Gradient = new Dictionary<LossAggregationKind, double[]> { [Mean] = result.Gradient(Mean) },
            };
        };
        IReadOnlyList<PropertyReport> reports = ObjectivePropertySuite.Run(narrow, 3, Cases, LossTolerance.Single);
        string[] broken =
        [
            .. reports.Where(report => report.Verdict == PropertyVerdict.Fail).Select(report => report.Counterexample!),
        ];
        Assert.Empty(broken);

        // Derivatives by differences need float64, P25 two aggregations, counts and statistics need metrics.
        Assert.Equal(
            ["P15", "P25", "P47", "P48"],
            reports.Where(report => report.Verdict == PropertyVerdict.NotApplicable)
                .Select(report => report.Property.Number));
    }

    // The long run:
    //   dotnet test -c Release --filter FullyQualifiedName~HoldInTheLongRun -- xUnit.Explicit=only
    [Fact(Explicit = true)]
    [Trait("Category", "Exhaustive")]
    public void AllHoldInTheLongRun()
    {
        // The clock names the seed on purpose: each long run sees other cases, and a failure prints the one it saw.
        ulong seed = (ulong)Environment.TickCount64;
        Assert.All(
            ObjectivePropertySuite.All,
            property =>
            {
                PropertyReport report =
                    ObjectivePropertySuite.Run(property, ObjectivePropertySuite.Reference, seed, 100_000);
                Assert.True(report.Verdict == PropertyVerdict.Pass, report.Counterexample);
            });
    }

    internal static void Hold(string number, DoNotSize<ulong> seed)
    {
        foreach (ObjectiveProperty property in ObjectivePropertySuite.All.Where(property => property.Number == number))
        {
            PropertyReport report =
                ObjectivePropertySuite.Run(property, ObjectivePropertySuite.Reference, seed.Item, 1);
            Assert.True(report.Verdict != PropertyVerdict.Fail, report.Counterexample);
        }
    }

    private static ObjectiveProperty Property(string number) =>
        ObjectivePropertySuite.All.First(property => property.Number == number);
}
