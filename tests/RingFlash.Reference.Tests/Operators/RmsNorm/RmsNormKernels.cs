// Red here: a norm on a device has other bits than on the CPU.
using System;
using FsCheck;
using FsCheck.Xunit;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 15)]
public sealed class RmsNormKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheNaiveKernelHasTheBitsOfVector512(int seed, byte rows, DoNotSize<ushort> hidden)
    {
        Compare<Float32Precision>(device.OneWarp, seed, 1 + (rows % 70), 1 + (hidden.Item % 300), fast: false);
        Compare<BFloat16Precision>(device.TwoWarps, seed, 1 + (rows % 70), 1 + (hidden.Item % 300), fast: false);
    }

    [Property(MaxTest = 6)]
    public void TheFastKernelHasTheBitsOfVector512(int seed, byte rows, byte stripes)
    {
        Compare<Float32Precision>(device.OneWarp, seed, 1 + (rows % 9), 32 * (1 + (stripes % 9)), fast: true);
        Compare<BFloat16Precision>(device.TwoWarps, seed, 1 + (rows % 9), 32 * (1 + (stripes % 9)), fast: true);
    }

    [Property]
    public void ThePtxHasTheBitsOfVector512(int seed, byte rows, DoNotSize<ushort> hidden, byte stripes)
    {
        Compare<Float32Precision>(device.Interpreted, seed, 1 + (rows % 20), 1 + (hidden.Item % 300), fast: false);
        Compare<BFloat16Precision>(device.Interpreted, seed, 1 + (rows % 20), 32 * (1 + (stripes % 9)), fast: false);
    }

    [Fact]
    public void AViewOffAlignmentIsRefused()
    {
        using MemoryBuffer1D<float, Stride1D.Dense> x = device.OneWarp.Accelerator.Allocate1D<float>(64);
        ArrayView<float> all = x.View.BaseView, odd = all.SubView(1, 32);
        Assert.Throws<ArgumentException>(
            () => RmsNorm.Launch<Float32Precision>(device.OneWarp, odd, all.SubView(0, 32), 0f, all.SubView(32, 32)));
    }

    private static void Compare<TPrecision>(KernelHost host, int seed, int rows, int hidden, bool fast)
        where TPrecision : struct, IPrecision
    {
        float[] x = TestValues.WithSpecials<TPrecision>(rows * hidden, seed);
        float[] weight = TestValues.Spread<TPrecision>(hidden, ~seed), expected = new float[x.Length];
        RmsNorm.Apply<TPrecision>(ExecutionEngine.Vector512, x, weight, 1e-6f, expected);
        using MemoryBuffer1D<float, Stride1D.Dense> input = host.Accelerator.Allocate1D(x);
        using MemoryBuffer1D<float, Stride1D.Dense> weights = host.Accelerator.Allocate1D(weight);
        float[] actual = CpuDevice.Run(host, x.Length, y =>
        {
            if (fast)
            {
                RmsNorm.LaunchFast<TPrecision>(
                    host, new(input.View.BaseView, weights.View.BaseView, y, rows, hidden, 1e-6f));
            }
            else
            {
                RmsNorm.Launch<TPrecision>(host, input.View.BaseView, weights.View.BaseView, 1e-6f, y);
            }
        });
        Check.SameBits(expected, actual, $"{TPrecision.Name}, {rows} rows of {hidden}, fast {fast}");
    }
}
