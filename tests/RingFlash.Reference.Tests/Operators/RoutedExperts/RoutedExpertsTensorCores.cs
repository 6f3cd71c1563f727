// Red here: the fast family of routed experts is further from the truth than its page promises, or mixes rows up.
using System;
using System.Linq;
using ILGPU;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RoutedExpertsTensorCores(CpuDevice device) : IClassFixture<CpuDevice>
{
    private const int Experts = 5, TopK = 2;

    /// <summary>
    /// Tokens, hidden, intermediate, slots: less than a tile, several tiles of an expert, experts in turns.
    /// </summary>
    public static TheoryData<int, int, int, int> Shapes => new()
    {
        { 3, 70, 9, Experts },
        { 90, 130, 33, Experts },
        { 40, 64, 140, 2 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void ThePtxIsWithinThePagesBudget(int tokens, int hidden, int intermediate, int slots)
    {
        Compare<BFloat16Precision>(device.Interpreted, tokens, hidden, intermediate, slots, codes: false);
        Compare<Float32Precision>(device.Interpreted, tokens, hidden, intermediate, slots, codes: true);
    }

    [Fact]
    public void TheSourceToo() => Compare<BFloat16Precision>(device.OneWarp, 3, 65, 8, Experts, codes: true);

    private static void Compare<TPrecision>(
        KernelHost host, int tokens, int hidden, int intermediate, int slots, bool codes)
        where TPrecision : struct, IPrecision
    {
        ExpertWeights[] weights = [.. Enumerable.Range(0, Experts).Select(expert => new ExpertWeights(
            Matrix(intermediate, hidden, 3 * expert),
            Matrix(intermediate, hidden, (3 * expert) + 1),
            Matrix(hidden, intermediate, (3 * expert) + 2)))];

        // Expert 0 has half of the assignments, the last one none.
        int[] indices = [.. Enumerable.Range(0, tokens).SelectMany(token => new[] { 1 + (token % 3), 0 })];
        float[] x = TestValues.Scaled(TestValues.Spread<TPrecision>(tokens * hidden, 7), -3);
        using WorkerPool workers = new(1);
        using DeviceMemory memory = new(host);
        using DeviceExperts experts = new(
            host, Experts, slots, expert => (weights[expert].Gate, weights[expert].Up, weights[expert].Down));
        ArrayView<float> rows = memory.Upload(x), outputs = memory.Fresh(tokens * TopK * hidden);
        ArrayView<int> choice = memory.Upload(indices);
        RoutedExperts.ExpertRoom room = new(
            memory.Fresh(tokens * TopK * intermediate),
            memory.Fresh(tokens * TopK * intermediate),
            memory.Upload(new int[tokens * TopK]),
            memory.Upload(new int[tokens * TopK]),
            memory.Upload(new int[Experts + 1]));
        ArrayView<uint> scratch = memory.Upload(
            new uint[RoutedExperts.TensorCoreScratch<TPrecision>(tokens, TopK, hidden, intermediate)]);
        foreach (DeviceExperts batch in experts.Batches(indices, workers))
        {
            RoutedExperts.LaunchTensorCores<TPrecision>(host, rows, choice, TopK, batch, room, scratch, outputs);
        }

        float[] actual = memory.Read(outputs);
        double[] exact = new double[actual.Length], allowed = new double[actual.Length];
        RoutedExperts.Exact(
            workers,
            TestValues.Wide(x),
            ExpertDispatch.Group(indices, TopK, Experts),
            expert => weights[expert],
            exact);
        for (int row = 0; row < indices.Length; row++)
        {
            Allow<TPrecision>(
                weights[indices[row]],
                x.AsSpan(row / TopK * hidden, hidden),
                allowed.AsSpan(row * hidden, hidden));
        }

        Check.Within(
            actual,
            exact,
            i => allowed[i],
            $"{TPrecision.Name}, {(codes ? "FP8" : "bf16")}, {tokens} × {hidden} × {intermediate}, {slots} slots");

        WeightMatrix Matrix(int outputCount, int inputs, int seed) => codes
            ? MemorySource.Float8(outputCount, inputs, seed)
            : new DenseMatrix(
                outputCount,
                inputs,
                TestValues.Scaled(TestValues.Spread<BFloat16Precision>(outputCount * inputs, seed), -2),
                PanelFormat.BFloat16);
    }

    /// <summary>The page's budget for one row, every gauge in float64.</summary>
    private static void Allow<TPrecision>(ExpertWeights weights, ReadOnlySpan<float> x, Span<double> allowed)
        where TPrecision : struct, IPrecision
    {
        int hidden = weights.Gate.Inputs, intermediate = weights.Gate.Outputs;
        double product =
            (LinearProjection.TensorCoreUnits<TPrecision>(hidden) * Check.FloatUnit) + TPrecision.UnitRoundoff;
        double units = RoutedExperts.TensorCoreUnits<TPrecision>(hidden, intermediate) * Check.FloatUnit;
        double[] gauge = new double[intermediate];
        float[] gateRow = new float[hidden], upRow = new float[hidden], downRow = new float[intermediate];
        for (int i = 0; i < intermediate; i++)
        {
            weights.Gate.ReadRow(i, gateRow);
            weights.Up.ReadRow(i, upRow);
            double gate = Summation.DotExact(x, gateRow), up = Summation.DotExact(x, upRow);
            double silu = Math.Abs(gate / (1 + Math.Exp(-gate)));
            double gates = Summation.DotGauge(x, gateRow), ups = Summation.DotGauge(x, upRow);

            // The page is to first order; where gate and up both cancel, the product of their errors counts.
            gauge[i] = (1.1 * Math.Abs(up) * gates) + (silu * ups) + (silu * Math.Abs(up))
                + (1.1 * product * gates * ups);
        }

        for (int n = 0; n < hidden; n++)
        {
            weights.Down.ReadRow(n, downRow);
            double sum = 0;
            for (int i = 0; i < intermediate; i++)
            {
                sum += Math.Abs(downRow[i]) * gauge[i];
            }

            allowed[n] = units * sum * (1 + (8 * TPrecision.UnitRoundoff));
        }
    }
}
