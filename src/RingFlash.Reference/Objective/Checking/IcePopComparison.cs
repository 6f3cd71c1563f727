using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>The first wrong number of a quantity.</summary>
/// <param name="Rollout">The response; −1 for a quantity that is one number.</param>
/// <param name="Token">The position in it; −1 likewise.</param>
/// <param name="Expected">Ours.</param>
/// <param name="Actual">Theirs.</param>
/// <param name="Tolerance">The largest allowed distance.</param>
public sealed record IcePopDifference(int Rollout, int Token, double Expected, double Actual, double Tolerance);

/// <summary>What the comparison of one quantity found.</summary>
/// <param name="Name">E.g. <c>loss.token_mean</c>, by the names of the case files.</param>
/// <param name="Compared">Numbers compared.</param>
/// <param name="Wrong">Those outside their tolerance.</param>
/// <param name="Worst">The largest distance in units of its tolerance; ∞ where nothing is tolerated.</param>
/// <param name="First">The first wrong number, or null.</param>
public sealed record IcePopQuantity(string Name, int Compared, int Wrong, double Worst, IcePopDifference? First);

/// <summary>Compares two sets of values of one case, in the order in which the objective computes them: the first wrong
/// quantity is the one to look at.</summary>
public sealed class IcePopComparison
{
    private readonly List<IcePopQuantity> _quantities = [];
    private readonly List<string> _notCompared = [];
    private readonly RolloutBatch _batch;
    private readonly IcePopTolerance _tolerance;

    private IcePopComparison(RolloutBatch batch, IcePopTolerance tolerance)
    {
        _batch = batch;
        _tolerance = tolerance;
    }

    /// <summary>Every quantity that both sides have.</summary>
    public IReadOnlyList<IcePopQuantity> Quantities => _quantities;

    /// <summary>Quantities of the actual side that the expected side does not have.</summary>
    public IReadOnlyList<string> NotCompared => _notCompared;

    /// <summary>Numbers compared.</summary>
    public int Compared => _quantities.Sum(quantity => quantity.Compared);

    /// <summary>The first wrong quantity, or null.</summary>
    public IcePopQuantity? FirstWrong => _quantities.FirstOrDefault(quantity => quantity.Wrong > 0);

    /// <summary>The first wrong quantity with a place, or null.</summary>
    public IcePopQuantity? FirstWrongToken =>
        _quantities.FirstOrDefault(quantity => quantity is { Wrong: > 0, First.Rollout: >= 0 });

    /// <summary>Whether something was compared and nothing is wrong.</summary>
    public bool Agrees => Compared > 0 && FirstWrong is null;

    /// <summary>Compares.</summary>
    /// <param name="batch">The inputs.</param>
    /// <param name="expected">Ours, or a reference.</param>
    /// <param name="actual">What is judged.</param>
    /// <param name="tolerance">The tolerances.</param>
    /// <returns>What was found.</returns>
    public static IcePopComparison Compare(
        RolloutBatch batch, IcePopExpectation expected, IcePopExpectation actual, IcePopTolerance tolerance)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(actual);
        IcePopComparison comparison = new(batch, tolerance);
        comparison.Flags("keep", expected.Keep, actual.Keep, everywhere: true);
        comparison.Tokens("log_k", expected.LogRatio, actual.LogRatio, tolerance.LogRatio);
        comparison.Tokens("weight", expected.Weight, actual.Weight, tolerance.Weight);
        comparison.Tokens("r", expected.PolicyRatio, actual.PolicyRatio, tolerance.PolicyRatio);
        comparison.Flags("ppo_clipped", expected.Clipped, actual.Clipped, everywhere: false);
        comparison.Tokens("per_token_loss", expected.PerTokenLoss, actual.PerTokenLoss, tolerance.Product);
        comparison.Losses(expected, actual);
        comparison.Gradients("grad", expected.Gradient, actual.Gradient);
        comparison.Gradients(
            "analytic_grad",
            expected.AnalyticGradient,
            actual.AnalyticGradient.Count > 0 || expected.AnalyticGradient.Count == 0
                ? actual.AnalyticGradient
                : actual.Gradient);
        comparison.Divergences(expected, actual);
        comparison.MetricValues(expected, actual);
        return comparison;
    }

    /// <summary>Whether a number is within its tolerance; what is not finite must be the same.</summary>
    /// <param name="expected">Ours.</param>
    /// <param name="actual">Theirs.</param>
    /// <param name="tolerance">The largest allowed distance.</param>
    /// <returns>The answer.</returns>
    public static bool Close(double expected, double actual, double tolerance) =>
        double.IsFinite(expected) ? Math.Abs(actual - expected) <= tolerance : expected.Equals(actual);

    internal static LossAggregationKind? Aggregation(string word)
    {
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            if (kind.Word() == word)
            {
                return kind;
            }
        }

        return null;
    }

    private void Flags(string name, byte[]? expected, byte[]? actual, bool everywhere) => Tokens(
        name,
        expected is null ? null : Array.ConvertAll(expected, flag => (double)flag),
        actual is null ? null : Array.ConvertAll(actual, flag => (double)flag),
        (_, _) => 0,
        everywhere);

    // Weights and ratios outside the response are nobody's business; decisions and gradients there must be 0.
    private void Tokens(
        string name, double[]? expected, double[]? actual, Func<int, double, double> tolerance, bool everywhere = false)
    {
        if (actual is null)
        {
            return;
        }

        if (expected is null)
        {
            _notCompared.Add(name);
            return;
        }

        int compared = 0, wrong = 0;
        double worst = 0;
        IcePopDifference? first = null;
        for (int index = 0; index < expected.Length; index++)
        {
            if (!everywhere && _batch.ResponseMask[index] == 0)
            {
                continue;
            }

            double allowed = tolerance(index, expected[index]);
            compared++;
            worst = Math.Max(worst, Multiple(expected[index], actual[index], allowed));
            if (!Close(expected[index], actual[index], allowed))
            {
                wrong++;
                first ??= new IcePopDifference(
                    index / _batch.ResponseLength,
                    index % _batch.ResponseLength,
                    expected[index],
                    actual[index],
                    allowed);
            }
        }

        _quantities.Add(new IcePopQuantity(name, compared, wrong, worst, first));
    }

    private void Scalar(string name, double expected, double actual, double tolerance)
    {
        bool good = Close(expected, actual, tolerance);
        _quantities.Add(new IcePopQuantity(
            name,
            1,
            good ? 0 : 1,
            Multiple(expected, actual, tolerance),
            good ? null : new IcePopDifference(-1, -1, expected, actual, tolerance)));
    }

    private void Losses(IcePopExpectation expected, IcePopExpectation actual)
    {
        foreach ((string word, double value) in actual.Loss)
        {
            if (Aggregation(word) is LossAggregationKind kind && expected.Loss.TryGetValue(word, out double ours))
            {
                Scalar("loss." + word, ours, value, _tolerance.Loss(kind, ours));
            }
            else
            {
                _notCompared.Add("loss." + word);
            }
        }
    }

    private void Gradients(
        string name, IReadOnlyDictionary<string, double[]> expected, IReadOnlyDictionary<string, double[]> actual)
    {
        foreach ((string word, double[] value) in actual)
        {
            Tokens($"{name}.{word}", expected.GetValueOrDefault(word), value, _tolerance.Product, everywhere: true);
        }
    }

    private void Divergences(IcePopExpectation expected, IcePopExpectation actual)
    {
        foreach ((string key, DivergenceResult value) in actual.Divergence)
        {
            string word = key[(key.IndexOf('/', StringComparison.Ordinal) + 1)..];
            if (Aggregation(word) is LossAggregationKind kind
                && expected.Divergence.TryGetValue(key, out DivergenceResult? ours))
            {
                Scalar($"kl.{key}", ours.Value, value.Value, _tolerance.Divergence(kind, ours.Value));
                Scalar(
                    $"kl.{key}.total_loss",
                    ours.TotalLoss,
                    value.TotalLoss,
                    _tolerance.Divergence(kind, ours.TotalLoss));
                Tokens(
                    $"kl.{key}.grad",
                    ours.TotalGradient,
                    value.TotalGradient,
                    (index, number) => _tolerance.TotalGradient(kind, index, number),
                    everywhere: true);
            }
            else
            {
                _notCompared.Add("kl." + key);
            }
        }
    }

    private void MetricValues(IcePopExpectation expected, IcePopExpectation actual)
    {
        foreach ((string name, double value) in actual.Metrics)
        {
            if (expected.Metrics.TryGetValue(name, out double ours))
            {
                Scalar("metrics." + name, ours, value, _tolerance.Metric(name, ours));
            }
            else
            {
                _notCompared.Add("metrics." + name);
            }
        }
    }

    private static double Multiple(double expected, double actual, double tolerance)
    {
        if (!double.IsFinite(expected) || !double.IsFinite(actual))
        {
            return expected.Equals(actual) ? 0 : double.PositiveInfinity;
        }

        double distance = Math.Abs(actual - expected);
        return distance == 0 ? 0 : tolerance == 0 ? double.PositiveInfinity : distance / tolerance;
    }
}
