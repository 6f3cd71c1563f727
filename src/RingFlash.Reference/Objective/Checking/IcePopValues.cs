using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text.Json.Serialization;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>A result by the names of the case files.</summary>
public static class IcePopValues
{
    private static readonly (string Name, PropertyInfo Property)[] MetricProperties =
        [.. typeof(ObjectiveMetrics).GetProperties().Select(property =>
            (property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? property.Name, property))];

    /// <summary>The aggregations for which the case files hold a KL term.</summary>
    public static IReadOnlyList<LossAggregationKind> DivergenceAggregations { get; } =
        [LossAggregationKind.SequenceMeanTokenMean, LossAggregationKind.TokenMean];

    /// <summary>Everything that a case file may hold about a result.</summary>
    /// <param name="result">The result.</param>
    /// <returns>The values; <c>AnalyticGradient</c> stays empty, it is <c>Gradient</c>.</returns>
    public static IcePopExpectation From(ObjectiveResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        Dictionary<string, double> losses = [];
        Dictionary<string, double[]> gradients = [];
        Dictionary<string, DivergenceResult> divergences = [];
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            losses[kind.Word()] = result.Loss(kind);
            gradients[kind.Word()] = result.Gradient(kind);
        }

        if (result.HasDivergence)
        {
            foreach (KullbackLeiblerKind estimator in Enum.GetValues<KullbackLeiblerKind>())
            {
                foreach (LossAggregationKind kind in DivergenceAggregations)
                {
                    divergences[$"{estimator.Word()}/{kind.Word()}"] = result.Divergence(estimator, kind);
                }
            }
        }

        return new IcePopExpectation
        {
            Keep = result.Keep(),
            Weight = result.Weights,
            LogRatio = result.LogRatios,
            PolicyRatio = result.PolicyRatios,
            Clipped = result.Clipped,
            PerTokenLoss = result.Contributions,
            Loss = losses,
            Gradient = gradients,
            Divergence = divergences,
            Metrics = MetricsOf(result.Metrics),
        };
    }

    /// <summary>Metrics by name, in the order of the record.</summary>
    /// <param name="metrics">The metrics.</param>
    /// <returns>Name and value.</returns>
    public static IReadOnlyDictionary<string, double> MetricsOf(ObjectiveMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        return MetricProperties.ToDictionary(
            entry => entry.Name,
            entry => Convert.ToDouble(entry.Property.GetValue(metrics), CultureInfo.InvariantCulture));
    }

    /// <summary>The Euclidean norm of a gradient; ∞ or NaN where an element is.</summary>
    /// <param name="gradient">The gradient.</param>
    /// <returns>√Σg².</returns>
    public static double Norm(ReadOnlySpan<double> gradient)
    {
        double largest = 0;
        foreach (double element in gradient)
        {
            if (!double.IsFinite(element))
            {
                return Math.Abs(element);
            }

            largest = Math.Max(largest, Math.Abs(element));
        }

        if (largest == 0)
        {
            return 0;
        }

        // Scaled by the largest, so that a square neither overflows nor vanishes.
        double[] squares = new double[gradient.Length];
        for (int i = 0; i < squares.Length; i++)
        {
            squares[i] = gradient[i] / largest * (gradient[i] / largest);
        }

        return largest * Math.Sqrt(Numerics.CompensatedSum.Of(squares));
    }
}
