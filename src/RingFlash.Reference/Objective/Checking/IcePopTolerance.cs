using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>How far a number may be from ours before it is called wrong; golden/icepop/README.md names the rules.</summary>
/// <remarks>
/// <para>float64: 1e-12 of the value, and 1e-12·Σ|contributions| for contributions, losses and gradients.</para>
/// <para>float32, u = 2⁻²⁴: a weight (|o| + |q| + |Δ| + 4)·u of itself, because both inputs, their difference and the
/// exponential round; a policy ratio the same with ℓ and o; a gradient is their product with four more roundings; a loss
/// has the sum of those plus 1e-6·Σ|c · contribution| for the order of somebody else's sum.</para>
/// <para>Decisions are exact. What is not finite must be the same.</para>
/// </remarks>
public sealed class IcePopTolerance
{
    private const double Unit = 1.0 / (1 << 24);
    private const double Relative = 1e-12;
    private const double SmallestSingle = 1.2e-38; // whoever flushes subnormal numbers loses at most this

    private readonly RolloutBatch _batch;
    private readonly ObjectiveResult _result;
    private readonly bool _single;
    private readonly double _times;
    private readonly double _contributions;

    /// <summary>Prepares the gauges.</summary>
    /// <param name="batch">The inputs.</param>
    /// <param name="result">Our result on them.</param>
    /// <param name="single">Whether the numbers to be judged are float32.</param>
    /// <param name="times">2 where both sides are float32, so that both have erred.</param>
    public IcePopTolerance(RolloutBatch batch, ObjectiveResult result, bool single, double times = 1)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(result);
        _batch = batch;
        _result = result;
        _single = single;
        _times = times;
        _contributions = result.Contributions.Where(double.IsFinite).Sum(Math.Abs);
    }

    /// <summary>For Δ.</summary>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double LogRatio(int index, double value) => _single
        ? _times * (Size(_batch.OldLogProbabilities, index) + Size(_batch.InferenceLogProbabilities, index)
            + Finite(value)) * Unit
        : Relative * Math.Abs(value);

    /// <summary>For an engine weight.</summary>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double Weight(int index, double value) =>
        (_single ? _times * WeightUnits(index) * Unit : Relative) * Math.Abs(value);

    /// <summary>For a policy ratio.</summary>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double PolicyRatio(int index, double value) =>
        (_single ? _times * RatioUnits(index) * Unit : Relative) * Math.Abs(value);

    /// <summary>For a contribution or an element of a gradient.</summary>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double Product(int index, double value) => _single
        ? (_times * ProductUnits(index) * Unit * Math.Abs(value)) + SmallestSingle
        : (Relative * Math.Abs(value)) + (Relative * _contributions);

    /// <summary>For a loss.</summary>
    /// <param name="aggregation">The aggregation.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double Loss(LossAggregationKind aggregation, double value)
    {
        if (!_single)
        {
            return (Relative * Math.Abs(value)) + (Relative * _contributions);
        }

        double sum = SmallestSingle;
        for (int index = 0; index < _result.Contributions.Length; index++)
        {
            double size = Finite(_result.Contributions[index] * Coefficient(aggregation, index));
            sum += size * ((ProductUnits(index) * Unit) + 1e-6);
        }

        return _times * sum;
    }

    /// <summary>For the value and the total of a KL term.</summary>
    /// <param name="aggregation">The aggregation.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double Divergence(LossAggregationKind aggregation, double value)
    {
        double sum = 0;
        for (int index = 0; index < _result.Contributions.Length; index++)
        {
            if (_batch.ResponseMask[index] != 0)
            {
                double units = _single ? (DivergenceUnits(index) * Unit) + 1e-6 : Relative;
                sum += Finite(Coefficient(aggregation, index)) * DivergenceSize(index) * units;
            }
        }

        return Loss(aggregation, value) + (_times * sum);
    }

    /// <summary>For an element of the gradient of a total with KL term.</summary>
    /// <param name="aggregation">The aggregation.</param>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double TotalGradient(LossAggregationKind aggregation, int index, double value)
    {
        double lambda = Math.Abs(_result.Options.KullbackLeiblerCoefficient) * Finite(Coefficient(aggregation, index));
        double size = lambda * DivergenceSize(index);
        return _single
            ? (_times * (ProductUnits(index) + DivergenceUnits(index)) * Unit * (Math.Abs(value) + size)) + SmallestSingle
            : (Relative * (Math.Abs(value) + size)) + (Relative * _contributions);
    }

    /// <summary>For a metric. Means of signed differences cancel, so their gauge is the mean of the absolute ones; counts
    /// are exact.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double Metric(string name, double value)
    {
        if (name is "valid_tokens" or "kept_tokens" or "nonfinite_log_ratio" or "masked_low" or "masked_high"
            or "dropped_otherwise")
        {
            return 0;
        }

        double gauge = Finite(_result.Metrics.MeanAbsoluteDifference) + (_single ? 1 : 1e-3);
        return (_single ? 1e-5 : Relative) * (Math.Abs(value) + gauge);
    }

    private static double Finite(double value) => double.IsFinite(value) ? Math.Abs(value) : 0;

    private static double Size(ReadOnlySpan<double> values, int index) => values.IsEmpty ? 0 : Finite(values[index]);

    private double WeightUnits(int index)
    {
        double old = Size(_batch.OldLogProbabilities, index), inference = Size(_batch.InferenceLogProbabilities, index);
        return old + inference + Finite(_result.LogRatios[index]) + 4;
    }

    private double RatioUnits(int index)
    {
        double current = Size(_batch.CurrentLogProbabilities, index), old = Size(_batch.OldLogProbabilities, index);
        return current + old + Finite(_batch.CurrentLogProbabilities[index] - _batch.OldLogProbabilities[index]) + 4;
    }

    private double ProductUnits(int index) => WeightUnits(index) + RatioUnits(index) + 4;

    private double DivergenceUnits(int index) =>
        Size(_batch.CurrentLogProbabilities, index) + Size(_batch.ReferenceLogProbabilities, index)
        + Finite(Distance(index)) + 8;

    // Each estimator, and each of its derivatives, is at most this; k3 subtracts numbers of this size.
    private double DivergenceSize(int index)
    {
        double d = Distance(index);
        return Finite((d * d) + Math.Abs(d) + 1 + Math.Exp(-d));
    }

    private double Distance(int index) => _batch.ReferenceLogProbabilities.IsEmpty
        ? 0
        : _batch.CurrentLogProbabilities[index] - _batch.ReferenceLogProbabilities[index];

    private double Coefficient(LossAggregationKind aggregation, int index) =>
        _result.Coefficient(aggregation, index / _result.ResponseLength);
}
