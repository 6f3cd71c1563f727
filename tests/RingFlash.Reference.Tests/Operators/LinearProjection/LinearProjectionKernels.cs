// Red here: a projection on a device has other bits than on the CPU.
using System;
using FsCheck.Xunit;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 12)]
public sealed class LinearProjectionKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheNaiveKernelHasTheBitsOfVector512(int seed, byte tokens, byte outputs, ushort inputs, bool bias)
    {
        int count = tokens % 6, rows = 1 + (outputs % 70), width = 1 + (inputs % 300);
        float[] values = TestValues.Spread<BFloat16Precision>(rows * width, ~seed);
        DenseMatrix narrow = new(rows, width, values, PanelFormat.BFloat16);
        DenseMatrix wide = new(rows, width, TestValues.Spread(rows * width, ~seed));
        Float8BlockMatrix codes = MemorySource.Float8(rows, width, seed);
        foreach ((WeightMatrix matrix, PanelFormat format) in new (WeightMatrix, PanelFormat)[]
            { (wide, PanelFormat.Float32), (narrow, PanelFormat.BFloat16), (codes, PanelFormat.Float8E4M3) })
        {
            Compare<Float32Precision>(device.OneWarp, seed, count, matrix, format, bias);
            Compare<BFloat16Precision>(device.TwoWarps, seed, count, matrix, format, bias);
            Compare<Float32Precision>(device.Interpreted, seed, count, matrix, format, bias);
        }
    }

    [Fact]
    public void NumbersThatDoNotFitTheSmallFormatAreHeldInFull()
    {
        DenseMatrix matrix = new(3, 5, TestValues.Spread(15, 1), PanelFormat.BFloat16);
        Compare<Float32Precision>(device.OneWarp, 1, 2, matrix, PanelFormat.Float32, withBias: false);
    }

    private static void Compare<TPrecision>(
        KernelHost host, int seed, int tokens, WeightMatrix matrix, PanelFormat format, bool withBias)
        where TPrecision : struct, IPrecision
    {
        float[] x = TestValues.WithSpecials<TPrecision>(tokens * matrix.Inputs, seed);
        float[] bias = withBias ? TestValues.Spread<TPrecision>(matrix.Outputs, seed + 1) : [];
        float[] expected = new float[tokens * matrix.Outputs];
        using WorkerPool workers = new(1);
        LinearProjection.Apply<TPrecision>(ExecutionEngine.Vector512, workers, x, matrix, bias, expected);
        using DeviceWeight weight = DeviceWeight.Upload(host, matrix, workers);
        Assert.Equal(format, weight.Format);
        using MemoryBuffer1D<float, Stride1D.Dense> input = host.Accelerator.Allocate1D<float>(Math.Max(1, x.Length));
        input.View.SubView(0, x.Length).CopyFromCPU(x);
        using MemoryBuffer1D<float, Stride1D.Dense> addends =
            host.Accelerator.Allocate1D<float>(Math.Max(1, bias.Length));
        addends.View.SubView(0, bias.Length).CopyFromCPU(bias);
        float[] actual = CpuDevice.Run(host, expected.Length, y => LinearProjection.Launch<TPrecision>(
            host,
            input.View.BaseView.SubView(0, x.Length),
            weight,
            addends.View.BaseView.SubView(0, bias.Length),
            y));
        Check.SameBits(expected, actual, $"{TPrecision.Name}, {format}, {tokens} × {matrix.Inputs} → {matrix.Outputs}");
    }
}
