// Red here: log-probabilities are further from the truth than their page promises.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class LogSoftmaxProperties
{
    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, ushort vocabulary)
    {
        int length = 1 + (vocabulary % 600);
        AgainstExact(TestValues.Spread(length, seed, binades: 5), PageUnits(length), $"{length} entries, seed {seed}");

        // A flat row: L = ln V is as large as it gets, and so is the weight of the many distant terms.
        float[] flat = TestValues.Scaled(TestValues.Spread(length, seed, binades: 0), -3);
        AgainstExact(flat, PageUnits(length), $"flat, {length} entries, seed {seed}");
    }

    [Fact]
    public void OverTheWholeVocabularyTheSumStaysBelowTenUnitsAsThePageMeasured()
    {
        for (int seed = 0; seed < 3; seed++)
        {
            AgainstExact(TestValues.Spread(157184, seed, binades: 3), 10, $"seed {seed}");
        }
    }

    [Property]
    public void ProbabilitiesAddUpToOne(int seed, ushort vocabulary)
    {
        int length = 1 + (vocabulary % 600);
        float[] logits = TestValues.Spread(length, seed);
        float[] logProbabilities = new float[length];
        LogSoftmax.Apply(ExecutionEngine.Vector512, logits, logProbabilities);
        double sum = 0, worst = 0;
        (float maximum, float logSum) = LogSoftmax.Normaliser(ExecutionEngine.Vector512, logits);
        for (int v = 0; v < length; v++)
        {
            sum += Math.Exp(logProbabilities[v]);
            worst = Math.Max(worst, Allowed(PageUnits(length), logits[v], maximum, logSum));
        }

        // An absolute error in every log-probability is the relative error of the sum.
        Assert.True(Math.Abs(sum - 1) <= Math.Exp(worst) - 1 + 1e-12, $"{length} entries, seed {seed}: sum {sum}");
    }

    [Property]
    public void AShiftThatIsExactChangesNothing(int seed, ushort vocabulary, short shift)
    {
        float[] logits = TestValues.WholeNumbers(1 + (vocabulary % 300), seed, largest: 40);
        float[] expected = new float[logits.Length], actual = new float[logits.Length];
        LogSoftmax.Apply(ExecutionEngine.Vector512, logits, expected);
        LogSoftmax.Apply(ExecutionEngine.Vector512, Array.ConvertAll(logits, value => value + shift), actual);
        Check.SameBits(expected, actual, $"shift {shift}, seed {seed}");
    }

    internal static double PageUnits(int vocabulary) => ((vocabulary + 31) / 32) + 7 + Math.Log(vocabulary);

    /// <summary>The page's bound; its proof to first order, so a millionth is added for the second.</summary>
    internal static double Allowed(double units, double logit, double maximum, double logSum) =>
        (units + (2 * (Math.Abs(logit - maximum) + logSum))) * Check.FloatUnit * 1.000001;

    private static void AgainstExact(float[] logits, double units, string axes)
    {
        float[] actual = new float[logits.Length];
        LogSoftmax.Apply(ExecutionEngine.Vector512, logits, actual);
        double[] wide = TestValues.Wide(logits), exact = new double[logits.Length];
        (double maximum, double logSum) = LogSoftmax.Exact(wide);
        for (int v = 0; v < wide.Length; v++)
        {
            exact[v] = wide[v] - maximum - logSum;
        }

        Check.Within(actual, exact, v => Allowed(units, wide[v], maximum, logSum), axes);
    }
}
