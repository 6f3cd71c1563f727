using System;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace RingFlash.Reference.Devices;

/// <summary>Compiles kernels to PTX without a device, a driver or a toolkit.</summary>
public static class PtxCompiler
{
    /// <summary>The corrected PTX of a kernel, as the loader would hand it to a driver.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <returns>The text.</returns>
    /// <remarks>A context of its own for every kernel: after a failed compilation a context is unusable.</remarks>
    public static string Compile(KernelEntry kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return PtxPatch.Apply(CompileUncorrected(kernel));
    }

    /// <summary>What ILGPU itself writes.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <returns>The text.</returns>
    public static string CompileUncorrected(KernelEntry kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        using Context context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2));
        DeviceIntrinsics.Register(context);
        using PTXBackend backend = new(context, CudaArchitecture.SM_90, CudaInstructionSet.ISA_84, null!);
        KernelSpecialization specialization = new(kernel.Declared.MaximumThreads, null);
        return ((PTXCompiledKernel)backend.Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), specialization)).PTXAssembly;
    }
}
