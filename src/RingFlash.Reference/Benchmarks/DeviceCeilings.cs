using System;
using System.Diagnostics;
using System.Linq;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Times what a device does, and what it can do at most: the limits that kernels are held against.</summary>
/// <param name="host">The device.</param>
/// <param name="isRehearsal">Whether everything runs once and small, and no time is looked at.</param>
public sealed class DeviceCeilings(KernelHost host, bool isRehearsal)
{
    private const int Samples = 9;
    private const double LeastSeconds = 0.02;
    private const int Chains = 8;

    /// <summary>Operations per iteration and lane of <see cref="FusedKernel"/>: two per chain.</summary>
    private const double FusedOperations = 2 * Chains;

    /// <summary>Operations per iteration and warp of <see cref="MatrixKernel"/>.</summary>
    private const double MatrixOperations = Chains * 2.0 * 16 * 8 * 16;

    /// <summary>Seconds of a launch: nine samples of at least 20 ms each, after as long a warm-up.</summary>
    /// <param name="launch">Launches with set number i; sets are rotated so that no cache holds them.</param>
    /// <returns>The samples, sorted; one of 0 in a rehearsal.</returns>
    public double[] Time(Action<int> launch)
    {
        ArgumentNullException.ThrowIfNull(launch);
        int next = 0;
        double Sample(int count)
        {
            host.Synchronize();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < count; i++)
            {
                launch(next++);
            }

            host.Synchronize();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        Sample(1);
        if (isRehearsal)
        {
            return [0];
        }

        int repeats = 1;
        while (Sample(repeats) < LeastSeconds && repeats < 1 << 20)
        {
            repeats *= 2;
        }

        return [.. Enumerable.Range(0, Samples).Select(_ => Sample(repeats) / repeats).Order()];
    }

    /// <summary>Bytes that are read and written in a second by the driver's copy inside the device's memory.</summary>
    /// <returns>The samples of seconds and the bytes of one copy, read and written.</returns>
    public (double[] Seconds, double Bytes) Copy()
    {
        long length = isRehearsal ? 1024 : Math.Min(1L << 28, host.Accelerator.MemorySize / 16 / sizeof(float));
        using MemoryBuffer1D<float, Stride1D.Dense> from = host.Accelerator.Allocate1D<float>(length);
        using MemoryBuffer1D<float, Stride1D.Dense> to = host.Accelerator.Allocate1D<float>(length);
        from.MemSetToZero();
        return (Time(_ => from.View.CopyTo(host.Accelerator.DefaultStream, to.View)), 2.0 * sizeof(float) * length);
    }

    /// <summary>Fused multiply-adds in registers, which the exact family is made of.</summary>
    /// <returns>The samples of seconds and the operations of one launch.</returns>
    public (double[] Seconds, double Operations) FusedMultiplyAdds() => Run(FusedKernel, FusedOperations);

    /// <summary>Tensor core products of bfloat16 in registers, which the fast family is made of.</summary>
    /// <returns>The samples of seconds and the operations of one launch.</returns>
    public (double[] Seconds, double Operations) MatrixProducts() =>
        Run(MatrixKernel, MatrixOperations / KernelHost.Lanes);

    /// <summary>Eight chains of fused multiply-adds, side by side.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void FusedKernel(Arguments a)
    {
        float x = a.Factor, y0 = x, y1 = x + 1f, y2 = x + 2f, y3 = x + 3f, y4 = x + 4f, y5 = x + 5f, y6 = x + 6f;
        float y7 = x + 7f;
        for (int i = 0; i < a.Iterations; i++)
        {
            y0 = MathF.FusedMultiplyAdd(y0, x, x);
            y1 = MathF.FusedMultiplyAdd(y1, x, x);
            y2 = MathF.FusedMultiplyAdd(y2, x, x);
            y3 = MathF.FusedMultiplyAdd(y3, x, x);
            y4 = MathF.FusedMultiplyAdd(y4, x, x);
            y5 = MathF.FusedMultiplyAdd(y5, x, x);
            y6 = MathF.FusedMultiplyAdd(y6, x, x);
            y7 = MathF.FusedMultiplyAdd(y7, x, x);
        }

        a.Y[DeviceThread.Index] = y0 + y1 + y2 + y3 + y4 + y5 + y6 + y7;
    }

    /// <summary>Eight tensor core products, side by side.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0, MatrixInstructions = Chains)]
    internal static void MatrixKernel(Arguments a)
    {
        uint bits = DeviceIntrinsics.SingleToUInt32Bits(a.Factor);
        UInt4 left = new(bits, bits, bits, bits);
        Float4 c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default;
        Float4 c7 = default;
        for (int i = 0; i < a.Iterations; i++)
        {
            c0 = DeviceIntrinsics.MultiplyMatrices(left, bits, bits, c0);
            c1 = DeviceIntrinsics.MultiplyMatrices(left, bits, bits, c1);
            c2 = DeviceIntrinsics.MultiplyMatrices(left, bits, bits, c2);
            c3 = DeviceIntrinsics.MultiplyMatrices(left, bits, bits, c3);
            c4 = DeviceIntrinsics.MultiplyMatrices(left, bits, bits, c4);
            c5 = DeviceIntrinsics.MultiplyMatrices(left, bits, bits, c5);
            c6 = DeviceIntrinsics.MultiplyMatrices(left, bits, bits, c6);
            c7 = DeviceIntrinsics.MultiplyMatrices(left, bits, bits, c7);
        }

        a.Y[DeviceThread.Index] = c0.X + c1.Y + c2.Z + c3.W + c4.X + c5.Y + c6.Z + c7.W;
    }

    private (double[] Seconds, double Operations) Run(Action<Arguments> kernel, double operationsOfALane)
    {
        int iterations = isRehearsal ? 1 : 4096;
        LaunchGrid grid = new(host.MostGroups);
        long threads = (long)grid.X * host.Threads;
        using MemoryBuffer1D<float, Stride1D.Dense> y = host.Accelerator.Allocate1D<float>(threads);
        Arguments arguments = new(y.View.BaseView, 0.5f, iterations);
        return (Time(_ => host.Launch(kernel, grid, arguments)), threads * iterations * operationsOfALane);
    }

    /// <summary>What the kernels work on.</summary>
    /// <param name="Y">A number of every thread, so that nothing is left out as unused.</param>
    /// <param name="Factor">Below 1, so that chains stay finite.</param>
    /// <param name="Iterations">How often.</param>
    internal readonly record struct Arguments(ArrayView<float> Y, float Factor, int Iterations);
}
