// Shared by the model tests: the forward pass in float32 against the float64 oracle, tap by tap, each running freely.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

/// <summary>What a comparison found.</summary>
/// <param name="Taps">Results compared.</param>
/// <param name="WorstShare">The largest error as a share of its budget.</param>
/// <param name="WorstName">Where.</param>
/// <param name="NearTie">The router choice at which the two went different ways; null when they never did.</param>
internal sealed record OracleReport(int Taps, double WorstShare, string WorstName, string? NearTie);

internal static class OracleComparison
{
    private const double Unit = 1.0 / (1 << 24);

    /// <summary>
    /// Compares. The budget of the n-th result is 6·u·√n in the L2 norm, relative: an operator adds about 3·u of its
    /// own (measured on the pages of LinearProjection and RmsNorm), errors of n operators are independent and add as
    /// squares, and a factor of two is left for what attention and SiLU amplify.
    /// </summary>
    public static OracleReport Of(
        ModelConfiguration configuration, ForwardInput input, ulong seed = 11)
    {
        using WorkerPool workers = new(1);
        ModelWeights weights = TinyModels.Weights(configuration, seed);
        Run<float> run = Runs.Of(
            configuration,
            weights,
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers),
            input);
        Run<double> oracle = Runs.Of(configuration, weights, new Float64Operators(workers), input);
        Assert.Equal(oracle.Taps.Names, run.Taps.Names);
        double worst = 0, scoreError = 0;
        string worstName = string.Empty;
        int count = 0;
        foreach (string name in run.Taps.Names)
        {
            count++;
            if (run.Taps.Choices.ContainsKey(name))
            {
                if (FindNearTie(name, run, oracle, scoreError) is string nearTie)
                {
                    return new OracleReport(count, worst, worstName, nearTie);
                }

                continue;
            }

            float[] actual = run.Single(name);
            double[] exact = oracle.Taps.Tensors[name].Values;
            if (name.EndsWith(".margin", StringComparison.Ordinal))
            {
                AssertMargins(name, actual, exact, scoreError);
                continue;
            }

            if (name.EndsWith(".topk_weight", StringComparison.Ordinal))
            {
                (actual, exact) = SortByExpert(name, run, oracle);
            }

            scoreError = name.EndsWith(".gate.scores", StringComparison.Ordinal)
                ? actual.Zip(exact, (left, right) => Math.Abs(left - right)).Max()
                : scoreError;
            double share = RelativeError(actual, exact) / (6 * Unit * Math.Sqrt(count));
            Assert.True(share <= 1, $"{name}: L2 error {share:F2} of its budget after {count} results");
            (worst, worstName) = share > worst ? (share, name) : (worst, worstName);
        }

        return new OracleReport(count, worst, worstName, null);
    }

    /// <summary>‖actual − exact‖ / ‖exact‖; NaN if anything is no number, ∞ if only exact is all zero.</summary>
    public static double RelativeError(float[] actual, double[] exact)
    {
        Assert.Equal(exact.Length, actual.Length);
        double difference = 0, norm = 0;
        for (int index = 0; index < exact.Length; index++)
        {
            difference += (actual[index] - exact[index]) * (actual[index] - exact[index]);
            norm += exact[index] * exact[index];
        }

        return difference == 0 ? 0 : Math.Sqrt(difference / norm);
    }

    /// <summary>
    /// Null when every token has the same set of experts. Otherwise the difference must be a near tie: a gap of two
    /// scores moves by at most twice the largest error of a score, a gap of two group scores by four times.
    /// </summary>
    private static string? FindNearTie(string name, Run<float> run, Run<double> oracle, double scoreError)
    {
        (int[] actual, int topK) = run.Taps.Choices[name];
        int[] exact = oracle.Taps.Choices[name].Indices;
        double[] margins = oracle.Taps.Tensors[name.Replace("topk_idx", "margin", StringComparison.Ordinal)].Values;
        for (int t = 0; t < margins.Length; t++)
        {
            HashSet<int> expected = [.. exact[(t * topK)..((t + 1) * topK)]];
            Assert.Equal(topK, expected.Count);
            if (!expected.SetEquals(actual[(t * topK)..((t + 1) * topK)]))
            {
                Assert.True(
                    margins[t] <= (4 * scoreError) + (4 * Unit),
                    $"{name} token {t}: other experts at margin {margins[t]:E2}, score error {scoreError:E2}");
                return $"{name} token {t}, margin {margins[t]:E2}";
            }
        }

        return null;
    }

    private static void AssertMargins(string name, float[] actual, double[] exact, double scoreError)
    {
        for (int t = 0; t < exact.Length; t++)
        {
            Assert.True(
                actual[t] == exact[t] || Math.Abs(actual[t] - exact[t]) <= (4 * scoreError) + (4 * Unit),
                $"{name}[{t}]: {actual[t]} and {exact[t]} with score error {scoreError:E2}");
        }
    }

    // Two chosen scores that nearly agree may swap places; a weight belongs to its expert, not to its place.
    private static (float[] Actual, double[] Exact) SortByExpert(string name, Run<float> run, Run<double> oracle)
    {
        string choice = name.Replace("topk_weight", "topk_idx", StringComparison.Ordinal);
        (int[] indices, int topK) = run.Taps.Choices[choice];
        int[] exactIndices = oracle.Taps.Choices[choice].Indices;
        return (Sort(indices, run.Single(name)), Sort(exactIndices, oracle.Taps.Tensors[name].Values));

        T[] Sort<T>(int[] experts, T[] values) =>
            [.. Enumerable.Range(0, values.Length)
                .OrderBy(at => at / topK).ThenBy(at => experts[at]).Select(at => values[at])];
    }
}
