// Red here: the golden cases no longer notice a mistake that people make in IcePop losses, so passing them means less.
using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class MutationTable
{
    /// <summary>Every mistake with the cases that must notice it.</summary>
    internal static readonly Dictionary<string, (Func<SimpleObjective> Make, int[] Killers)> Mistakes = new()
    {
        ["factor 1 instead of k"] = (() => new FactorOne(), [3, 5, 6, 8, 10, 12]),
        ["inverse weight"] = (() => new InverseWeight(), [3, 5, 6, 8, 10, 12]),
        ["reversed direction"] = (() => new ReversedDirection(), [3, 5, 6, 8, 10, 12]),
        ["normalised by mean k"] = (() => new NormalisedByMean(), [3, 5, 6, 8, 10, 12]),
        ["k taken from current weights"] = (() => new CurrentNumerator(), [5, 19, 25, 27, 31, 32, 35, 43, 49]),
        ["open interval"] = (() => new OpenInterval(), [6, 8, 9]),
        ["upper bound only"] = (() => new UpperOnly(), [5, 8, 9, 21, 27, 29]),
        ["lower bound only"] = (() => new LowerOnly(), [8, 9, 12, 19, 21, 29]),
        ["band 1/beta to beta"] = (() => new SymmetricBand(), [5, 8, 27, 29, 31]),
        ["TIS"] = (() => new Truncated(), [5, 8, 9, 12, 19, 21]),
        ["two-sided clamp"] = (() => new TwoSidedClamp(), [5, 8, 9, 12, 19, 21]),
        ["no mask"] = (() => new NoMask(), [5, 8, 9, 12, 19, 21]),
        ["geometric mask"] = (() => new GeometricMask(), [5, 8, 9, 12, 19, 21]),
        ["no policy clip"] = (() => new NoPolicyClip(), [5, 25, 27, 31, 32, 35, 43, 49]),
        ["clip passes gradient"] = (() => new ClipPassesGradient(), [5, 25, 27, 31, 32, 35, 43, 49]),
        ["same epsilon on both sides"] = (() => new SameEpsilon(), [27, 49]),
        ["clip regardless of sign"] = (() => new ClipRegardlessOfSign(), [5, 25, 27, 35, 43, 49]),
        ["gradient cut at exact equality"] = (() => new CutAtEquality(), [49]),
        ["dual clip on"] = (() => new DualClip(), [25, 27, 43]),
        ["kept-token denominators"] = (() => new KeptDenominators(), [5, 8, 9, 12, 14, 16]),
        ["padded-length denominators"] = (() => new PaddedDenominators(), [5, 19, 31, 32]),
        ["empty rows dropped from the count"] = (() => new EmptyRowsDropped(), [19]),
        ["differentiating through k"] = (() => new ThroughRatio(), [3, 5, 10, 12, 25, 29, 40]),
        ["non-finite treated as ratio 1"] = (() => new NonFiniteIsOne(), [14, 16, 18, 47]),
        ["infinite k kept"] = (() => new InfiniteKept(), [47]),
    };

    public static TheoryData<string> Names => [.. Mistakes.Keys];

    [Fact]
    public void WithoutAMistakeEveryCaseAgrees() =>
        Assert.All(IcePopCases.All, file => Assert.Empty(new SimpleObjective().Differences(file)));

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryListedCaseNoticesTheMistake(string name)
    {
        (Func<SimpleObjective> make, int[] killers) = Mistakes[name];
        int[] blind = [.. killers.Where(id => make().Differences(IcePopCases.Number(id)).Count == 0)];
        Assert.True(blind.Length == 0, $"{name}: not noticed by case {string.Join(", ", blind)}");
    }

    private sealed class FactorOne : SimpleObjective
    {
        protected override double Factor(double ratio) => 1;
    }

    private sealed class InverseWeight : SimpleObjective
    {
        protected override double Factor(double ratio) => 1 / ratio;
    }

    private sealed class ReversedDirection : SimpleObjective
    {
        protected override double LogRatio(int i) => Inference(i) - Old(i);
    }

    private sealed class NormalisedByMean : SimpleObjective
    {
        protected override double[] Weights()
        {
            double[] weights = base.Weights();
            double mean = weights.Where(weight => weight != 0).DefaultIfEmpty(1).Average();
            return Array.ConvertAll(weights, weight => weight / mean);
        }
    }

    private sealed class CurrentNumerator : SimpleObjective
    {
        protected override double LogRatio(int i) => Current(i) - Inference(i);
    }

    private sealed class OpenInterval : SimpleObjective
    {
        protected override bool Inside(double logRatio) =>
            logRatio > Math.Log(Alpha) && logRatio < Math.Log(Beta);
    }

    private sealed class UpperOnly : SimpleObjective
    {
        protected override bool Inside(double logRatio) => logRatio <= Math.Log(Beta);
    }

    private sealed class LowerOnly : SimpleObjective
    {
        protected override bool Inside(double logRatio) => logRatio >= Math.Log(Alpha);
    }

    private sealed class SymmetricBand : SimpleObjective
    {
        protected override bool Inside(double logRatio) => Math.Abs(logRatio) <= Math.Log(Beta);
    }

    private sealed class Truncated : SimpleObjective
    {
        protected override bool Inside(double logRatio) => true;

        protected override double Factor(double ratio) => Math.Min(ratio, Beta);
    }

    private sealed class TwoSidedClamp : SimpleObjective
    {
        protected override bool Inside(double logRatio) => true;

        protected override double Factor(double ratio) => Math.Clamp(ratio, Alpha, Beta);
    }

    private sealed class NoMask : SimpleObjective
    {
        protected override bool Inside(double logRatio) => true;
    }

    private sealed class GeometricMask : SimpleObjective
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

    private sealed class NoPolicyClip : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) => false;
    }

    private sealed class ClipPassesGradient : SimpleObjective
    {
        protected override double ClippedDerivative(double unclipped) => unclipped;
    }

    private sealed class SameEpsilon : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) =>
            (advantage > 0 && ratio > 1 + EpsilonLow) || (advantage < 0 && ratio < 1 - EpsilonLow);

        protected override double ClippedRatio(double ratio, double limit) => limit > 1 ? 1 + EpsilonLow : limit;
    }

    private sealed class ClipRegardlessOfSign : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) =>
            ratio > 1 + EpsilonHigh || ratio < 1 - EpsilonLow;

        protected override double ClippedRatio(double ratio, double limit) =>
            Math.Clamp(ratio, 1 - EpsilonLow, 1 + EpsilonHigh);
    }

    private sealed class CutAtEquality : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) =>
            (advantage > 0 && ratio >= 1 + EpsilonHigh) || (advantage < 0 && ratio <= 1 - EpsilonLow);
    }

    private sealed class DualClip : SimpleObjective
    {
        protected override bool Clipped(double ratio, double advantage) =>
            base.Clipped(ratio, advantage) || (advantage < 0 && ratio > 3);

        protected override double ClippedRatio(double ratio, double limit) => ratio > 3 && limit < 1 ? 3 : limit;
    }

    private sealed class KeptDenominators : SimpleObjective
    {
        protected override int RowCount(int row, double[] weights) =>
            Enumerable.Range(row * Length, Length).Count(i => weights[i] != 0);
    }

    private sealed class PaddedDenominators : SimpleObjective
    {
        protected override int RowCount(int row, double[] weights) => Length;
    }

    private sealed class EmptyRowsDropped : SimpleObjective
    {
        protected override int RowsCounted(double[] weights) =>
            Enumerable.Range(0, Rollouts).Count(row => RowCount(row, weights) > 0);
    }

    private sealed class ThroughRatio : SimpleObjective
    {
        protected override double Derivative(double value, double ratio) => 2 * value;
    }

    private sealed class NonFiniteIsOne : SimpleObjective
    {
        protected override double LogRatio(int i) =>
            double.IsFinite(base.LogRatio(i)) ? base.LogRatio(i) : 0;
    }

    private sealed class InfiniteKept : SimpleObjective
    {
        protected override double Weight(double logRatio) => Inside(logRatio) ? Math.Exp(logRatio) : 0;
    }
}
