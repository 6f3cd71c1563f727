// Red here: a projection depends on the engine, the threads, the batch, or on sizes that fill no vector.
using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class LinearProjectionPaths
{
    private static readonly int[] Outputs = [1, 15, 31, 32, 33, 50, 97];

    private static readonly int[] Inputs = [1, 5, 127, 128, 129, 255, 256, 257, 300, 385, 520];

    [Fact]
    public void ScalarEqualsVectorisedForSizesThatFillNoVector()
    {
        Sweep<Float32Precision>();
        Sweep<BFloat16Precision>();
    }

    [Fact]
    public void EveryNumberOfInputsAndOutputsUpTo257()
    {
        using WorkerPool workers = new(1);
        for (int size = 1; size <= 257; size++)
        {
            Compare<Float32Precision>(
                workers, new DenseMatrix(3, size, TestValues.Spread(3 * size, size)), 1, size % 4, false, size);
            Compare<BFloat16Precision>(
                workers, new DenseMatrix(size, 3, TestValues.Spread(3 * size, size)), 2, 1, true, size);
        }
    }

    [Fact]
    public void SpecialValuesTakeTheSameWay()
    {
        using WorkerPool workers = new(2);
        for (int seed = 0; seed < 20; seed++)
        {
            float[] x = TestValues.WithSpecials<Float32Precision>(5 * 140, seed);
            DenseMatrix weight = new(37, 140, TestValues.WithSpecials<Float32Precision>(37 * 140, ~seed));
            float[] expected = new float[5 * 37], actual = new float[5 * 37];
            LinearProjection.Scalar<Float32Precision>(workers, x, weight, [], expected);
            LinearProjection.Vectorised<Float32Precision>(workers, x, weight, [], actual);
            Check.SameBits(expected, actual, $"seed {seed}");

            Float8BlockMatrix blocks = MemorySource.Float8(37, 140, seed);
            LinearProjection.ApplyQuantised<Float32Precision>(ExecutionEngine.Scalar, workers, x, blocks, [], expected);
            LinearProjection.ApplyQuantised<Float32Precision>(
                ExecutionEngine.Vector512, workers, x, blocks, [], actual);
            Check.SameBits(expected, actual, $"quantised, seed {seed}");
        }
    }

    [Fact]
    public void BlockFloat8WithRaggedBlocks()
    {
        using WorkerPool workers = new(2);
        foreach (int outputs in new int[] { 1, 33, 128, 131, 290 })
        {
            foreach (int inputs in new int[] { 1, 100, 128, 200, 257, 390 })
            {
                Float8BlockMatrix weight = MemorySource.Float8(outputs, inputs, outputs + inputs);
                foreach (int tokens in new int[] { 0, 1, 3, 4, 6 })
                {
                    Compare<Float32Precision>(workers, weight, tokens, 1, tokens == 3, inputs);
                    Compare<BFloat16Precision>(workers, weight, tokens, 0, tokens == 3, inputs);
                    CompareQuantised<Float32Precision>(workers, weight, tokens, tokens == 3);
                    CompareQuantised<BFloat16Precision>(workers, weight, tokens, tokens == 3);
                }
            }
        }
    }

    [Fact]
    public void RowsOfABlockFloat8MatrixEqualItsPanels()
    {
        Float8BlockMatrix weight = MemorySource.Float8(150, 300, 1);
        float[] row = new float[300], panel = new float[32 * 44];
        for (int first = 0; first < 150; first += 32)
        {
            weight.ReadPanel(first, 256, 44, panel);
            for (int lane = 0; lane < 32; lane++)
            {
                if (first + lane < 150)
                {
                    weight.ReadRow(first + lane, row);
                }
                else
                {
                    row.AsSpan().Clear();
                }

                for (int column = 0; column < 44; column++)
                {
                    Assert.Equal(row[256 + column], panel[(column * 32) + lane]);
                }
            }
        }
    }

    [Fact]
    public void ThreadsAndBatchesChangeNothing()
    {
        const int Tokens = 9, InputCount = 300, OutputCount = 143;
        float[] x = TestValues.Spread(Tokens * InputCount, 1), bias = TestValues.Spread(OutputCount, 2);
        DenseMatrix dense = new(OutputCount, InputCount, TestValues.Spread(OutputCount * InputCount, 3));
        Float8BlockMatrix blocks = MemorySource.Float8(OutputCount, InputCount, 4);
        using WorkerPool one = new(1);
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            float[] expected = new float[Tokens * OutputCount], quantised = new float[expected.Length];
            LinearProjection.Apply<Float32Precision>(engine, one, x, dense, bias, expected);
            LinearProjection.ApplyQuantised<Float32Precision>(engine, one, x, blocks, bias, quantised);
            foreach (int threads in new int[] { 2, 3 })
            {
                using WorkerPool workers = new(threads);
                float[] actual = new float[expected.Length];
                LinearProjection.Apply<Float32Precision>(engine, workers, x, dense, bias, actual);
                Check.SameBits(expected, actual, $"{engine.Word()}, {threads} threads");
                LinearProjection.ApplyQuantised<Float32Precision>(engine, workers, x, blocks, bias, actual);
                Check.SameBits(quantised, actual, $"{engine.Word()}, {threads} threads, quantised");
            }

            for (int t = 0; t < Tokens; t++)
            {
                float[] alone = new float[OutputCount];
                ReadOnlySpan<float> row = x.AsSpan(t * InputCount, InputCount);
                LinearProjection.Apply<Float32Precision>(engine, one, row, dense, bias, alone);
                Check.SameBits(expected.AsSpan(t * OutputCount, OutputCount), alone, $"{engine.Word()}, token {t}");
                LinearProjection.ApplyQuantised<Float32Precision>(engine, one, row, blocks, bias, alone);
                Check.SameBits(
                    quantised.AsSpan(t * OutputCount, OutputCount), alone, $"{engine.Word()}, token {t}, quantised");
            }
        }
    }

    /// <summary>Every height of a tile, one tile and several, sizes that fill nothing, every way of storing.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void EveryNumberOfTokensUpTo40InEveryFormat(int threads)
    {
        using WorkerPool workers = new(threads);
        foreach ((int outputs, int inputs) in new (int, int)[] { (97, 300), (33, 128), (64, 641), (5, 257) })
        {
            float[] values = TestValues.Spread<BFloat16Precision>(outputs * inputs, inputs);
            WeightMatrix[] weights =
            [
                new DenseMatrix(outputs, inputs, values, PanelFormat.BFloat16),
                new DenseMatrix(outputs, inputs, TestValues.Spread(outputs * inputs, outputs)),
                MemorySource.Float8(outputs, inputs, 3),
            ];
            for (int tokens = 1; tokens <= 40; tokens++)
            {
                foreach (WeightMatrix weight in weights)
                {
                    Compare<Float32Precision>(workers, weight, tokens, tokens % 3, tokens % 2 == 0, tokens);
                }

                CompareQuantised<Float32Precision>(workers, (Float8BlockMatrix)weights[2], tokens, tokens % 2 == 0);
            }
        }
    }

    /// <summary>More rows than a pass takes, and groups of panels that do not divide the matrix.</summary>
    [Theory]
    [InlineData(127)] // two threads: the last by columns, in two passes
    [InlineData(128)] // and the first by rows
    [InlineData(129)]
    [InlineData(700)]
    [InlineData(1100)]
    public void ManyTokens(int tokens)
    {
        using WorkerPool workers = new(2);
        foreach (PanelFormat format in new[] { PanelFormat.BFloat16, PanelFormat.Float32 })
        {
            DenseMatrix weight = new(300, 270, TestValues.Spread<BFloat16Precision>(300 * 270, 1), format);
            Compare<BFloat16Precision>(workers, weight, tokens, 1, withBias: true, 2);
        }

        Float8BlockMatrix blocks = MemorySource.Float8(300, 270, 3);
        Compare<Float32Precision>(workers, blocks, tokens, 0, withBias: false, 4);
        CompareQuantised<Float32Precision>(workers, blocks, tokens, withBias: true);
    }

    /// <summary>The second call with weights in memory takes nothing from the managed heap.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100)]
    public void AProductAllocatesNothing(int tokens)
    {
        using WorkerPool workers = new(2);
        DenseMatrix weight = new(97, 300, TestValues.Spread(97 * 300, 1));
        float[] x = TestValues.Spread(tokens * 300, 2), y = new float[tokens * 97];
        weight.Pack(workers);
        LinearProjection.Vectorised<BFloat16Precision>(workers, x, weight, [], y);
        long before = GC.GetAllocatedBytesForCurrentThread();
        LinearProjection.Vectorised<BFloat16Precision>(workers, x, weight, [], y);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        weight.Unpack();
    }

    private static void Sweep<TPrecision>()
        where TPrecision : struct, IPrecision
    {
        using WorkerPool workers = new(2);
        foreach (int outputs in Outputs)
        {
            foreach (int inputs in Inputs)
            {
                DenseMatrix weight =
                    new(outputs, inputs, TestValues.Spread<TPrecision>(outputs * inputs, outputs + inputs));
                for (int tokens = 0; tokens <= 9; tokens++)
                {
                    int offset = TestValues.Offsets[tokens % 4];
                    Compare<TPrecision>(workers, weight, tokens, offset, withBias: (tokens + outputs) % 2 == 0, inputs);
                }
            }
        }
    }

    private static void Compare<TPrecision>(
        WorkerPool workers, WeightMatrix weight, int tokens, int offset, bool withBias, int seed)
        where TPrecision : struct, IPrecision
    {
        Span<float> x = TestValues.Spread<TPrecision>((tokens * weight.Inputs) + offset, seed).AsSpan(offset);
        Span<float> bias = withBias ? TestValues.Spread<TPrecision>(weight.Outputs + offset, ~seed).AsSpan(offset) : [];
        float[] expected = new float[tokens * weight.Outputs], actual = new float[expected.Length + offset];
        LinearProjection.Scalar<TPrecision>(workers, x, weight, bias, expected);
        LinearProjection.Vectorised<TPrecision>(workers, x, weight, bias, actual.AsSpan(offset));
        string axes = $"{TPrecision.Name}, [{weight.Outputs}, {weight.Inputs}], {tokens} tokens, offset {offset}, "
            + $"bias {withBias}";
        Check.SameBits(expected, actual.AsSpan(offset), axes);
        InMemory(workers, weight, () =>
        {
            actual.AsSpan().Clear();
            LinearProjection.Vectorised<TPrecision>(
                workers,
                TestValues.Spread<TPrecision>((tokens * weight.Inputs) + offset, seed).AsSpan(offset),
                weight,
                withBias ? TestValues.Spread<TPrecision>(weight.Outputs + offset, ~seed).AsSpan(offset) : [],
                actual.AsSpan(offset));
            Check.SameBits(expected, actual.AsSpan(offset), $"{axes}, in memory as {weight.Panels!.Format}");
        });
    }

    private static void InMemory(WorkerPool workers, WeightMatrix weight, Action action)
    {
        weight.Pack(workers);
        Assert.NotNull(weight.Panels);
        action();
        weight.Unpack();
        Assert.Null(weight.Panels);
    }

    private static void CompareQuantised<TPrecision>(
        WorkerPool workers, Float8BlockMatrix weight, int tokens, bool withBias)
        where TPrecision : struct, IPrecision
    {
        float[] x = TestValues.Spread<TPrecision>(tokens * weight.Inputs, tokens);
        float[] bias = withBias ? TestValues.Spread<TPrecision>(weight.Outputs, 1) : [];
        float[] expected = new float[tokens * weight.Outputs], actual = new float[expected.Length];
        LinearProjection.ApplyQuantised<TPrecision>(ExecutionEngine.Scalar, workers, x, weight, bias, expected);
        LinearProjection.ApplyQuantised<TPrecision>(ExecutionEngine.Vector512, workers, x, weight, bias, actual);
        string axes = $"{TPrecision.Name}, quantised [{weight.Outputs}, {weight.Inputs}], {tokens} tokens";
        Check.SameBits(expected, actual, axes);
        InMemory(workers, weight, () =>
        {
            Assert.Equal(PanelFormat.Float8E4M3, weight.Panels!.Format);
            actual.AsSpan().Clear();
            LinearProjection.ApplyQuantised<TPrecision>(ExecutionEngine.Vector512, workers, x, weight, bias, actual);
            Check.SameBits(expected, actual, $"{axes}, in memory");
        });
    }
}
