using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Objective.Theory;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P39 and P53: a loss summed over a whole vocabulary, and the recursion of the compounding theorem.</summary>
internal static class TheoryProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        new(
            "P39",
            PropertySubject.Loss,
            "over a whole vocabulary it is the on-policy expectation of what lies in the band",
            CaseKind.General,
            Enumeration,
            "token out of the band",
            "floored probability"),
        new(
            "P53",
            PropertySubject.Operators,
            "from its threshold on the compounding bound grows geometrically",
            CaseKind.General,
            Recursion,
            "M = 0",
            "start at the threshold"),
    ];

    /// <summary>
    /// One response of one token for each word a, sampled with probability q_a: with Â = q_a·f_a the loss is
    /// −c·Σ q_a·M(k_a)·f_a, and k_a = p_a/q_a.
    /// </summary>
    private static bool Enumeration(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        int words = random.Between(2, 12);
        double[] train = Dirichlet(random, words), infer = Dirichlet(random, words);
        double[] logTrain = Array.ConvertAll(train, p => probe.Number(Math.Log(p)));
        double[] logInfer = Array.ConvertAll(infer, q => probe.Number(Math.Log(q)));
        double[] values = Array.ConvertAll(train, _ => random.Normal(1));
        double alpha = sample.Alpha, beta = sample.Beta, low = Math.Log(alpha), high = Math.Log(beta);
        double expected = 0, gauge = 0, above = 0, below = 0;
        for (int a = 0; a < words; a++)
        {
            double difference = logTrain[a] - logInfer[a];
            bool kept = difference >= low && difference <= high;
            if (Math.Abs(difference - low) < 1e-5 || Math.Abs(difference - high) < 1e-5)
            {
                return false; // rounding decides
            }

            expected += kept ? train[a] * values[a] : 0;
            gauge += train[a] * Math.Abs(values[a]);
            above += difference >= high ? infer[a] : 0;
            below += difference < low ? train[a] : 0;
            probe.Edge("token out of the band", !kept);
            probe.Edge("floored probability", train[a] < 1e-11 || infer[a] < 1e-11);
        }

        PropertyCase vocabulary = new()
        {
            Rollouts = words,
            Length = 1,
            Current = logTrain,
            Old = logTrain,
            Inference = logInfer,
            Advantages = [.. PropertyCase.Upto(words).Select(a => probe.Number(infer[a] * values[a]))],
            Mask = PackedRows.Ones(words),
            Alpha = alpha,
            Beta = beta,
        };
        PropertyCase ones = vocabulary.WithBand(0, double.PositiveInfinity)
            .With(copy => Array.ConvertAll(infer, probe.Number).CopyTo(copy.Advantages, 0));
        LossOutcome outcome = probe.Of(vocabulary), sum = probe.Of(ones);

        // A logarithm of 27 or less is known to 27 units, and its exponential to as many.
        double relative = Math.Max(probe.Relative, 64 * probe.Unit);
        foreach ((LossAggregationKind kind, double loss) in outcome.Loss)
        {
            double coefficient = vocabulary.Coefficients(kind)[0];
            Require(
                probe.Close(-coefficient * expected, loss, coefficient * gauge, relative),
                $"over {words} words loss {kind.Word()} is {loss}, the expectation in the band "
                    + $"{-coefficient * expected}");
            Require(
                probe.Close(-coefficient, sum.Loss[kind], coefficient, relative),
                $"over {words} words the mean of k by loss {kind.Word()} is {-sum.Loss[kind] / coefficient}, not 1");
        }

        // Markov: what is cut above and below is bounded by the band alone.
        Require(
            above <= (1 / beta) + 1e-5 && below <= alpha + 1e-5,
            $"{above} of what was sampled lies above {beta}, {below} of the training engine's below {alpha}");
        return true;
    }

    private static double[] Dirichlet(CaseRandom random, int words)
    {
        double[] probabilities = new double[words];
        double power = random.Pick(1, 4, 8), floor = 1e-12, sum = 0;
        for (int a = 0; a < words; a++)
        {
            probabilities[a] = Math.Max(Math.Pow(-Math.Log(1 - random.Unit()), power), 0);
            sum += probabilities[a];
        }

        probabilities = Array.ConvertAll(probabilities, weight => Math.Max(weight / sum, floor));
        sum = 0;
        foreach (double probability in probabilities)
        {
            sum += probability;
        }

        return Array.ConvertAll(probabilities, probability => probability / sum);
    }

    private static bool Recursion(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double bound = random.Chance(0.2) ? 0 : random.Uniform(0, 0.05), step = random.Uniform(1e-3, 0.2);
        CompoundingBound theorem = new(
            random.Uniform(0.05, 2), bound, random.Uniform(0.1, 3), random.Uniform(0.1, 1), step);
        double start = theorem.Threshold * (random.Chance(0.2) ? 1 : 1 + (3 * random.Unit()));
        probe.Edge("M = 0", bound == 0);
        probe.Edge("start at the threshold", start == theorem.Threshold);
        double[] sequence = theorem.Sequence(start, step, 40);
        double factor = 1 + (theorem.Growth * step / 2);
        for (int t = 0; t < sequence.Length; t++)
        {
            double closed = (Math.Pow(1 + (theorem.Growth * step), t) * (start - (theorem.Loss / theorem.Growth)))
                + (theorem.Loss / theorem.Growth);
            Require(
                sequence[t] >= start * Math.Pow(factor, t) * (1 - 1e-12),
                $"step {t}: the bound is {sequence[t]}, less than {start} times {factor}^{t}");
            probe.RequireClose(closed, sequence[t], start, $"step {t}: the recursion");
        }

        double fixedPoint = theorem.Loss / theorem.Growth;
        probe.RequireClose(fixedPoint, theorem.FixedPoint, 0, "the fixed point");
        probe.RequireClose(fixedPoint, theorem.Next(fixedPoint, step), 0, "a step from the fixed point");
        return true;
    }
}
