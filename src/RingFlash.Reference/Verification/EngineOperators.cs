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
    /// <returns>The set; valid until this is disposed.</returns>
    /// <exception cref="EnvironmentException">The engine's device is not here.</exception>
    public ForwardOperators<float> Create(ExecutionEngine engine, string precision, WorkerPool workers) =>
        (engine.IsDevice(), precision == BFloat16Precision.Name) switch
        {
            (false, false) => new Float32Operators<Float32Precision>(engine, workers),
            (false, true) => new Float32Operators<BFloat16Precision>(engine, workers),
            (true, false) => new DeviceOperators<Float32Precision>(HostOf(engine), workers),
            (true, true) => new DeviceOperators<BFloat16Precision>(HostOf(engine), workers),
        };

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (KernelHost host in hosts.Values)
        {
            host.Dispose();
        }

        hosts.Clear();
    }

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
