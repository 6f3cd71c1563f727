// Red here: a numbered property is missing, is never reached by its cases, or fails in the long run; then nothing
// guards
// the law that it states.
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

public sealed class NumberedProperties
{
    /// <summary>FsCheck prints it with the seed that fails; the suite adds the shrunk case.</summary>
    internal const string Replay = "(20250917,20250919)";

    internal const int Cases = 1000;

    /// <summary>P39 and P53 are about distributions and a recursion; Objective/Theory tests them.</summary>
    private static readonly string[] Elsewhere = ["P39", "P53"];

    public static TheoryData<string> Numbers =>
        [.. ObjectivePropertySuite.All.Select(property => property.Number).Distinct()];

    [Fact]
    public void EveryNumberIsInTheSuiteAndHasItsTest()
    {
        string[] expected =
            [.. Enumerable.Range(1, 54).Select(number => $"P{number}").Except(Elsewhere).Order(StringComparer.Ordinal)];
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

    [Fact]
    public void EveryPropertyIsReachedByMostOfItsCases()
    {
        foreach (ObjectiveProperty property in ObjectivePropertySuite.All)
        {
            PropertyReport report = ObjectivePropertySuite.Run(property, ObjectivePropertySuite.Reference, 11, 300);
            Assert.True(report.Passed >= 150, $"{property}: {report.Passed} of 300, {report.Counterexample}");
        }
    }

    [Fact]
    public void ACounterexampleIsOneLineShrunkAndReplayable()
    {
        LossUnderTest wrong = (batch, options) =>
            ObjectivePropertySuite.Reference(batch, options with { DualClip = 3 });
        PropertyReport report = ObjectivePropertySuite.Run(Property("P19"), wrong, 5, 100);
        Assert.Equal(PropertyVerdict.Fail, report.Verdict);
        Assert.DoesNotContain('\n', report.Counterexample!);
        Assert.Contains("shape [1, ", report.Counterexample!, StringComparison.Ordinal);
        ulong seed = Convert.ToUInt64(Regex.Match(report.Counterexample!, "0x([0-9a-f]{16})").Groups[1].Value, 16);
        PropertyFinding again = ObjectivePropertySuite.Check(Property("P19"), wrong, seed);
        Assert.Equal(report.Counterexample, again.Counterexample);
    }

    [Fact]
    public void ALossThatOffersOneAggregationAndThrowsNothingIsStillChecked()
    {
        // A user's float32 loss with a mean over tokens, without weights, decisions or metrics.
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
        string[] broken =
        [
            .. ObjectivePropertySuite.Run(narrow, 3, 40, LossTolerance.Single)
                .Where(report => report.Verdict == PropertyVerdict.Fail)
                .Select(report => report.Property.Number),
        ];

        // Only what a narrower type must break: an end of the band to the last bit of a double, weights that overflow
        // or
        // vanish, a shift that is not exact in 24 bits.
        Assert.Empty(broken.Except(["P1", "P2", "P3", "P4", "P6", "P7", "P8", "P9", "P33", "P36"]));
    }

    // The long run; all of it by
    //     dotnet test -c Release --filter "FullyQualifiedName~NumberedProperties.HoldsInTheLongRun" --
    // xUnit.Explicit=only
    [Theory(Explicit = true)]
    [Trait("Category", "Exhaustive")]
    [MemberData(nameof(Numbers))]
    public void HoldsInTheLongRun(string number)
    {
        // The clock names the seed on purpose: each long run sees other cases, and a failure prints the one it saw.
        ulong seed = (ulong)Environment.TickCount64;
        foreach (ObjectiveProperty property in ObjectivePropertySuite.All.Where(property => property.Number == number))
        {
            PropertyReport report =
                ObjectivePropertySuite.Run(property, ObjectivePropertySuite.Reference, seed, 100_000);
            Assert.True(report.Verdict == PropertyVerdict.Pass, report.Counterexample);
        }
    }

    internal static void Hold(string number, DoNotSize<ulong> seed)
    {
        foreach (ObjectiveProperty property in ObjectivePropertySuite.All.Where(property => property.Number == number))
        {
            PropertyFinding finding =
                ObjectivePropertySuite.Check(property, ObjectivePropertySuite.Reference, seed.Item);
            Assert.True(finding.Verdict != PropertyVerdict.Fail, finding.Counterexample);
        }
    }

    private static ObjectiveProperty Property(string number) =>
        ObjectivePropertySuite.All.First(property => property.Number == number);
}
