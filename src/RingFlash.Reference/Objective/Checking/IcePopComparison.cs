using System;
using System.Collections.Generic;
using System.Globalization;
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
public sealed record IcePopQuantity(string Name, int Compared, int Wrong, double Worst, IcePopDifference? First)
{
    /// <summary>The first wrong number in words; empty where nothing is wrong.</summary>
    public string Text => First is null ? string.Empty : string.Create(
        CultureInfo.InvariantCulture,
        $"{Name}{(First.Rollout < 0 ? string.Empty : $" of rollout {First.Rollout}, token {First.Token}")} is "
        + $"{First.Actual:R}, expected {First.Expected:R}");
}

/// <summary>Compares two sets of values of one case, in the order in which the objective computes them: the first wrong
/// quantity is the one to look at.</summary>
public sealed class IcePopComparison
{
    private readonly List<IcePopQuantity> _quantities = [];
    private readonly List<string> _notCompared = [];
    private readonly RolloutBatch _batch;
    private readonly IcePopTolerance _tolerance;
    private readonly byte[] _everywhere;

    private IcePopComparison(RolloutBatch batch, IcePopTolerance tolerance)
    {
        _batch = batch;
        _tolerance = tolerance;
        _everywhere = PackedRows.Ones(batch.Rollouts * batch.ResponseLength);
    }

    /// <summary>Every quantity that both sides have.</summary>
    public IReadOnlyList<IcePopQuantity> Quantities => _quantities;

    /// <summary>Quantities of the actual side that the expected side does not have.</summary>
    public IReadOnlyList<string> NotCompared => _notCompared;

    /// <summary>Numbers compared.</summary>
    public int Compared => _quantities.Sum(quantity => quantity.Compared);

    /// <summary>Whether a loss or a gradient is among what was compared.</summary>
    public bool HasLossOrGradient => _quantities.Any(quantity =>
        quantity.Name.StartsWith("loss.", StringComparison.Ordinal)
        || quantity.Name.StartsWith("grad.", StringComparison.Ordinal));

    /// <summary>The first wrong quantity, or null.</summary>
    public IcePopQuantity? FirstWrong => _quantities.FirstOrDefault(quantity => quantity.Wrong > 0);

    /// <summary>The names of the wrong quantities.</summary>
    public IReadOnlyList<string> WrongNames =>
        [.. _quantities.Where(quantity => quantity.Wrong > 0).Select(quantity => quantity.Name)];

    /// <summary>The first wrong quantity with a place, or null.</summary>
    public IcePopQuantity? FirstWrongToken =>
        _quantities.FirstOrDefault(quantity => quantity is { Wrong: > 0, First.Rollout: >= 0 });

    /// <summary>The first wrong number in one line, with its rollout and token: a loss is followed by the first wrong
    /// token, where there is one. Empty where nothing is wrong.</summary>
    public string Difference => FirstWrong is not { } first ? string.Empty
        : first.First!.Rollout >= 0 || FirstWrongToken is not { } token ? first.Text
        : $"{first.Text}; first wrong token: {token.Text}";

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
        comparison.Flags("keep", expected.Keep, actual.Keep, comparison._everywhere);
        comparison.Flags(
            "keep_ratio_space", expected.KeepRatioSpace, actual.KeepRatioSpace, comparison._everywhere);
        comparison.Tokens("log_k", expected.LogRatio, actual.LogRatio, tolerance.LogRatio);
        comparison.Tokens("weight", expected.Weight, actual.Weight, tolerance.Weight);
        comparison.Tokens("r", expected.PolicyRatio, actual.PolicyRatio, tolerance.PolicyRatio, expected.Keep);
        comparison.Flags("ppo_clipped", expected.Clipped, actual.Clipped, expected.Keep, tolerance.Clipped);
        comparison.Tokens("per_token_loss", expected.PerTokenLoss, actual.PerTokenLoss, tolerance.Contribution);
        comparison.Losses(expected, actual);
        comparison.Gradients("grad", expected.Gradient, actual.Gradient);
        if (expected.AnalyticGradient.Count > 0 || actual.AnalyticGradient.Count > 0)
        {
            // Autograd and the closed formula give one gradient; whoever has only one of them is held to both.
            comparison.Gradients(
                "analytic_grad",
                expected.AnalyticGradient.Count > 0 ? expected.AnalyticGradient : expected.Gradient,
                actual.AnalyticGradient.Count > 0 ? actual.AnalyticGradient : actual.Gradient);
        }

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

    private void Flags(
        string name,
        byte[]? expected,
        byte[]? actual,
        byte[]? where,
        Func<int, double, double>? tolerance = null) => Tokens(
            name,
            expected is null ? null : Array.ConvertAll(expected, flag => (double)flag),
            actual is null ? null : Array.ConvertAll(actual, flag => (double)flag),
            tolerance ?? ((_, _) => 0),
            where);

    // Weights outside the response are nobody's business, nor are policy ratios of dropped tokens; decisions and
    // gradients there must be 0.
    private void Tokens(
        string name,
        double[]? expected,
        double[]? actual,
        Func<int, double, double> tolerance,
        byte[]? where = null)
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

        ReadOnlySpan<byte> compare = where ?? _batch.ResponseMask;
        int compared = 0, wrong = 0;
        double worst = 0;
        IcePopDifference? first = null;
        for (int index = 0; index < expected.Length; index++)
        {
            if (compare[index] == 0)
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
            if (ObjectiveWords.Aggregation(word) is LossAggregationKind kind
                && expected.Loss.TryGetValue(word, out double ours))
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
            if (ObjectiveWords.Aggregation(word) is LossAggregationKind kind)
            {
                Tokens(
                    $"{name}.{word}",
                    expected.GetValueOrDefault(word),
                    value,
                    (index, number) => _tolerance.Gradient(kind, index, number),
                    _everywhere);
            }
            else
            {
                _notCompared.Add($"{name}.{word}");
            }
        }
    }

    private void Divergences(IcePopExpectation expected, IcePopExpectation actual)
    {
        foreach ((string key, DivergenceResult value) in actual.Divergence)
        {
            string word = key[(key.IndexOf('/', StringComparison.Ordinal) + 1)..];
            if (ObjectiveWords.Aggregation(word) is LossAggregationKind kind
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
                    _everywhere);
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
