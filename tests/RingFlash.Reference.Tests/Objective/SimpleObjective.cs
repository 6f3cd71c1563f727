// A second, slow and plain writing of the objective that the mutation table bends. Red nowhere by itself: bent in
// nothing, it must agree with all golden cases, and MutationTable says so.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Properties;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Objective;

/// <summary>Straight loops over one case; each overridable piece is one place where people go wrong.</summary>
internal class SimpleObjective
{
    private RolloutBatch batch = null!;

    protected double Alpha { get; private set; }

    protected double Beta { get; private set; }

    protected double EpsilonLow { get; private set; }

    protected double EpsilonHigh { get; private set; }

    protected int Rollouts => batch.Rollouts;

    protected int Length => batch.ResponseLength;

    /// <summary>What differs from the float64 reference of a case.</summary>
    public List<string> Differences(IcePopCaseFile file)
    {
        LossOutcome outcome = Evaluate(file.Batch, file.Options);
        List<string> found = [];
        double gauge = 1e-12 * file.Reference!.PerTokenLoss!.Where(double.IsFinite).Sum(Math.Abs);
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            Comparison.AddLossAndGradient(
                found, file.Reference!, kind, outcome.Loss[kind], outcome.Gradient[kind], gauge);
        }

        return found;
    }

    /// <summary>Losses and gradients of a batch, as a loss under test.</summary>
    public LossOutcome Evaluate(RolloutBatch batch, PolicyObjectiveOptions options)
    {
        this.batch = batch;
        (Alpha, Beta) = (IcePopCorrection)options.Correction;
        EpsilonLow = options.EpsilonLow;
        EpsilonHigh = options.EpsilonHigh;
        double[] weights = Weights();
        double[] contributions = new double[weights.Length], derivatives = new double[weights.Length];
        for (int i = 0; i < weights.Length; i++)
        {
            if (Valid(i) && weights[i] != 0)
            {
                (contributions[i], derivatives[i]) = Surrogate(i, weights[i], batch.Advantages[i / Length]);
            }
        }

        int[] counts = [.. Enumerable.Range(0, Rollouts).Select(row => RowCount(row, weights))];
        Dictionary<LossAggregationKind, double> losses = [];
        Dictionary<LossAggregationKind, double[]> gradients = [];
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            double loss = 0;
            double[] gradient = new double[weights.Length];
            for (int i = 0; i < weights.Length; i++)
            {
                double coefficient = Valid(i) ? Coefficient(kind, counts, i / Length, RowsCounted(weights)) : 0;
                loss += coefficient == 0 ? 0 : coefficient * contributions[i];
                gradient[i] = coefficient == 0 ? 0 : coefficient * derivatives[i];
            }

            losses[kind] = loss;
            gradients[kind] = gradient;
        }

        return new LossOutcome { Loss = losses, Gradient = gradients };
    }

    protected bool Valid(int i) => batch.ResponseMask[i] != 0;

    protected double Old(int i) => batch.OldLogProbabilities[i];

    protected double Inference(int i) => batch.InferenceLogProbabilities[i];

    protected double Current(int i) => batch.CurrentLogProbabilities[i];

    protected virtual double[] Weights()
    {
        double[] weights = new double[Rollouts * Length];
        for (int i = 0; i < weights.Length; i++)
        {
            double logRatio = LogRatio(i);
            weights[i] = Valid(i) ? Weight(logRatio) : 0;
        }

        return weights;
    }

    protected virtual double LogRatio(int i) => Old(i) - Inference(i);

    protected virtual double Weight(double logRatio) =>
        double.IsFinite(logRatio) && Inside(logRatio) ? Factor(Math.Exp(logRatio)) : 0;

    protected virtual bool Inside(double logRatio) => logRatio >= Math.Log(Alpha) && logRatio <= Math.Log(Beta);

    protected virtual double Factor(double ratio) => ratio;

    /// <summary>Contribution and derivative of one token.</summary>
    protected virtual (double Contribution, double Derivative) Surrogate(int i, double weight, double advantage)
    {
        double ratio = Math.Exp(Current(i) - Old(i));
        if (advantage == 0)
        {
            return (0, 0);
        }

        double limit = advantage > 0 ? 1 + EpsilonHigh : 1 - EpsilonLow;
        bool clipped = Clipped(ratio, advantage);
        double value = -weight * (clipped ? ClippedRatio(ratio, limit) : ratio) * advantage;
        return (value, clipped ? ClippedDerivative(-weight * ratio * advantage) : Derivative(value, ratio));
    }

    protected virtual bool Clipped(double ratio, double advantage) =>
        (advantage > 0 && ratio > 1 + EpsilonHigh) || (advantage < 0 && ratio < 1 - EpsilonLow);

    protected virtual double ClippedRatio(double ratio, double limit) => limit;

    protected virtual double ClippedDerivative(double unclipped) => 0;

    protected virtual double Derivative(double value, double ratio) => value;

    protected virtual int RowCount(int row, double[] weights) =>
        Enumerable.Range(row * Length, Length).Count(Valid);

    protected virtual int RowsCounted(double[] weights) => Rollouts;

    private static double Coefficient(LossAggregationKind kind, int[] counts, int row, int rowsCounted)
    {
        double total = Math.Max(counts.Sum(), 1), own = Math.Max(counts[row], 1);
        return kind switch
        {
            LossAggregationKind.SequenceMeanTokenMean => 1 / (rowsCounted * own),
            LossAggregationKind.SequenceMeanTokenMeanNonEmpty => 1 / (counts.Count(count => count > 0) * own),
            LossAggregationKind.TokenMean => 1 / total,
            LossAggregationKind.SequenceMeanTokenSum => 1.0 / rowsCounted,
            _ => 1,
        };
    }
}
