// Red here: the fast family of projections is further from the truth than its page promises.
using System;
using System.Globalization;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class LinearProjectionTensorCores(CpuDevice device) : IClassFixture<CpuDevice>
{
    /// <summary>Tokens, inputs, outputs: one of each, what fills nothing, what fills a tile, several tiles.</summary>
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 },
        { 3, 130, 33 },
        { 17, 65, 8 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void ErrorsAreWithinThePagesBudget(int tokens, int inputs, int outputs)
    {
        KernelHost host = tokens == 1 ? device.TwoWarps : device.OneWarp;
        bool bias = inputs % 2 == 1;
        Compare<BFloat16Precision>(host, tokens, inputs, outputs, bias);
        Compare<Float32Precision>(host, tokens, inputs, outputs, bias);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    [InlineData(64, 64, 32)]
    [InlineData(65, 257, 35)]
    [InlineData(130, 300, 70)]
    [InlineData(4, 512, 129)]
    public void ThePtxIsWithinThePagesBudgetOnTheMostCarelessHardware(int tokens, int inputs, int outputs)
    {
        Compare<BFloat16Precision>(device.Interpreted, tokens, inputs, outputs, outputs % 2 == 1);
        Compare<Float32Precision>(device.Interpreted, tokens, inputs, outputs, outputs % 2 == 1);
    }

    [Fact]
    public void WholeNumbersAreExactWhateverTheOrder()
    {
        // Every partial sum is a whole number that float32 holds: only a wrong place or a missing product can differ.
        const int Tokens = 20, Inputs = 70, Outputs = 33;
        float[] x = TestValues.WholeNumbers(Tokens * Inputs, 1), bias = TestValues.WholeNumbers(Outputs, 2);
        DenseMatrix matrix = new(
            Outputs, Inputs, TestValues.WholeNumbers(Outputs * Inputs, 3), PanelFormat.BFloat16);
        float[] expected = new float[Tokens * Outputs];
        using WorkerPool workers = new(1);
        LinearProjection.Apply<BFloat16Precision>(ExecutionEngine.Scalar, workers, x, matrix, bias, expected);
        Check.SameBits(expected, Multiply<BFloat16Precision>(device.OneWarp, x, matrix, bias), "in C#");
        Check.SameBits(expected, Multiply<BFloat16Precision>(device.Interpreted, x, matrix, bias), "in PTX");
    }

    [Fact]
    public void WhatIsNotFiniteStaysInItsRow()
    {
        float[] x = new float[4 * 70];
        Array.Fill(x, 1f);
        (x[3], x[70 + 65], x[(2 * 70) + 1]) = (float.NaN, float.PositiveInfinity, 3.4e38f); // bf16: ∞
        float[] ones = new float[9 * 70];
        Array.Fill(ones, 1f);
        DenseMatrix matrix = new(9, 70, ones, PanelFormat.BFloat16);
        float[] y = Multiply<Float32Precision>(device.OneWarp, x, matrix, []);
        Assert.All(y[..9], value => Assert.Equal(float.NaN, value));
        Assert.All(y[9..18], value => Assert.Equal(float.PositiveInfinity, value));
        Assert.All(y[18..27], value => Assert.InRange(value, 3.3999e38f, 3.4001e38f));
        Assert.All(y[27..], value => Assert.Equal(70f, value));
    }

    [Fact]
    public void Float32WeightsAreRefused()
    {
        DenseMatrix matrix = new(2, 2, [0.1f, 1f, 2f, 3f]);
        Assert.Throws<ArgumentException>(() => Multiply<Float32Precision>(device.OneWarp, [1f, 2f], matrix, []));
    }

    [Fact]
    public void EveryCodeWidensToItsNumber()
    {
        for (int code = 0; code < 256; code++)
        {
            float expected = Float8E4M3.ToSingle((byte)code);
            UInt2 wide = DeviceIntrinsics.WidenFloat8((uint)(code * 0x01000001));
            Assert.Equal(expected, BFloat16.ToSingle((ushort)wide.X));
            Assert.Equal(0u, wide.X >> 16);
            Assert.Equal(0u, wide.Y & 0xFFFF);
            Assert.Equal(expected, BFloat16.ToSingle((ushort)(wide.Y >> 16)));
        }
    }

    private static void Compare<TPrecision>(KernelHost host, int tokens, int inputs, int outputs, bool withBias)
        where TPrecision : struct, IPrecision
    {
        int seed = tokens + inputs + outputs;
        float[] x = TestValues.Spread<TPrecision>(tokens * inputs, seed);
        float[] bias = withBias ? TestValues.Spread<TPrecision>(outputs, seed + 1) : [];
        float[] values = TestValues.Spread<BFloat16Precision>(outputs * inputs, ~seed);
        foreach (WeightMatrix matrix in new WeightMatrix[]
        {
            new DenseMatrix(outputs, inputs, values, PanelFormat.BFloat16),
            MemorySource.Float8(outputs, inputs, seed),
        })
        {
            double[] exact = new double[tokens * outputs], gauge = new double[exact.Length];
            using WorkerPool workers = new(1);
            LinearProjection.Exact(workers, TestValues.Wide(x), matrix, bias, exact);
            LinearProjection.Exact(
                workers,
                Array.ConvertAll(TestValues.Wide(x), Math.Abs),
                Absolute(matrix),
                Array.ConvertAll(bias, Math.Abs),
                gauge);
            double units = LinearProjection.TensorCoreUnits<TPrecision>(inputs);
            Check.Within(
                Multiply<TPrecision>(host, x, matrix, bias),
                exact,
                i => (Check.Relative<Float32Precision>(units, 0) * gauge[i] * (1 + TPrecision.UnitRoundoff))
                    + (Check.Relative<TPrecision>(0, 1) * Math.Abs(exact[i])),
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{TPrecision.Name}, {matrix.GetType().Name}, {tokens} × {inputs} → {outputs}"));
        }
    }

    private static DenseMatrix Absolute(WeightMatrix matrix)
    {
        float[] values = new float[matrix.Outputs * matrix.Inputs];
        for (int row = 0; row < matrix.Outputs; row++)
        {
            matrix.ReadRow(row, values.AsSpan(row * matrix.Inputs, matrix.Inputs));
        }

        return new DenseMatrix(matrix.Outputs, matrix.Inputs, Array.ConvertAll(values, Math.Abs));
    }

    private static float[] Multiply<TPrecision>(KernelHost host, float[] x, WeightMatrix matrix, float[] bias)
        where TPrecision : struct, IPrecision
    {
        int tokens = x.Length / matrix.Inputs;
        using WorkerPool workers = new(1);
        using DeviceWeight weight = DeviceWeight.Upload(host, matrix, workers);
        using MemoryBuffer1D<float, Stride1D.Dense> input = host.Accelerator.Allocate1D(x);
        using MemoryBuffer1D<float, Stride1D.Dense> addends =
            host.Accelerator.Allocate1D<float>(Math.Max(1, bias.Length));
        addends.View.SubView(0, bias.Length).CopyFromCPU(bias);
        using MemoryBuffer1D<uint, Stride1D.Dense> scratch = host.Accelerator.Allocate1D<uint>(
            LinearProjection.TensorCoreScratch<TPrecision>(tokens, matrix.Inputs));
        return CpuDevice.Run(host, tokens * matrix.Outputs, y => LinearProjection.LaunchTensorCores<TPrecision>(
            host,
            input.View.BaseView,
            weight,
            addends.View.BaseView.SubView(0, bias.Length),
            scratch.View.BaseView,
            y));
    }
}
