using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>The means, extremes and ratios that the frameworks' metrics are made of; sums run in storage
/// order.</summary>
internal sealed class MismatchStatistics
{
    // verl and SkyRL clamp the log-ratio before they exponentiate it.
    public const double SafetyBound = 20;

    private readonly MismatchInput input;
    private readonly double logAlpha;
    private readonly double logBeta;

    public MismatchStatistics(MismatchInput input, MismatchOptions options)
    {
        this.input = input;
        logAlpha = Math.Log(options.Alpha);
        logBeta = Math.Log(options.Beta);
    }

    public int Count => input.Delta.Length;

    /// <summary>Rule N1: the band is decided on logarithms and closed at both ends.</summary>
    public bool InBand(double delta) => delta >= logAlpha && delta <= logBeta;

    public bool IsLow(double delta) => delta < logAlpha;

    public bool IsHigh(double delta) => delta > logBeta;

    /// <summary>k in the band, 0 outside.</summary>
    public double IcePop(double delta) => InBand(delta) ? Math.Exp(delta) : 0;

    public static double Clamp(double delta) => Math.Clamp(delta, -SafetyBound, SafetyBound);

    /// <summary>k − 1 − log k, at least 0; by a series where the difference would cancel.</summary>
    public static double ThirdEstimator(double delta)
    {
        if (Math.Abs(delta) > 1e-3)
        {
            return Math.Exp(delta) - delta - 1;
        }

        return delta * delta / 2 * (1 + (delta / 3 * (1 + (delta / 4 * (1 + (delta / 5))))));
    }

    /// <summary>The mean over all compared tokens; 0 for none.</summary>
    public double Mean(Func<double, double> term) => Mean(0, Count, index => term(input.Delta[index]));

    public double MeanOf(Func<double, double, double> term) =>
        Mean(0, Count, index => term(input.TrainValues[index], input.InferValues[index]));

    public double Share(Func<double, bool> condition) => Mean(delta => condition(delta) ? 1 : 0);

    public double Largest(Func<double, double> term) => Count == 0 ? 0 : input.Delta.Max(term);

    public double Smallest(Func<double, double> term) => Count == 0 ? 0 : input.Delta.Min(term);

    /// <summary>Per row, empty rows too: the mean over its tokens, 0 for none.</summary>
    public double[] RowMeans(Func<double, double> term) =>
        Rows((first, end) => Mean(first, end, index => term(input.Delta[index])));

    public double[] RowMeansOf(double[] values) => Rows((first, end) => Mean(first, end, index => values[index]));

    /// <summary>Per row: the mean over those of its tokens that meet a condition, 0 for none.</summary>
    public double[] RowMeansWhere(Func<double, bool> condition, Func<double, double> term) => Rows((first, end) =>
    {
        double[] chosen = [.. input.Delta[first..end].Where(condition)];
        return chosen.Length == 0 ? 0 : chosen.Sum(term) / chosen.Length;
    });

    public double[] RowSums() => Rows((first, end) => input.Delta[first..end].Sum());

    /// <summary>The mean over rows of the mean over a row's tokens, empty rows counted as 0.</summary>
    public double RowMean(Func<double, double> term) => RowMeans(term).Average();

    public static double PopulationDeviation(IReadOnlyCollection<double> values)
    {
        double mean = values.Count == 0 ? 0 : values.Average();
        return values.Count == 0 ? 0 : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / values.Count);
    }

    /// <summary>With n − 1, as torch.std; 0 for one value and for none.</summary>
    public static double SampleDeviation(IReadOnlyCollection<double> values) =>
        values.Count < 2 ? 0 : PopulationDeviation(values) * Math.Sqrt(values.Count / (values.Count - 1.0));

    /// <summary>(Σw)²/(n·Σw²): 1 for equal weights, 0 when all are zero.</summary>
    public static double EffectiveSampleShare(IReadOnlyCollection<double> weights, int count)
    {
        double sum = weights.Sum(), squares = weights.Sum(weight => weight * weight);
        return squares == 0 ? 0 : sum * sum / (count * squares);
    }

    public static double Correlation(double[] left, double[] right)
    {
        double leftMean = left.Average(), rightMean = right.Average();
        double both = 0, leftSquares = 0, rightSquares = 0;
        for (int index = 0; index < left.Length; index++)
        {
            both += (left[index] - leftMean) * (right[index] - rightMean);
            leftSquares += (left[index] - leftMean) * (left[index] - leftMean);
            rightSquares += (right[index] - rightMean) * (right[index] - rightMean);
        }

        return both / Math.Sqrt(leftSquares * rightSquares);
    }

    /// <summary>The log of the mean of two probabilities, without leaving the logarithms.</summary>
    public static double LogMean(double left, double right)
    {
        double larger = Math.Max(left, right);
        return larger + Math.Log((Math.Exp(left - larger) + Math.Exp(right - larger)) / 2);
    }

    private double[] Rows(Func<int, int, double> value) =>
        [.. Enumerable.Range(0, input.Rollouts).Select(row => value(input.RowStarts[row], input.RowStarts[row + 1]))];

    private static double Mean(int first, int end, Func<int, double> term)
    {
        double sum = 0;
        for (int index = first; index < end; index++)
        {
            sum += term(index);
        }

        return end == first ? 0 : sum / (end - first);
    }
}
