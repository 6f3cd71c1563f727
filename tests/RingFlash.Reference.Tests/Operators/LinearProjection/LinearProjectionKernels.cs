// Red here: a projection on a device has other bits than on the CPU.
using System;
using FsCheck;
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
    public void TheNaiveKernelHasTheBitsOfVector512(
        int seed, byte tokens, byte outputs, DoNotSize<ushort> inputs, bool bias)
    {
        // The interpreter takes the tile kernel for most of these.
        int count = tokens % 40, rows = 1 + (outputs % 70), width = 1 + (inputs.Item % 300);
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

    [Property(MaxTest = 5)]
    public void TheRowKernelHasTheBitsOfVector512(int seed, byte tokens, byte outputs, byte blocks, bool bias)
    {
        int count = 1 + (tokens % 3), rows = 1 + (outputs % 45), width = 128 * (1 + (blocks % 10));
        foreach (WeightMatrix matrix in Matrices(rows, width, seed))
        {
            Compare<Float32Precision>(device.Interpreted, seed, count, matrix, matrix.SmallestFormat, bias);
        }
    }

    [Theory]
    [InlineData(33)]
    [InlineData(72)]
    public void TheRowKernelTakesRowsOfMoreBlocksThanLanes(int blocks)
    {
        foreach (WeightMatrix matrix in Matrices(3, 128 * blocks, blocks))
        {
            Compare<BFloat16Precision>(device.Interpreted, 1, 1, matrix, matrix.SmallestFormat, withBias: true);
        }
    }

    [Fact]
    public void TheRowKernelIsTheSameInCSharp()
    {
        foreach (WeightMatrix matrix in Matrices(11, 384, 5))
        {
            Compare<Float32Precision>(device.TwoWarps, 1, 1, matrix, matrix.SmallestFormat, withBias: true, rows: true);
        }
    }

    [Property(MaxTest = 8)]
    public void QuantisedActivationsGiveTheSameBits(
        int seed, byte tokens, byte outputs, DoNotSize<ushort> inputs, bool bias)
    {
        int count = tokens % 4, rows = 1 + (outputs % 40), width = 1 + (inputs.Item % 300);
        Float8BlockMatrix matrix = MemorySource.Float8(rows, width, seed);
        float[] x = TestValues.WithSpecials<Float32Precision>(count * width, seed);
        float[] addends = bias ? TestValues.Spread(rows, seed + 1) : [], expected = new float[count * rows];
        using WorkerPool workers = new(1);
        LinearProjection.ApplyQuantised<Float32Precision>(
            ExecutionEngine.Vector512, workers, x, matrix, addends, expected);
        foreach (KernelHost host in device.All)
        {
            using DeviceWeight weight = DeviceWeight.Upload(host, matrix, workers);
            ArrayView<float> codes = CpuDevice.Bring(host, new float[x.Length]);
            ArrayView<float> scales = CpuDevice.Bring(host, new float[count * ((width + 127) / 128)]);
            ArrayView<float> input = CpuDevice.Bring(host, x), addend = CpuDevice.Bring(host, addends);
            float[] actual = CpuDevice.Run(host, expected.Length, y =>
                LinearProjection.LaunchQuantised<Float32Precision>(host, input, weight, addend, codes, scales, y));
            Check.SameBits(expected, actual, $"{count} × {width} → {rows}");
        }
    }

    [Fact]
    public void NumbersThatDoNotFitTheSmallFormatAreHeldInFull()
    {
        DenseMatrix matrix = new(3, 5, TestValues.Spread(15, 1), PanelFormat.BFloat16);
        Compare<Float32Precision>(device.OneWarp, 1, 2, matrix, PanelFormat.Float32, withBias: false);
    }

    private static WeightMatrix[] Matrices(int outputs, int inputs, int seed) =>
    [
        new DenseMatrix(outputs, inputs, TestValues.Spread(outputs * inputs, ~seed)),
        new DenseMatrix(
            outputs, inputs, TestValues.Spread<BFloat16Precision>(outputs * inputs, ~seed), PanelFormat.BFloat16),
        MemorySource.Float8(outputs, inputs, seed),
    ];

    private static void LaunchRows<TPrecision>(
        KernelHost host, DeviceWeight weight, LinearProjection.RowArguments arguments)
        where TPrecision : struct, IPrecision
    {
        switch (weight.Format)
        {
            case PanelFormat.Float32:
                LinearProjection.LaunchRows<TPrecision, Float32Format>(host, arguments);
                break;
            case PanelFormat.BFloat16:
                LinearProjection.LaunchRows<TPrecision, BFloat16Format>(host, arguments);
                break;
            default:
                LinearProjection.LaunchRows<TPrecision, Float8Format>(host, arguments);
                break;
        }
    }

    private static void Compare<TPrecision>(
        KernelHost host,
        int seed,
        int tokens,
        WeightMatrix matrix,
        PanelFormat format,
        bool withBias,
        bool rows = false)
        where TPrecision : struct, IPrecision
    {
        float[] x = TestValues.WithSpecials<TPrecision>(tokens * matrix.Inputs, seed);
        float[] bias = withBias ? TestValues.Spread<TPrecision>(matrix.Outputs, seed + 1) : [];
        float[] expected = new float[tokens * matrix.Outputs];
        using WorkerPool workers = new(1);
        LinearProjection.Apply<TPrecision>(ExecutionEngine.Vector512, workers, x, matrix, bias, expected);
        using DeviceWeight weight = DeviceWeight.Upload(host, matrix, workers);
        Assert.Equal(format, weight.Format);
        ArrayView<float> input = CpuDevice.Bring(host, x), addends = CpuDevice.Bring(host, bias);
        float[] actual = CpuDevice.Run(host, expected.Length, y =>
        {
            if (rows)
            {
                LaunchRows<TPrecision>(host, weight, new(
                    LinearProjection.ProductPlaces.Plain(tokens), input, weight.Matrix, addends, y));
            }
            else
            {
                LinearProjection.Launch<TPrecision>(host, input, weight, addends, y);
            }
        });
        Check.SameBits(expected, actual, $"{TPrecision.Name}, {format}, {tokens} × {matrix.Inputs} → {matrix.Outputs}");
    }
}
