using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>Makes the set of operators under test.</summary>
/// <param name="engine">The engine.</param>
/// <param name="precision">The case's precision.</param>
/// <param name="workers">The threads.</param>
/// <param name="quantiseActivations">Whether inputs of block-FP8 weights are quantised too.</param>
/// <returns>The set.</returns>
internal delegate ForwardOperators<float> OperatorFactory(
    ExecutionEngine engine, string precision, WorkerPool workers, bool quantiseActivations);

/// <summary>What a run of one case needs.</summary>
/// <param name="Golden">The case.</param>
/// <param name="Engine">The engine.</param>
/// <param name="Mode">Isolated or free.</param>
/// <param name="Recorder">Takes the results.</param>
/// <param name="Workers">The threads.</param>
/// <param name="Operators">Makes the operators under test.</param>
/// <param name="Report">Told a step in words and the share that is done.</param>
/// <param name="Cancellation">Stops between operators.</param>
internal sealed record CaseContext(
    GoldenCase Golden,
    ExecutionEngine Engine,
    VerifyMode Mode,
    CaseRecorder Recorder,
    WorkerPool Workers,
    OperatorFactory Operators,
    Action<string, double> Report,
    CancellationToken Cancellation)
{
    /// <summary>Time in weights, summed over threads.</summary>
    public TimeSpan WeightTime { get; set; }

    /// <summary>Time in comparing, without the weights that gauges make.</summary>
    public TimeSpan CompareTime { get; set; }

    /// <summary>The most bytes to take in all; null to hold no weights.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>Keeps the weights of a run in memory as far as the limit goes; does nothing without one.</summary>
    /// <remarks>
    /// Beside them are counted: twice what a pass takes, because gauges compute it once more on absolute values (and a
    /// decode case holds two caches), and the golden tensors.
    /// </remarks>
    /// <param name="weights">The weights.</param>
    /// <param name="configuration">The model.</param>
    /// <param name="batch">The number of sequences.</param>
    /// <param name="tokens">New tokens per sequence in the longest pass.</param>
    /// <param name="cacheCapacity">The capacity of the cache; 0 without one.</param>
    /// <returns>To be disposed after the run; or null.</returns>
    /// <exception cref="EnvironmentException">The limit is too low; the message says what is needed.</exception>
    public WeightResidency? KeepWeights(
        ModelWeights weights, ModelConfiguration configuration, int batch, int tokens, int cacheCapacity)
    {
        if (MemoryLimit is not long limit)
        {
            return null;
        }

        long pass = ForwardMemory.Bytes(configuration, batch, tokens, cacheCapacity) - ForwardMemory.Program;
        long golden = new FileInfo(Golden.File.Description).Length;
        long others = ForwardMemory.Program + (2 * pass) + golden;
        return new WeightResidency(weights, ForwardMemory.ForWeights(limit, weights, others), Workers.ThreadCount);
    }

    /// <summary>The operators under test, measured.</summary>
    /// <returns>A fresh set.</returns>
    public MeasuredOperators Measured() => new(
        Operators(Engine, Golden.Precision, Workers, false), Workers, Cancellation.ThrowIfCancellationRequested);
}
