using System;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>The divergence term in one estimator and aggregation.</summary>
/// <param name="Value">The aggregated estimate, without its coefficient.</param>
/// <param name="TotalLoss">Policy loss plus coefficient times value.</param>
/// <param name="TotalGradient">[rollouts, response]: its derivative in the current log-probabilities.</param>
public sealed record DivergenceResult(double Value, double TotalLoss, double[] TotalGradient);

/// <summary>
/// Everything the objective says about a batch. Numbers of a float32 evaluation are its float32 numbers, widened.
/// </summary>
public sealed class ObjectiveResult
{
    private readonly bool single;
    private readonly byte[] responseMask;
    private readonly double[] rowSums;
    private readonly double[] gradients;
    private readonly int[] denominatorRows;
    private readonly double[][] divergences;
    private readonly double[][] divergenceGradients;
    private readonly double[][] divergenceRowSums;
    private readonly ExecutionEngine engine;

    private ObjectiveResult(
        int rollouts,
        int responseLength,
        byte[] responseMask,
        PolicyObjectiveOptions options,
        LossDenominators denominators,
        int[] denominatorRows,
        WidenedArrays arrays,
        ExecutionEngine? engine)
    {
        Rollouts = rollouts;
        ResponseLength = responseLength;
        Options = options;
        Denominators = denominators;
        this.responseMask = responseMask;
        this.denominatorRows = denominatorRows;
        single = engine is not null;
        this.engine = engine ?? ExecutionEngine.Scalar;
        LogRatios = arrays.LogRatios;
        Weights = arrays.Weights;
        PolicyRatios = arrays.Ratios;
        Contributions = arrays.Contributions;
        Decisions = arrays.Decisions;
        Clipped = arrays.Clipped;
        gradients = arrays.Gradients;
        rowSums = arrays.RowSums;
        divergences = arrays.Divergences;
        divergenceGradients = arrays.DivergenceGradients;
        divergenceRowSums = arrays.DivergenceRowSums;
        Metrics = ObjectiveMetrics.Measure(rollouts, responseLength, LogRatios, Weights, Decisions, Clipped);
    }

    /// <summary>The number of responses.</summary>
    public int Rollouts { get; }

    /// <summary>The padded length.</summary>
    public int ResponseLength { get; }

    /// <summary>What was asked for.</summary>
    public PolicyObjectiveOptions Options { get; }

    /// <summary>B, B⁺ and N that the aggregations divide by, addends included.</summary>
    public LossDenominators Denominators { get; }

    /// <summary>[rollouts, response]: Δ, the engine log-ratio as it comes, padding included.</summary>
    public double[] LogRatios { get; }

    /// <summary>[rollouts, response]: the engine weight, +0 where not kept.</summary>
    public double[] Weights { get; }

    /// <summary>[rollouts, response]: r where kept, 1 elsewhere.</summary>
    public double[] PolicyRatios { get; }

    /// <summary>[rollouts, response]: the contribution before aggregation, +0 where not kept.</summary>
    public double[] Contributions { get; }

    /// <summary>[rollouts, response].</summary>
    public TokenDecision[] Decisions { get; }

    /// <summary>[rollouts, response]: 1 where a kept token's policy ratio is clipped.</summary>
    public byte[] Clipped { get; }

    /// <summary>Counts and mismatch metrics.</summary>
    public ObjectiveMetrics Metrics { get; }

    /// <summary>Whether a divergence term was computed.</summary>
    public bool HasDivergence => divergences.Length > 0;

    /// <summary>The policy loss, without the divergence term.</summary>
    /// <param name="aggregation">The aggregation.</param>
    /// <returns>The loss.</returns>
    public double Loss(LossAggregationKind aggregation) => Aggregate(aggregation, rowSums);

    /// <summary>The policy loss's derivative in the current log-probabilities.</summary>
    /// <param name="aggregation">The aggregation.</param>
    /// <returns>[rollouts, response].</returns>
    public double[] Gradient(LossAggregationKind aggregation)
    {
        double[] scaled = new double[gradients.Length];
        for (int row = 0; row < Rollouts; row++)
        {
            double coefficient = Coefficient(aggregation, row);
            for (int t = row * ResponseLength; t < (row + 1) * ResponseLength; t++)
            {
                scaled[t] = Product(coefficient, gradients[t]);
            }
        }

        return scaled;
    }

    /// <summary>The coefficient that a row's tokens have in an aggregation.</summary>
    /// <param name="aggregation">The aggregation.</param>
    /// <param name="row">The response.</param>
    /// <returns>c.</returns>
    public double Coefficient(LossAggregationKind aggregation, int row)
    {
        double coefficient = LossAggregation.Coefficient(aggregation, denominatorRows[row], Denominators);
        return single ? (float)coefficient : coefficient;
    }

    /// <summary>The divergence term.</summary>
    /// <param name="estimator">The estimator.</param>
    /// <param name="aggregation">The aggregation.</param>
    /// <returns>Value, total and gradient of the total.</returns>
    public DivergenceResult Divergence(KullbackLeiblerKind estimator, LossAggregationKind aggregation)
    {
        if (!HasDivergence)
        {
            throw new InvalidOperationException("The coefficient of the divergence term is 0; nothing was computed.");
        }

        double lambda = Options.KullbackLeiblerCoefficient;
        lambda = single ? (float)lambda : lambda;
        double value = Aggregate(aggregation, divergenceRowSums[(int)estimator]);
        double[] total = Gradient(aggregation);
        double[] derivatives = divergenceGradients[(int)estimator];
        for (int row = 0; row < Rollouts; row++)
        {
            double coefficient = Product(lambda, Coefficient(aggregation, row));
            for (int t = row * ResponseLength; t < (row + 1) * ResponseLength; t++)
            {
                total[t] = Sum(total[t], Product(coefficient, derivatives[t]));
            }
        }

        return new DivergenceResult(value, Sum(Loss(aggregation), Product(lambda, value)), total);
    }

    /// <summary>Per-token divergence estimates.</summary>
    /// <param name="estimator">The estimator.</param>
    /// <returns>[rollouts, response]; 0 outside the response mask.</returns>
    public double[] Divergences(KullbackLeiblerKind estimator) => divergences[(int)estimator];

    /// <summary>The whole loss, divergence included, as the options chose.</summary>
    /// <returns>The loss.</returns>
    public double TotalLoss() => HasDivergence
        ? Divergence(Options.KullbackLeibler, Options.Aggregation).TotalLoss
        : Loss(Options.Aggregation);

    /// <summary>Its derivative in the current log-probabilities.</summary>
    /// <returns>[rollouts, response].</returns>
    public double[] TotalGradient() => HasDivergence
        ? Divergence(Options.KullbackLeibler, Options.Aggregation).TotalGradient
        : Gradient(Options.Aggregation);

    /// <summary>1 where a token trains: the decision as the case files write it.</summary>
    /// <returns>[rollouts, response].</returns>
    public byte[] Keep() =>
        Array.ConvertAll(Decisions, decision => decision == TokenDecision.Kept ? (byte)1 : (byte)0);

    /// <summary>From the arrays of one number type.</summary>
    internal static ObjectiveResult From<T>(
        RolloutArrays<T> batch,
        PolicyObjectiveOptions options,
        ObjectiveArrays<T> arrays,
        LossDenominators? given,
        ExecutionEngine? engine)
        where T : struct, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        int[] counts = options.DenominatorTokens == DenominatorTokens.Kept ? arrays.KeptCounts : batch.RowCounts;
        return new ObjectiveResult(
            batch.Rollouts,
            batch.ResponseLength,
            batch.ResponseMask,
            options,
            given ?? LossDenominators.Count(counts),
            counts,
            WidenedArrays.From(arrays),
            engine);
    }

    // Sums and products of a float32 evaluation are float32 operations on the numbers held here in float64.
    private double Product(double a, double b) => single ? (float)a * (float)b : a * b;

    private double Sum(double a, double b) => single ? (float)a + (float)b : a + b;

    private double Aggregate(LossAggregationKind aggregation, double[] sums)
    {
        double[] terms = new double[Rollouts];
        for (int row = 0; row < Rollouts; row++)
        {
            terms[row] = Product(Coefficient(aggregation, row), sums[row]);
        }

        // Neither way may the order of the responses change a bit.
        if (!single)
        {
            return CompensatedSum.OfSymmetric(terms);
        }

        Array.Sort(terms);
        float[] narrow = Array.ConvertAll(terms, term => (float)term);
        return engine == ExecutionEngine.Scalar ? Summation.Sum(narrow) : Summation.SumVectorised(narrow);
    }

    private sealed record WidenedArrays(
        double[] LogRatios,
        double[] Weights,
        double[] Ratios,
        double[] Contributions,
        double[] Gradients,
        double[] RowSums,
        TokenDecision[] Decisions,
        byte[] Clipped,
        double[][] Divergences,
        double[][] DivergenceGradients,
        double[][] DivergenceRowSums)
    {
        public static WidenedArrays From<T>(ObjectiveArrays<T> arrays)
            where T : struct, System.Numerics.IBinaryFloatingPointIeee754<T> =>
            new(
                Widen(arrays.LogRatios),
                Widen(arrays.Weights),
                Widen(arrays.Ratios),
                Widen(arrays.Contributions),
                Widen(arrays.Gradients),
                Widen(arrays.RowSums),
                arrays.Decisions,
                arrays.Clipped,
                Array.ConvertAll(arrays.Divergences, Widen),
                Array.ConvertAll(arrays.DivergenceGradients, Widen),
                Array.ConvertAll(arrays.DivergenceRowSums, Widen));

        private static double[] Widen<T>(T[] values)
            where T : struct, System.Numerics.IBinaryFloatingPointIeee754<T> =>
            values as double[] ?? Array.ConvertAll(values, value => double.CreateSaturating(value));
    }
}
