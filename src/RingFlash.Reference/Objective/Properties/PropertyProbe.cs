using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>Asks a loss and compares its answers; what checks are written in.</summary>
internal sealed class PropertyProbe(LossUnderTest loss, LossTolerance tolerance)
{
    /// <summary>The length of the row in which weights are read off a gradient: a power of two, so that means are
    /// exact.</summary>
    private const int ReadingLength = 8;

    private readonly HashSet<string> edges = [];

    public double Relative => tolerance.Relative;

    /// <summary>The smallest normal number of what the loss computes in.</summary>
    public double Smallest => tolerance.Smallest;

    /// <summary>Whether the loss computes in float32.</summary>
    public bool SinglePrecision => tolerance.SinglePrecision;

    /// <summary>The unit roundoff of what the loss computes in.</summary>
    public double Unit => SinglePrecision ? 1.0 / (1 << 24) : 1.0 / (1L << 53);

    /// <summary>The edges that the case had.</summary>
    public IReadOnlyCollection<string> Edges => edges;

    /// <summary>Notes that the case has an edge of the property.</summary>
    public void Edge(string name, bool occurs = true)
    {
        if (occurs)
        {
            edges.Add(name);
        }
    }

    /// <summary>A number as the loss sees it.</summary>
    public double Number(double value) => SinglePrecision ? (float)value : value;

    /// <summary>The relative size of a few roundings of the loss: eight units in float64, four in float32.</summary>
    public double Rounding => SinglePrecision ? 4 * Unit : Math.Max(tolerance.Relative / 1000, 8 * Unit);

    /// <summary>How far e^Δ may be off, relatively: in float32 the rounding of Δ itself counts.</summary>
    public double ExponentialRounding(double logRatio) =>
        Rounding * (4 + (SinglePrecision ? Math.Abs(logRatio) : 0));

    public LossOutcome Of(PropertyCase sample) => loss(sample.Batch, sample.Options);

    /// <summary>The answer, or null where the loss throws: for inputs that it may refuse.</summary>
    public LossOutcome? OfOrRefused(PropertyCase sample)
    {
        try
        {
            return Of(sample);
        }
        catch (Exception exception) when (ObjectivePropertySuite.IsOfTheLoss(exception))
        {
            return null;
        }
    }

    public LossOutcome Of(RolloutBatch batch, PolicyObjectiveOptions options) => loss(batch, options);

    public static void Require(
        bool holds, [InterpolatedStringHandlerArgument(nameof(holds))] ref FailureText text)
    {
        if (!holds)
        {
            throw new PropertyFailure(text.Finish());
        }
    }

    /// <summary>
    /// Equal up to the tolerance relative to the number and to a gauge; what is not finite is equal. The smallest
    /// normal number is allowed besides: a product that underflows on the way errs by half a unit of the last place of
    /// the type (2^−1075 in float64), which later factors (advantage, r, counts) enlarge, but not to 2^−1022.
    /// </summary>
    public bool Close(double expected, double actual, double gauge = 0, double? relative = null) =>
        double.IsFinite(expected)
            ? Math.Abs(actual - expected) <=
                ((relative ?? Relative) * (Math.Abs(expected) + gauge)) + tolerance.Smallest
            : expected.Equals(actual);

    /// <summary>Equal bits; +0 and −0 count as equal, as do all NaN.</summary>
    public bool Same(double expected, double actual, double gauge = 0) =>
        tolerance.Bitwise ? expected.Equals(actual) || expected == actual : Close(expected, actual, gauge);

    public void RequireClose(double expected, double actual, double gauge, string what) =>
        Require(Close(expected, actual, gauge), $"{what} is {actual}, not {expected}");

    public void RequireSame(double expected, double actual, double gauge, string what) =>
        Require(Same(expected, actual, gauge), $"{what} is {actual}, not {expected}");

    public void RequireSame(double[] expected, double[] actual, double gauge, string what)
    {
        Require(expected.Length == actual.Length, $"{what} has {actual.Length} numbers, not {expected.Length}");
        for (int i = 0; i < expected.Length; i++)
        {
            Require(Same(expected[i], actual[i], gauge), $"{what}[{i}] is {actual[i]}, not {expected[i]}");
        }
    }

    /// <summary>Losses and gradients of two cases that should give the same.</summary>
    /// <param name="expected">What the first gave.</param>
    /// <param name="actual">What the second gave.</param>
    /// <param name="sample">Gives the gauge of rounding.</param>
    /// <param name="change">What was done to the first, for the message.</param>
    /// <param name="bitwise">Losses too are compared bitwise; gradients always are.</param>
    public void RequireSame(
        LossOutcome expected, LossOutcome actual, PropertyCase sample, string change, bool bitwise = true)
    {
        foreach ((LossAggregationKind kind, double value) in expected.Loss)
        {
            double gauge = sample.Gauge(kind);
            bool same = bitwise ? Same(value, actual.Loss[kind], gauge) : Close(value, actual.Loss[kind], gauge);
            Require(same, $"{change}: loss {kind.Word()} is {actual.Loss[kind]}, not {value}");
        }

        foreach ((LossAggregationKind kind, double[] values) in expected.Gradient)
        {
            double gauge = tolerance.Bitwise ? 0 : sample.Gauge(kind);
            RequireSame(values, actual.Gradient[kind], gauge, $"{change}: gradient {kind.Word()}");
        }
    }

    /// <summary>Everything is exactly 0.</summary>
    public static void RequireSilent(LossOutcome outcome, string why)
    {
        foreach ((LossAggregationKind kind, double value) in outcome.Loss)
        {
            Require(value == 0, $"{why}: loss {kind.Word()} is {value}, not 0");
        }

        foreach ((LossAggregationKind kind, double[] values) in outcome.Gradient)
        {
            for (int i = 0; i < values.Length; i++)
            {
                Require(values[i] == 0, $"{why}: gradient {kind.Word()}[{i}] is {values[i]}, not 0");
            }
        }
    }

    /// <summary>Loss and gradient of a batch of one token, where all aggregations are the plain sum.</summary>
    public (double Loss, double Gradient) Single(PropertyCase token)
    {
        LossOutcome outcome = Of(token);
        KeyValuePair<LossAggregationKind, double[]> gradient = First(outcome.Gradient);
        return (outcome.Loss[gradient.Key], gradient.Value[0]);
    }

    /// <summary>
    /// The weights of up to eight tokens, read off the gradient: on-policy with Â = 1 it is −c·w, with c a power of
    /// two.
    /// </summary>
    public double[] Weights(double[] old, double[] inference, double alpha, double beta)
    {
        double[] paddedOld = new double[ReadingLength], paddedInference = new double[ReadingLength];
        Array.ConvertAll(old, Number).CopyTo(paddedOld, 0);
        Array.ConvertAll(inference, Number).CopyTo(paddedInference, 0);
        PropertyCase row = PropertyCase.Row(paddedOld, paddedInference).WithBand(alpha, beta);
        LossOutcome outcome = Of(row);
        (LossAggregationKind kind, double[] gradient) = First(outcome.Gradient);
        double coefficient = row.Coefficients(kind)[0];
        return Array.ConvertAll(gradient[..old.Length], value => -value / coefficient);
    }

    /// <summary>The same from Δ, with one of the two log-probabilities 0, so that Δ is exact.</summary>
    public double[] Weights(double[] logRatios, double alpha, double beta) => Weights(
        Array.ConvertAll(logRatios, difference => difference < 0 ? difference : 0),
        Array.ConvertAll(logRatios, difference => difference < 0 ? 0 : -difference),
        alpha,
        beta);

    public static KeyValuePair<LossAggregationKind, T> First<T>(IReadOnlyDictionary<LossAggregationKind, T> values)
    {
        foreach (KeyValuePair<LossAggregationKind, T> pair in values)
        {
            return pair;
        }

        throw new PropertyFailure("the loss offers no gradient in any aggregation");
    }
}
