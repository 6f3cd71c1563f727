using System;
using System.Diagnostics;
using System.Threading;
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

    /// <summary>The operators under test, measured.</summary>
    /// <returns>A fresh set.</returns>
    public MeasuredOperators Measured() => new(
        Operators(Engine, Golden.Precision, Workers, false), Workers, Cancellation.ThrowIfCancellationRequested);
}
