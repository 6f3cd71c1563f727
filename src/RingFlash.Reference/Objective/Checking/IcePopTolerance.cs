using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>How far a number may be from the expected one before it is called wrong; golden/icepop/README.md names the
/// rules.</summary>
/// <remarks>
/// <para>float64: 1e-12 of the value, and 1e-12 of what may cancel in it: Σ|c · contribution| for a loss. An element
/// of a gradient is a product and cancels nothing. The contributions are those of the side that is compared with;
/// where a profile does not give them, w·(1 + ε_hi)·|Â|·(1 + |ℓ|) is above every clipped one and the gradient is
/// every other.</para>
/// <para>float32, u = 2⁻²⁴: a weight (|o| + |q| + |Δ| + 4)·u of itself, because both inputs, their difference and the
/// exponential round; a policy ratio the same with ℓ and o; a gradient is their product with four more roundings; a
/// loss has the sum of those plus 1e-6·Σ|c · contribution| for the order of somebody else's sum. All of it twice,
/// because both sides have rounded.</para>
/// <para>Decisions are exact, and what is not finite must be the same. In float32 a policy ratio that is nearer to the
/// clip than it rounds may be clipped or not; its gradient may then be 0 or not.</para>
/// </remarks>
public sealed class IcePopTolerance
{
    private const double Unit = 1.0 / (1 << 24);
    private const double Relative = 1e-12;
    private const double SumRelative = 1e-6;
    private const double SmallestSingle = 1.2e-38; // whoever flushes subnormal numbers loses at most this

    private readonly RolloutBatch _batch;
    private readonly ObjectiveResult _result;
    private readonly bool _single;
    private readonly double _times;
    private readonly double[] _contributions;
    private readonly double[] _weightUnits;
    private readonly IcePopExpectation _expected;

    /// <summary>Prepares the gauges.</summary>
    /// <param name="batch">The inputs.</param>
    /// <param name="result">The published objective on them, in float64.</param>
    /// <param name="expected">What the numbers are held against; another profile's have other sizes.</param>
    /// <param name="single">Whether both sides are float32.</param>
    public IcePopTolerance(RolloutBatch batch, ObjectiveResult result, IcePopExpectation expected, bool single)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(result);
        ArgumentNullException.ThrowIfNull(expected);
        _batch = batch;
        _result = result;
        _single = single;
        _times = single ? 2 : 1;
        _expected = expected;
        _contributions = expected.PerTokenLoss is { } own
            ? Array.ConvertAll(own, Finite)
            : [.. Enumerable.Range(0, batch.ResponseMask.Length).Select(LargestClipped)];
        _weightUnits = new double[_contributions.Length];
        for (int index = 0; index < _contributions.Length; index++)
        {
            _weightUnits[index] = Size(batch.OldLogProbabilities, index)
                + Size(batch.InferenceLogProbabilities, index) + Finite(result.LogRatios[index]) + 4;
        }

        for (int row = 0; row < batch.Rollouts && expected.Weight is not null; row++)
        {
            GatherResponseWeight(row, expected.Weight);
        }
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
    public double Weight(int index, double value) => Scaled(WeightUnits(index), value);

    /// <summary>For a policy ratio.</summary>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double PolicyRatio(int index, double value) => Scaled(RatioUnits(index), value);

    /// <summary>For a contribution before aggregation.</summary>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double Contribution(int index, double value) =>
        Scaled(ProductUnits(index), value) + (_single ? 0 : Relative * _contributions[index]);

    /// <summary>For an element of a gradient.</summary>
    /// <param name="aggregation">The aggregation.</param>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double Gradient(LossAggregationKind aggregation, int index, double value) =>
        Scaled(ProductUnits(index), value)
        + (_single && IsAtClip(index) ? Coefficient(aggregation, index) * _contributions[index] : 0);

    /// <summary>For the decision of the clip.</summary>
    /// <param name="index">The token.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>1 where either is right, otherwise 0.</returns>
    public double Clipped(int index, double value) => _single && IsAtClip(index) ? 1 : 0;

    /// <summary>For a loss.</summary>
    /// <param name="aggregation">The aggregation.</param>
    /// <param name="value">The expected value.</param>
    /// <returns>The largest allowed distance.</returns>
    public double Loss(LossAggregationKind aggregation, double value)
    {
        double sum = _single ? SmallestSingle : Relative * Math.Abs(value);
        double[]? gradient = _expected.Gradient.GetValueOrDefault(aggregation.Word());
        for (int index = 0; index < _contributions.Length; index++)
        {
            // A token that trains has its contribution as gradient, whoever's contribution it is.
            double size = Math.Max(
                _contributions[index] * Coefficient(aggregation, index),
                gradient is null ? 0 : Finite(gradient[index]));
            sum += size * (_single ? (ProductUnits(index) * Unit) + SumRelative : Relative);
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
        for (int index = 0; index < _contributions.Length; index++)
        {
            if (_batch.ResponseMask[index] != 0)
            {
                double units = _single ? (DivergenceUnits(index) * Unit) + SumRelative : Relative;
                sum += Coefficient(aggregation, index) * DivergenceSize(index) * units;
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
        double lambda = Math.Abs(_result.Options.KullbackLeiblerCoefficient);
        double size = lambda * Coefficient(aggregation, index) * DivergenceSize(index);
        return Gradient(aggregation, index, value)
            + (_single ? _times * (ProductUnits(index) + DivergenceUnits(index)) * Unit * size : Relative * size);
    }

    /// <summary>For a metric. Means of signed differences cancel, so their gauge is the mean of the absolute ones;
    /// counts are exact.</summary>
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

        if (_single && name == "ppo_clip_fraction")
        {
            int either = Enumerable.Range(0, _contributions.Length).Count(IsAtClip);
            return (1e-5 + either) / Math.Max(_result.Metrics.ValidTokens, 1);
        }

        double gauge = Finite(_result.Metrics.MeanAbsoluteDifference) + (_single ? 1 : 1e-3);
        return (_single ? 1e-5 : Relative) * (Math.Abs(value) + gauge);
    }

    // The largest contribution of a clipped token when a profile does not tell its own.
    private double LargestClipped(int index)
    {
        if (_batch.ResponseMask[index] == 0)
        {
            return 0;
        }

        double ratio = Finite(Math.Exp(_result.LogRatios[index]));
        double highest = _result.Options.Correction is IcePopCorrection band ? band.Beta : double.PositiveInfinity;
        double weight = _expected.Weight is { } weights ? Finite(weights[index]) : Math.Min(ratio, highest);
        return weight * (1 + _result.Options.EpsilonHigh) * Math.Abs(_batch.Advantages[Row(index)])
            * (1 + Size(_batch.CurrentLogProbabilities, index));
    }

    private static double Finite(double value) => double.IsFinite(value) ? Math.Abs(value) : 0;

    private static double Size(ReadOnlySpan<double> values, int index) => values.IsEmpty ? 0 : Finite(values[index]);

    private double Scaled(double units, double value) => _single
        ? (_times * units * Unit * Math.Abs(value)) + SmallestSingle
        : Relative * Math.Abs(value);

    private bool IsAtClip(int index)
    {
        double ratio = Math.Exp(_batch.CurrentLogProbabilities[index] - _batch.OldLogProbabilities[index]);
        double width = _times * RatioUnits(index) * Unit * ratio;
        return _result.Decisions[index] == TokenDecision.Kept
            && (Math.Abs(ratio - 1 - _result.Options.EpsilonHigh) <= width
                || Math.Abs(ratio - 1 + _result.Options.EpsilonLow) <= width);
    }

    private int Row(int index) => index / _batch.ResponseLength;

    // A weight that all of a response shares is a product over its tokens, and has all of their roundings.
    private void GatherResponseWeight(int row, double[] weights)
    {
        int[] tokens =
        [
            .. Enumerable.Range(row * _batch.ResponseLength, _batch.ResponseLength)
                .Where(index => _batch.ResponseMask[index] != 0),
        ];
        if (tokens.Length > 1 && weights[tokens[0]] != 1 && tokens.All(index => weights[index] == weights[tokens[0]]))
        {
            double sum = tokens.Sum(index => _weightUnits[index]);
            foreach (int index in tokens)
            {
                _weightUnits[index] = sum;
            }
        }
    }

    private double WeightUnits(int index) => _weightUnits[index];

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
        Finite(_result.Coefficient(aggregation, Row(index)));
}
