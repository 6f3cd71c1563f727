using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;

namespace RingFlash.Cli.Reports;

/// <summary>A case, what the objective says of it, and the first number that is not what the case expects.</summary>
/// <param name="Case">The case.</param>
/// <param name="Result">The objective in float64.</param>
/// <param name="IsCompared">Whether the case says what to expect.</param>
/// <param name="Difference">The first difference in one line; empty when there is none.</param>
internal sealed record IcePopEvaluation(
    IcePopCaseFile Case, ObjectiveResult Result, bool IsCompared, string Difference)
{
    // Both sides are float64 with roundings of their own: relative, plus a share of the terms that may cancel.
    private const double Tolerance = 1e-12;

    /// <summary>Evaluates and compares.</summary>
    /// <param name="file">The case.</param>
    /// <returns>The evaluation.</returns>
    public static IcePopEvaluation Of(IcePopCaseFile file)
    {
        ObjectiveResult result = PolicyObjective.Evaluate(file.Batch, file.Options);
        bool compared = file.Reference is { } reference && (reference.Loss.Count > 0 || reference.Keep is not null);
        return new IcePopEvaluation(file, result, compared, compared ? Compare(file.Reference!, result) : string.Empty);
    }

    private static string Compare(IcePopExpectation expected, ObjectiveResult result)
    {
        byte[] keep = result.Keep();
        double gauge = result.Contributions.Where(double.IsFinite).Sum(Math.Abs);
        List<string> differences = [];
        if (expected.Keep is not null)
        {
            differences.Add(First(
                "keep", Widen(expected.Keep), Widen(keep), result.ResponseLength, (a, b) => a == b));
        }

        if (expected.Weight is not null)
        {
            differences.Add(First(
                "weight", expected.Weight, result.Weights, result.ResponseLength, (a, b) => IsClose(a, b, 0)));
        }

        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            if (expected.Loss.TryGetValue(kind.Word(), out double loss))
            {
                double ours = result.Loss(kind);
                differences.Add(IsClose(loss, ours, gauge)
                    ? string.Empty
                    : $"loss.{kind.Word()} is {Number(ours)}, expected {Number(loss)}");
            }

            if (expected.AnalyticGradient.TryGetValue(kind.Word(), out double[]? gradient))
            {
                double[] ours = result.Gradient(kind);
                double largest = ours.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
                differences.Add(First(
                    $"grad.{kind.Word()}", gradient, ours, result.ResponseLength, (a, b) => IsClose(a, b, largest)));
            }
        }

        return differences.FirstOrDefault(difference => difference.Length > 0) ?? string.Empty;
    }

    private static string First(
        string quantity, double[] expected, double[] ours, int responseLength, Func<double, double, bool> equal)
    {
        if (expected.Length != ours.Length)
        {
            return $"{quantity} has {expected.Length} elements, {ours.Length} are needed";
        }

        int first = Enumerable.Range(0, ours.Length).FirstOrDefault(index => !equal(expected[index], ours[index]), -1);
        return first < 0
            ? string.Empty
            : $"{quantity} of rollout {first / responseLength}, token {first % responseLength} is "
                + $"{Number(ours[first])}, expected {Number(expected[first])}";
    }

    private static bool IsClose(double expected, double ours, double gauge) => double.IsFinite(expected)
        ? Math.Abs(ours - expected) <= Tolerance * (Math.Abs(expected) + gauge)
        : expected.Equals(ours);

    private static double[] Widen(byte[] flags) => Array.ConvertAll(flags, flag => (double)flag);

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
