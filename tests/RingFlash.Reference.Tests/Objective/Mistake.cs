// The wrong losses of MutationTable. Red nowhere by itself: a mistake that is none would pass for one that nothing
// notices.
using System;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Properties;

namespace RingFlash.Reference.Tests.Objective;

/// <summary>Each bends one piece of <see cref="SimpleObjective"/>.</summary>
internal static class Mistake
{
    public sealed class FactorOne : SimpleObjective
    {
        protected override double Factor(double ratio) => 1;
    }

    public sealed class InverseWeight : SimpleObjective
    {
        protected override double Factor(double ratio) => 1 / ratio;
    }

    public sealed class ReversedDirection : SimpleObjective
    {
        protected override double LogRatio(int i) => Inference(i) - Old(i);
    }

    public sealed class NormalisedByMean : SimpleObjective
    {
        protected override double[] Weights()
        {
            double[] weights = base.Weights();
            double mean = weights.Where(weight => weight != 0).DefaultIfEmpty(1).Average();
            return Array.ConvertAll(weights, weight => weight / mean);
        }
    }

    public sealed class CurrentNumerator : SimpleObjective
    {
        protected override double LogRatio(int i) => Current(i) - Inference(i);
    }

    public sealed class OpenInterval : SimpleObjective
    {
        protected override bool Inside(double logRatio) =>
            logRatio > Math.Log(Alpha) && logRatio < Math.Log(Beta);
    }

    public sealed class UpperOnly : SimpleObjective
    {
        protected override bool Inside(double logRatio) => logRatio <= Math.Log(Beta);
    }

    public sealed class LowerOnly : SimpleObjective
    {
        protected override bool Inside(double logRatio) => logRatio >= Math.Log(Alpha);
    }

    public sealed class SymmetricBand : SimpleObjective
    {
        protected override bool Inside(double logRatio) => Math.Abs(logRatio) <= Math.Log(Beta);
    }

    public sealed class Truncated : SimpleObjective
    {
        protected override bool Inside(double logRatio) => true;

        protected override double Factor(double ratio) => Math.Min(ratio, Beta);
    }

    public sealed class TwoSidedClamp : SimpleObjective
    {
        protected override bool Inside(double logRatio) => true;

        protected override double Factor(double ratio) => Math.Clamp(ratio, Alpha, Beta);
    }

    public sealed class NoMask : SimpleObjective
    {
        protected override bool Inside(double logRatio) => true;
    }

    public sealed class GeometricMask : SimpleObjective
    {
        protected override double[] Weights()
        {
            double[] weights = new double[Rollouts * Length];
            for (int row = 0; row < Rollouts; row++)
            {
                int[] tokens = [.. Enumerable.Range(row * Length, Length).Where(Valid)];
                double mean = tokens.Select(LogRatio).DefaultIfEmpty(0).Average();
                foreach (int i in tokens)
                {
                    weights[i] = Inside(mean) ? Math.Exp(LogRatio(i)) : 0;
                }
            }

            return weights;
        }
    }

    public sealed class NoPolicyClip : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) => false;
    }

    public sealed class ClipPassesGradient : SimpleObjective
    {
        protected override double ClippedDerivative(double unclipped) => unclipped;
    }

    public sealed class SameEpsilon : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) =>
            (advantage > 0 && ratio > 1 + EpsilonLow) || (advantage < 0 && ratio < 1 - EpsilonLow);

        protected override double ClippedRatio(double ratio, double limit) => limit > 1 ? 1 + EpsilonLow : limit;
    }

    public sealed class ClipRegardlessOfSign : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) =>
            ratio > 1 + EpsilonHigh || ratio < 1 - EpsilonLow;

        protected override double ClippedRatio(double ratio, double limit) =>
            Math.Clamp(ratio, 1 - EpsilonLow, 1 + EpsilonHigh);
    }

    public sealed class CutAtEquality : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) =>
            (advantage > 0 && ratio >= 1 + EpsilonHigh) || (advantage < 0 && ratio <= 1 - EpsilonLow);
    }

    public sealed class DualClip : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) =>
            base.Clipped(ratio, advantage) || (advantage < 0 && ratio > 3);

        protected override double ClippedRatio(double ratio, double limit) => ratio > 3 && limit < 1 ? 3 : limit;
    }

    public sealed class KeptDenominators : SimpleObjective
    {
        protected override int RowCount(int row, double[] weights) =>
            Enumerable.Range(row * Length, Length).Count(i => weights[i] != 0);
    }

    public sealed class PaddedDenominators : SimpleObjective
    {
        protected override int RowCount(int row, double[] weights) => Length;
    }

    public sealed class EmptyRowsDropped : SimpleObjective
    {
        protected override int RowsCounted(double[] weights) =>
            Enumerable.Range(0, Rollouts).Count(row => RowCount(row, weights) > 0);
    }

    public sealed class ThroughRatio : SimpleObjective
    {
        protected override double Derivative(double value, double ratio) => 2 * value;
    }

    public sealed class NonFiniteIsOne : SimpleObjective
    {
        protected override double LogRatio(int i) =>
            double.IsFinite(base.LogRatio(i)) ? base.LogRatio(i) : 0;
    }

    public sealed class InfiniteKept : SimpleObjective
    {
        protected override double Weight(double logRatio) => Inside(logRatio) ? Math.Exp(logRatio) : 0;
    }

    public sealed class ClampedLogProbabilities : SimpleObjective
    {
        protected override double LogRatio(int i) => Math.Max(Old(i), -30) - Math.Max(Inference(i), -30);
    }

    /// <summary>Gives each batch a little more than the one before, as a running average would.</summary>
    public sealed class Stateful
    {
        private int calls;

        public LossOutcome Evaluate(RolloutBatch batch, PolicyObjectiveOptions options)
        {
            LossOutcome right = ObjectivePropertySuite.Reference(batch, options);
            calls++;
            return right with { Loss = right.Loss.ToDictionary(loss => loss.Key, loss => loss.Value + calls) };
        }
    }
}
