// Red here: a function of Numerics, compiled to PTX, has other bits than on the CPU.
using System;
using System.Linq;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Devices;

public sealed class NumericsKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    private static readonly float[] Values =
    [
        .. TestValues.WithSpecials<Float32Precision>(3000, 1),
        .. TestValues.Spread(3000, 2, binades: 12),
        .. TestValues.Spread(1000, 3, binades: 120),
        .. Enumerable.Range(0, 1000).Select(i => BitConverter.UInt32BitsToSingle((uint)i * 4294967u)),
    ];

    [Fact]
    public void ExponentialIsTheSame() => Compare(ExponentialKernel, Exponential.Exp);

    [Fact]
    public void LogarithmIsTheSame() => Compare(LogarithmKernel, Logarithm.Log);

    [Fact]
    public void SigmoidIsTheSame() => Compare(SigmoidKernel, Sigmoid.Apply);

    [Fact]
    public void SiluIsTheSame() => Compare(SiluKernel, Silu.Apply);

    [Fact]
    public void BFloat16RoundingIsTheSame() => Compare(RoundKernel, BFloat16.Round);

    [Fact]
    public void EveryE4M3CodeIsTheSame() =>
        Compare(CodeKernel, value => Float8E4M3.ToSingle((byte)BitConverter.SingleToInt32Bits(value)));

    [Kernel]
    internal static void ExponentialKernel(Arguments a)
    {
        for (int i = DeviceThread.Index; i < a.X.Length; i += DeviceThread.Count)
        {
            a.Y[i] = Exponential.Exp(a.X[i]);
        }
    }

    [Kernel]
    internal static void LogarithmKernel(Arguments a)
    {
        for (int i = DeviceThread.Index; i < a.X.Length; i += DeviceThread.Count)
        {
            a.Y[i] = Logarithm.Log(a.X[i]);
        }
    }

    [Kernel]
    internal static void SigmoidKernel(Arguments a)
    {
        for (int i = DeviceThread.Index; i < a.X.Length; i += DeviceThread.Count)
        {
            a.Y[i] = Sigmoid.Apply(a.X[i]);
        }
    }

    [Kernel]
    internal static void SiluKernel(Arguments a)
    {
        for (int i = DeviceThread.Index; i < a.X.Length; i += DeviceThread.Count)
        {
            a.Y[i] = Silu.Apply(a.X[i]);
        }
    }

    [Kernel]
    internal static void RoundKernel(Arguments a)
    {
        for (int i = DeviceThread.Index; i < a.X.Length; i += DeviceThread.Count)
        {
            a.Y[i] = BFloat16.Round(a.X[i]);
        }
    }

    [Kernel]
    internal static void CodeKernel(Arguments a)
    {
        for (int i = DeviceThread.Index; i < a.X.Length; i += DeviceThread.Count)
        {
            a.Y[i] = Float8E4M3.ToSingle((byte)Interop.FloatAsInt(a.X[i]));
        }
    }

    private void Compare(Action<Arguments> kernel, Func<float, float> function)
    {
        float[] expected = [.. Values.Select(function)];
        foreach (KernelHost host in new[] { device.TwoWarps, device.Interpreted })
        {
            using MemoryBuffer1D<float, Stride1D.Dense> x = host.Accelerator.Allocate1D(Values);
            float[] actual = CpuDevice.Run(
                host, Values.Length, y => host.Launch(kernel, host.GridFor(Values.Length), new(x.View.BaseView, y)));
            Check.SameBits(expected, actual, $"{kernel.Method.Name}, interpreted {host.PrefersFast}");
        }
    }

    internal readonly record struct Arguments(ArrayView<float> X, ArrayView<float> Y);
}
