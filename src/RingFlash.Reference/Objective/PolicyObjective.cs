using System;
using System.Numerics;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// The objective that trained Ring-flash-2.0: value, per-token contributions and gradient. L = Σ c · (−w · min(r·Â,
/// clip(r)·Â)) + γ · KL, with w the engine correction's constant. README.md of this folder states the rules.
/// </summary>
/// <remarks>
/// Sums: a row in a fixed order, then the sorted row terms. Threads take whole rows and the order of the rows does not
/// matter, so neither changes a bit. Inputs are never written.
/// </remarks>
public static class PolicyObjective
{
    /// <summary>In float64: the normative values.</summary>
    /// <param name="batch">The responses.</param>
    /// <param name="options">The choices; null for the published ones.</param>
    /// <param name="denominators">The counts of the whole batch when this is a part of it; null to count here.</param>
    /// <param name="workers">Threads, or null for the caller's.</param>
    /// <returns>Everything about the batch.</returns>
    public static ObjectiveResult Evaluate(
        RolloutBatch batch,
        PolicyObjectiveOptions? options = null,
        LossDenominators? denominators = null,
        WorkerPool? workers = null)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return Evaluate<double, Float64Arithmetic>(
            batch.Arrays, options ?? PolicyObjectiveOptions.Default, denominators, workers, null);
    }

    /// <summary>In float32 on an engine; all engines give the same bits.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="batch">The responses.</param>
    /// <param name="options">The choices; null for the published ones.</param>
    /// <param name="denominators">The counts of the whole batch when this is a part of it; null to count here.</param>
    /// <param name="workers">Threads, or null for the caller's.</param>
    /// <returns>Everything about the batch, widened.</returns>
    public static ObjectiveResult Evaluate(
        ExecutionEngine engine,
        RolloutBatchSingle batch,
        PolicyObjectiveOptions? options = null,
        LossDenominators? denominators = null,
        WorkerPool? workers = null)
    {
        ArgumentNullException.ThrowIfNull(batch);
        PolicyObjectiveOptions chosen = options ?? PolicyObjectiveOptions.Default;
        return engine == ExecutionEngine.Scalar
            ? Evaluate<float, Float32Arithmetic<ScalarChoice>>(batch.Arrays, chosen, denominators, workers, engine)
            : Evaluate<float, Float32Arithmetic<Vector512Choice>>(batch.Arrays, chosen, denominators, workers, engine);
    }

    /// <summary>
    /// The whole loss and its gradient in float32 and nothing else: no per-token arrays but the caller's gradient. The
    /// same bits as <see cref="ObjectiveResult.TotalLoss"/> and <see cref="ObjectiveResult.TotalGradient"/> of
    /// the full evaluation on the same engine.
    /// </summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="batch">The responses.</param>
    /// <param name="gradient">[rollouts, response], written.</param>
    /// <param name="options">The choices; null for the published ones.</param>
    /// <param name="denominators">The counts of the whole batch when this is a part of it; null to count here.</param>
    /// <param name="workers">Threads, or null for the caller's.</param>
    /// <returns>The loss in the options' aggregation, the divergence included.</returns>
    public static float ValueAndGradient(
        ExecutionEngine engine,
        RolloutBatchSingle batch,
        Memory<float> gradient,
        PolicyObjectiveOptions? options = null,
        LossDenominators? denominators = null,
        WorkerPool? workers = null)
    {
        ArgumentNullException.ThrowIfNull(batch);
        PolicyObjectiveOptions chosen = options ?? PolicyObjectiveOptions.Default;
        chosen.Require();
        if (gradient.Length != batch.Arrays.Current.Length)
        {
            throw new ArgumentException(
                $"The gradient has {gradient.Length} elements, the batch {batch.Arrays.Current.Length}.");
        }

        if (!StreamedObjective.Supports(chosen))
        {
            ObjectiveResult result = Evaluate(engine, batch, chosen, denominators, workers);
            Array.ConvertAll(result.TotalGradient(), value => (float)value).CopyTo(gradient);
            return (float)result.TotalLoss();
        }

        return engine == ExecutionEngine.Scalar
            ? Stream<Float32Arithmetic<ScalarChoice>>(batch.Arrays, gradient, chosen, denominators, workers)
            : Stream<Float32Arithmetic<Vector512Choice>>(batch.Arrays, gradient, chosen, denominators, workers);
    }

    private static float Stream<TArithmetic>(
        RolloutArrays<float> batch,
        Memory<float> gradient,
        PolicyObjectiveOptions options,
        LossDenominators? denominators,
        WorkerPool? workers)
        where TArithmetic : struct, IRowArithmetic<float>
    {
        RequireReference(batch, options);
        LossDenominators counts = denominators ?? LossDenominators.Count(batch.RowCounts);
        float[] policyTerms = new float[batch.Rollouts], divergenceTerms = new float[batch.Rollouts];
        int length = batch.ResponseLength;
        void Rows(int first, int end, int worker)
        {
            StreamedObjective stream = new(batch, options);
            for (int row = first; row < end; row++)
            {
                float coefficient = (float)LossAggregation.Coefficient(
                    options.Aggregation, batch.RowCounts[row], counts);
                (float policy, float divergence) = stream.Row<TArithmetic>(
                    row, coefficient, gradient.Span.Slice(row * length, length));
                policyTerms[row] = coefficient * policy;
                divergenceTerms[row] = coefficient * divergence;
            }
        }

        Run(batch.Rollouts, Rows, workers);
        Array.Sort(policyTerms);
        float loss = TArithmetic.Sum(policyTerms);
        if (options.KullbackLeiblerCoefficient == 0)
        {
            return loss;
        }

        Array.Sort(divergenceTerms);
        return loss + ((float)options.KullbackLeiblerCoefficient * TArithmetic.Sum(divergenceTerms));
    }

    private static ObjectiveResult Evaluate<T, TArithmetic>(
        RolloutArrays<T> batch,
        PolicyObjectiveOptions options,
        LossDenominators? denominators,
        WorkerPool? workers,
        ExecutionEngine? engine)
        where T : struct, IBinaryFloatingPointIeee754<T>
        where TArithmetic : struct, IRowArithmetic<T>
    {
        options.Require();
        RequireReference(batch, options);
        ObjectiveArrays<T> arrays =
            new(batch.Rollouts, batch.ResponseLength, options.KullbackLeiblerCoefficient != 0);
        void Rows(int first, int end, int worker)
        {
            for (int row = first; row < end; row++)
            {
                ObjectiveRow.Evaluate<T, TArithmetic>(batch, options, row, arrays);
            }
        }

        Run(batch.Rollouts, Rows, workers);
        return ObjectiveResult.From(batch, options, arrays, denominators, engine);
    }

    private static void Run(int rollouts, Action<int, int, int> rows, WorkerPool? workers)
    {
        if (workers is null)
        {
            rows(0, rollouts, 0);
        }
        else
        {
            workers.Run(rollouts, rows);
        }
    }

    private static void RequireReference<T>(RolloutArrays<T> batch, PolicyObjectiveOptions options)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        if (options.KullbackLeiblerCoefficient != 0 && batch.Reference is null)
        {
            throw new ArgumentException("A KL coefficient other than 0 needs reference log-probabilities.");
        }
    }
}
