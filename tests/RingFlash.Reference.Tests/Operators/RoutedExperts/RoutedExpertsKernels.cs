// Red here: the routed experts on a device have other bits than on the CPU.
using System;
using System.Linq;
using FsCheck.Xunit;
using ILGPU;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 6)]
public sealed class RoutedExpertsKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Property]
    public void TheKernelsHaveTheBitsOfVector512(int seed, byte rows, byte wide, byte inner, byte slots)
    {
        int tokens = 1 + (rows % 9), hidden = 1 + (wide % 150), intermediate = 1 + (inner % 40);
        foreach (PanelFormat format in Enum.GetValues<PanelFormat>())
        {
            Compare<Float32Precision>(seed, tokens, hidden, intermediate, 1 + (slots % 9), format);
        }

        Compare<BFloat16Precision>(seed, tokens, hidden, intermediate, 1 + (slots % 9), PanelFormat.BFloat16);
    }

    [Property(MaxTest = 3)]
    public void ForFewTokensToo(int seed, byte rows, byte wide, byte slots)
    {
        int tokens = 1 + (rows % 2), hidden = 128 * (1 + (wide % 2));
        foreach (PanelFormat format in Enum.GetValues<PanelFormat>())
        {
            Compare<Float32Precision>(seed, tokens, hidden, 128, 1 + (slots % 9), format);
        }
    }

    [Property]
    public void QuantisedActivationsToo(int seed, byte rows, byte wide, byte inner, byte slots)
    {
        int tokens = 1 + (rows % 5), hidden = 1 + (wide % 200), intermediate = 1 + (inner % 140);
        Compare<Float32Precision>(
            seed, tokens, hidden, intermediate, 1 + (slots % 9), PanelFormat.Float8E4M3, quantise: true);
        Compare<BFloat16Precision>(
            seed, tokens, hidden, intermediate, 1 + (slots % 9), PanelFormat.Float8E4M3, quantise: true);
    }

    [Fact]
    public void ExpertsWhoseNumbersDoNotFitTheSmallFormatAreHeldInFull() => Compare<Float32Precision>(
        3, 4, 33, 7, slots: 9, PanelFormat.BFloat16, holdsItsPromise: false);

    [Fact]
    public void MatricesOfUnequalFormatsAreHeldInFull()
    {
        using WorkerPool workers = new(1);
        WeightMatrix codes = MemorySource.Float8(8, 8, 1), plain = new DenseMatrix(8, 8, TestValues.Spread(64, 2));
        using DeviceExperts experts = new(device.OneWarp, 2, 2, _ => (codes, codes, plain));
        Assert.Single(experts.Batches([0, 1], workers));
        Assert.Equal(PanelFormat.Float32, experts.Gate.Format);
        Assert.True(experts.IsComplete);
    }

    private void Compare<TPrecision>(
        int seed,
        int tokens,
        int hidden,
        int intermediate,
        int slots,
        PanelFormat format,
        bool holdsItsPromise = true,
        bool quantise = false)
        where TPrecision : struct, IPrecision
    {
        const int Experts = 9, TopK = 3; // with few tokens most experts have none
        Random random = new(seed);
        ExpertWeights[] weights = [.. Enumerable.Range(0, Experts).Select(expert => new ExpertWeights(
            Matrix(intermediate, hidden, seed + (3 * expert)),
            Matrix(intermediate, hidden, seed + (3 * expert) + 1),
            Matrix(hidden, intermediate, seed + (3 * expert) + 2)))];
        int[] indices = [.. Enumerable.Range(0, tokens)
            .SelectMany(_ => random.GetItems(Enumerable.Range(0, Experts).ToArray(), Experts).Distinct()
                .Concat(Enumerable.Range(0, Experts)).Distinct().Take(TopK))];
        float[] x = TestValues.Spread<TPrecision>(tokens * hidden, ~seed);
        float[] expected = new float[tokens * TopK * hidden];
        using WorkerPool workers = new(1);
        RoutedExperts.Apply<TPrecision>(
            ExecutionEngine.Vector512,
            workers,
            quantise,
            x,
            ExpertDispatch.Group(indices, TopK, Experts),
            expert => weights[expert],
            expected);
        foreach (KernelHost host in device.All)
        {
            using DeviceExperts experts = new(
                host, Experts, slots, expert => (weights[expert].Gate, weights[expert].Up, weights[expert].Down));
            ArrayView<float> rows = CpuDevice.Bring(host, x);
            ArrayView<int> choice = CpuDevice.Bring(host, indices);
            int[] integers = new int[Math.Max(tokens * TopK, Experts + 1)];
            ArrayView<float> gate = CpuDevice.Bring(host, new float[tokens * TopK * intermediate]);
            ArrayView<float> up = CpuDevice.Bring(host, new float[tokens * TopK * intermediate]);
            (int codes, int scales) = RoutedExperts.QuantisedRoom.Lengths(tokens, TopK, hidden, intermediate);
            RoutedExperts.QuantisedRoom quantised = new(
                gate, up, CpuDevice.Bring(host, new float[codes]), CpuDevice.Bring(host, new float[scales]));
            RoutedExperts.ExpertRoom room = new(
                gate,
                up,
                CpuDevice.Bring(host, integers),
                CpuDevice.Bring(host, integers),
                CpuDevice.Bring(host, integers));
            float[] actual = CpuDevice.Run(host, expected.Length, y =>
            {
                foreach (DeviceExperts batch in experts.Batches(indices, workers))
                {
                    if (quantise)
                    {
                        RoutedExperts.LaunchQuantised<TPrecision>(host, rows, choice, TopK, batch, quantised, y);
                    }
                    else
                    {
                        RoutedExperts.Launch<TPrecision>(host, rows, choice, TopK, batch, room, y);
                    }
                }
            });
            Check.SameBits(
                expected, actual, $"{TPrecision.Name}, {format}, {tokens} × {hidden} × {intermediate}, {slots} slots");
            Assert.Equal(holdsItsPromise ? format : PanelFormat.Float32, experts.Gate.Format);
        }

        WeightMatrix Matrix(int outputs, int inputs, int number) => format switch
        {
            PanelFormat.Float8E4M3 => MemorySource.Float8(outputs, inputs, number),
            PanelFormat.BFloat16 when holdsItsPromise => new DenseMatrix(
                outputs, inputs, TestValues.Spread<BFloat16Precision>(outputs * inputs, number), format),
            _ => new DenseMatrix(outputs, inputs, TestValues.Spread(outputs * inputs, number), format),
        };
    }
}
