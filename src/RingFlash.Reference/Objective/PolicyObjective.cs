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
        bool withDivergence = options.KullbackLeiblerCoefficient != 0;
        if (withDivergence && batch.Reference is null)
        {
            throw new ArgumentException("A KL coefficient other than 0 needs reference log-probabilities.");
        }

        ObjectiveArrays<T> arrays = new(batch.Rollouts, batch.ResponseLength, withDivergence);
        void Rows(int first, int end, int worker)
        {
            for (int row = first; row < end; row++)
            {
                ObjectiveRow.Evaluate<T, TArithmetic>(batch, options, row, arrays);
            }
        }

        if (workers is null)
        {
            Rows(0, batch.Rollouts, 0);
        }
        else
        {
            workers.Run(batch.Rollouts, Rows);
        }

        return ObjectiveResult.From(batch, options, arrays, denominators, engine);
    }
}
