// ILGPU's CPU accelerator for the operator tests, or the card if RINGFLASH_TEST_DEVICE is cuda. Red nowhere itself.
using System;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Tests.Devices;

/// <summary>One device for a test class, and the ways to it and back.</summary>
public sealed class CpuDevice : IDisposable
{
    /// <summary>One warp: a group is started in a fifth of a millisecond.</summary>
    public KernelHost OneWarp { get; } = Open(1);

    /// <summary>Two warps, so that a kernel that forgets one is seen.</summary>
    public KernelHost TwoWarps { get; } = Open(2);

    /// <summary>The C# of the fast kernels, which a plain CPU accelerator leaves to cards; slow.</summary>
    public KernelHost Fast { get; } = IsOnCard ? Open(1) : new FastHost();

    /// <summary>The PTX of the kernels, fast ones where there are any, interpreted; also with two warps.</summary>
    public KernelHost Interpreted { get; } = new InterpretedHost(warps: 2);

    /// <summary>All three.</summary>
    public KernelHost[] All => [OneWarp, TwoWarps, Interpreted];

    private static bool IsOnCard => Environment.GetEnvironmentVariable("RINGFLASH_TEST_DEVICE") == "cuda";

    /// <summary>An array on a device for as long as a test runs.</summary>
    public static ArrayView<T> Bring<T>(KernelHost host, T[] values)
        where T : unmanaged
    {
        MemoryBuffer1D<T, Stride1D.Dense> buffer = host.Accelerator.Allocate1D<T>(Math.Max(1, values.Length));
        ArrayView1D<T, Stride1D.Dense> view = buffer.View.SubView(0, values.Length);
        view.CopyFromCPU(values);
        return view.BaseView; // freed with the device
    }

    /// <summary>Copies an array to a device, runs, and reads the result, which begins as NaN.</summary>
    public static float[] Run(KernelHost host, int length, Action<ArrayView<float>> run)
    {
        float[] values = new float[length];
        Array.Fill(values, float.NaN);
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = host.Accelerator.Allocate1D<float>(Math.Max(1, length));
        ArrayView1D<float, Stride1D.Dense> view = buffer.View.SubView(0, length);
        view.CopyFromCPU(values);
        run(view.BaseView);
        host.Synchronize();
        view.CopyToCPU(values);
        return values;
    }

    private static KernelHost Open(int warps) => IsOnCard ? KernelHost.OpenCuda() : KernelHost.OpenCpu(warps);

    public void Dispose()
    {
        OneWarp.Dispose();
        TwoWarps.Dispose();
        Fast.Dispose();
        Interpreted.Dispose();
    }

    private sealed class FastHost() : KernelHost(warps: 2)
    {
        public override bool PrefersFast => true;
    }
}
