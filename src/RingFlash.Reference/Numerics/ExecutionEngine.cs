using System;

namespace RingFlash.Reference.Numerics;

/// <summary>Who computes. All float32 engines give the same bits; they differ in speed and in where they run.</summary>
public enum ExecutionEngine
{
    /// <summary>Readable loops, one element at a time: the definition.</summary>
    Scalar,

    /// <summary>
    /// The CPU path over <c>Vector512</c>; the same source runs with AVX-512, AVX2 or no intrinsics at all.
    /// </summary>
    Vector512,

    /// <summary>The device kernels in C#, run by ILGPU's CPU accelerator.</summary>
    IlgpuCpu,

    /// <summary>The device kernels as PTX, on an NVIDIA card of compute capability 9.0 or later.</summary>
    Cuda,
}

/// <summary>The words for engines in options and reports.</summary>
public static class ExecutionEngineNames
{
    /// <summary>
    /// The word for an engine: <c>scalar</c>, <c>vector512</c>, <c>ilgpu-cpu</c> or <c>cuda</c>.
    /// </summary>
    /// <param name="engine">The engine.</param>
    /// <returns>The word.</returns>
    public static string Word(this ExecutionEngine engine) => engine switch
    {
        ExecutionEngine.Scalar => "scalar",
        ExecutionEngine.Vector512 => "vector512",
        ExecutionEngine.IlgpuCpu => "ilgpu-cpu",
        ExecutionEngine.Cuda => "cuda",
        _ => throw new ArgumentOutOfRangeException(nameof(engine)),
    };

    /// <summary>Whether an engine runs kernels on a device.</summary>
    /// <param name="engine">The engine.</param>
    /// <returns>Whether it does.</returns>
    public static bool IsDevice(this ExecutionEngine engine) =>
        engine is ExecutionEngine.IlgpuCpu or ExecutionEngine.Cuda;
}
