using System;
using System.Collections.Generic;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>Makes the operators of every engine; a device is opened when it is first needed.</summary>
public sealed class EngineOperators : IDisposable
{
    private readonly Dictionary<ExecutionEngine, KernelHost> hosts = [];

    /// <summary>A fresh set of operators.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="precision">The word of the precision policy: <c>float32</c> or <c>bfloat16</c>.</param>
    /// <param name="workers">The threads.</param>
    /// <param name="quantiseActivations">Whether inputs of block-FP8 weights are quantised too.</param>
    /// <returns>The set; valid until this is disposed.</returns>
    /// <exception cref="EnvironmentException">The engine's device is not here.</exception>
    public ForwardOperators<float> Create(
        ExecutionEngine engine, string precision, WorkerPool workers, bool quantiseActivations = false) =>
        precision == BFloat16Precision.Name
            ? Create<BFloat16Precision>(engine, workers, quantiseActivations)
            : Create<Float32Precision>(engine, workers, quantiseActivations);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (KernelHost host in hosts.Values)
        {
            host.Dispose();
        }

        hosts.Clear();
    }

    private Float32Operators<TPrecision> Create<TPrecision>(
        ExecutionEngine engine, WorkerPool workers, bool quantiseActivations)
        where TPrecision : struct, IPrecision => engine.IsDevice()
            ? new DeviceOperators<TPrecision>(HostOf(engine), workers, quantiseActivations)
            : new Float32Operators<TPrecision>(engine, workers, quantiseActivations);

    private KernelHost HostOf(ExecutionEngine engine)
    {
        if (!hosts.TryGetValue(engine, out KernelHost? host))
        {
            host = KernelHost.Open(engine);
            hosts.Add(engine, host);
        }

        return host;
    }
}
