// Shared by the tests of the objective: the golden cases and comparisons. Red nowhere by itself: a list that came out
// empty, or a comparison that forgave NaN, would hide every defect of the objective.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Objective;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

internal static class IcePopCases
{
    public static string Folder => Path.Combine(RepositoryRoot.Golden, "icepop");

    public static string[] Names { get; } =
    [
        .. Directory.GetFiles(Folder, "case_*.json")
            .Select(path => Path.GetFileName(path))
            .Order(StringComparer.Ordinal),
    ];

    public static IEnumerable<IcePopCaseFile> All => Names.Select(Load);

    public static IcePopCaseFile Load(string name) => IcePopCaseFile.Read(Path.Combine(Folder, name));

    public static IcePopCaseFile Number(int id) =>
        Load(Names.Single(name => name.StartsWith($"case_{id:D3}_", StringComparison.Ordinal)));

    /// <summary>Relative to the expected number plus an absolute part; what is not finite must be equal.</summary>
    public static bool Close(double expected, double actual, double relative, double absolute) =>
        double.IsFinite(expected)
            ? Math.Abs(actual - expected) <= (relative * Math.Abs(expected)) + absolute
            : expected.Equals(actual);

    public static void Near(double expected, double actual, double relative, double absolute, string what)
    {
        if (!Close(expected, actual, relative, absolute))
        {
            Assert.Fail(string.Create(
                CultureInfo.InvariantCulture,
                $"{what} is {actual:R}, not {expected:R}: off by {actual - expected:E3}"));
        }
    }

    public static void Near(double[] expected, double[] actual, double relative, double absolute, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Near(expected[i], actual[i], relative, absolute, $"{what}[{i}]");
        }
    }

    /// <summary>The same bits, +0 and −0 apart; any NaN equals any NaN.</summary>
    public static void SameBits(double[] expected, double[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            bool same = BitConverter.DoubleToInt64Bits(expected[i]) == BitConverter.DoubleToInt64Bits(actual[i])
                || (double.IsNaN(expected[i]) && double.IsNaN(actual[i]));
            Assert.True(same, string.Create(
                CultureInfo.InvariantCulture, $"{what}[{i}] is {actual[i]:R}, not {expected[i]:R}"));
        }
    }

    /// <summary>Every number and decision of two results.</summary>
    public static void SameBits(ObjectiveResult expected, ObjectiveResult actual, string what)
    {
        SameBits(expected.Weights, actual.Weights, what + ": weight");
        SameBits(expected.PolicyRatios, actual.PolicyRatios, what + ": r");
        SameBits(expected.Contributions, actual.Contributions, what + ": contribution");
        Assert.Equal(expected.Decisions, actual.Decisions);
        Assert.Equal(expected.Clipped, actual.Clipped);
        Assert.Equal(expected.Metrics, actual.Metrics);
        foreach (RingFlash.Reference.Operators.LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            SameBits([expected.Loss(kind)], [actual.Loss(kind)], $"{what}: loss {kind.Word()}");
            SameBits(expected.Gradient(kind), actual.Gradient(kind), $"{what}: gradient {kind.Word()}");
        }

        SameBits([expected.TotalLoss()], [actual.TotalLoss()], what + ": total");
        SameBits(expected.TotalGradient(), actual.TotalGradient(), what + ": total gradient");
    }

    /// <summary>Σ |contributions|, the finite ones.</summary>
    public static double Gauge(ObjectiveResult result) =>
        result.Contributions.Where(double.IsFinite).Sum(Math.Abs);
}
