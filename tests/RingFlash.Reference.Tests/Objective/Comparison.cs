// Shared by the golden cases and the mutation table: what differs between a result and a case's float64 reference. Red
// nowhere by itself: if this list were blind, wrong objectives would pass both.
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Objective;

internal static class Comparison
{
    public static List<string> Differences(IcePopCaseFile file, ObjectiveResult result)
    {
        IcePopExpectation expected = file.Reference!;
        List<string> found = [];
        double gauge = 1e-12 * expected.PerTokenLoss!.Where(double.IsFinite).Sum(System.Math.Abs);
        if (!expected.Keep!.SequenceEqual(result.Keep()))
        {
            found.Add("keep");
        }

        if (!expected.Clipped!.SequenceEqual(result.Clipped))
        {
            found.Add("clipped");
        }

        Add(found, "weight", expected.Weight!, result.Weights, 0);
        Add(found, "log k", expected.LogRatio!, result.LogRatios, 0);
        Add(found, "r", expected.PolicyRatio!, result.PolicyRatios, 0);
        Add(found, "contribution", expected.PerTokenLoss!, result.Contributions, 0);
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            AddLossAndGradient(found, expected, kind, result.Loss(kind), result.Gradient(kind), gauge);
        }

        return found;
    }

    public static void AddLossAndGradient(
        List<string> found,
        IcePopExpectation expected,
        LossAggregationKind kind,
        double loss,
        double[] gradient,
        double gauge)
    {
        string word = kind.Word();
        if (!IcePopCases.Close(expected.Loss[word], loss, 1e-12, gauge))
        {
            found.Add($"loss {word}: {loss:R}, not {expected.Loss[word]:R}");
        }

        Add(found, "gradient " + word, expected.AnalyticGradient[word], gradient, gauge);
        Add(found, "autograd " + word, expected.Gradient[word], gradient, gauge);
    }

    private static void Add(List<string> found, string what, double[] expected, double[] actual, double absolute)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (!IcePopCases.Close(expected[i], actual[i], 1e-12, absolute))
            {
                found.Add($"{what}[{i}]: {actual[i]:R}, not {expected[i]:R}");
                return;
            }
        }
    }
}
