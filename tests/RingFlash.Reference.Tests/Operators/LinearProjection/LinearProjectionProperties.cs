// Red here: a projection is further from the truth than its page promises, or breaks a law of linear maps.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 25)]
public sealed class LinearProjectionProperties
{
    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, ushort inputs, byte outputs)
    {
        AgainstExact<Float32Precision>(1 + (inputs % 700), 1 + (outputs % 40), seed);
        AgainstExact<BFloat16Precision>(1 + (inputs % 700), 1 + (outputs % 40), seed);
    }

    [Fact]
    public void OverThePublishedWidthsErrorsStayBelowThreeUnitsAsThePageMeasured()
    {
        foreach (int inputs in new int[] { 1024, 4096, 5120, 8192 })
        {
            AgainstExact<Float32Precision>(inputs, 64, inputs, 3);
        }
    }

    [Property]
    public void QuantisedErrorsAreWithinThePagesBound(int seed, ushort inputs, byte outputs)
    {
        int columns = 1 + (inputs % 500), rows = 1 + outputs, blocks = (columns + 127) / 128;
        Float8BlockMatrix weight = MemorySource.Float8(rows, columns, seed);
        float[] x = TestValues.Spread(2 * columns, seed), codes = new float[x.Length], scales = new float[2 * blocks];
        float[] y = new float[2 * rows], bias = TestValues.Spread(rows, seed), row = new float[columns];
        LinearProjection.QuantiseActivations(x, columns, codes, scales);
        using WorkerPool workers = new(1);
        LinearProjection.ApplyQuantised<Float32Precision>(ExecutionEngine.Vector512, workers, x, weight, bias, y);
        double[] exact = new double[y.Length], gauge = new double[y.Length];
        for (int n = 0; n < rows; n++)
        {
            weight.ReadCodeRow(n, row);
            for (int t = 0; t < 2; t++)
            {
                double sum = bias[n], absolute = Math.Abs(bias[n]);
                for (int k = 0; k < columns; k++)
                {
                    double scale = (double)scales[(t * blocks) + (k / 128)] * weight.RowScales(n)[k / 128];
                    sum += codes[(t * columns) + k] * row[k] * scale;
                    absolute += Math.Abs(codes[(t * columns) + k] * row[k] * scale);
                }

                (exact[(t * rows) + n], gauge[(t * rows) + n]) = (sum, absolute);
            }
        }

        Check.Within(
            y,
            exact,
            i => Check.Relative<Float32Precision>(130 + blocks + 1, 0) * gauge[i],
            $"[{rows}, {columns}], seed {seed}");
    }

    [Property]
    public void WholeNumbersAreExact(int seed, ushort inputs, byte outputs)
    {
        // At most 600 · 15 · 15 + 15 < 2^24: every partial sum is a whole number that float32 holds.
        int columns = 1 + (inputs % 600), rows = 1 + (outputs % 70);
        float[] x = TestValues.WholeNumbers(3 * columns, seed), bias = TestValues.WholeNumbers(rows, seed + 1);
        DenseMatrix weight = new(rows, columns, TestValues.WholeNumbers(rows * columns, ~seed));
        double[] exact = new double[3 * rows];
        using WorkerPool workers = new(1);
        LinearProjection.Exact(workers, TestValues.Wide(x), weight, bias, exact);
        Check.Within(Apply<Float32Precision>(x, weight, bias), exact, _ => 0, $"[{rows}, {columns}], seed {seed}");
    }

    [Property]
    public void PowersOfTwoScale(int seed, ushort inputs, byte shift)
    {
        int columns = 1 + (inputs % 400), exponent = (shift % 60) - 30;
        float[] x = TestValues.Spread(2 * columns, seed);
        DenseMatrix weight = new(21, columns, TestValues.Spread(21 * columns, ~seed));
        Check.SameBits(
            TestValues.Scaled(Apply<BFloat16Precision>(x, weight, []), exponent),
            Apply<BFloat16Precision>(TestValues.Scaled(x, exponent), weight, []),
            $"{columns} inputs, times 2^{exponent}, seed {seed}");
    }

    [Property]
    public void PermutingTokensCommutes(int seed, byte count)
    {
        const int Columns = 140, Rows = 35;
        int tokens = count % 11;
        float[] x = TestValues.Spread(tokens * Columns, seed);
        DenseMatrix weight = new(Rows, Columns, TestValues.Spread(Rows * Columns, ~seed));
        int[] order = TestValues.Permutation(tokens, seed);
        Check.SameBits(
            TestValues.PermuteRows(Apply<Float32Precision>(x, weight, []), Rows, order),
            Apply<Float32Precision>(TestValues.PermuteRows(x, Columns, order), weight, []),
            $"{tokens} tokens, seed {seed}");
    }

    private static void AgainstExact<TPrecision>(int columns, int rows, int seed, double? measured = null)
        where TPrecision : struct, IPrecision
    {
        float[] x = TestValues.Spread<TPrecision>(2 * columns, seed);
        float[] values = TestValues.Spread<TPrecision>(rows * columns, ~seed);
        float[] bias = TestValues.Spread<TPrecision>(rows, seed, binades: 12); // at times far larger than the sum
        double[] exact = new double[2 * rows], gauge = new double[2 * rows];
        using WorkerPool workers = new(1);
        LinearProjection.Exact(workers, TestValues.Wide(x), new DenseMatrix(rows, columns, values), bias, exact);
        LinearProjection.Exact(
            workers,
            Array.ConvertAll(TestValues.Wide(x), Math.Abs),
            new DenseMatrix(rows, columns, Array.ConvertAll(values, Math.Abs)),
            Array.ConvertAll(bias, Math.Abs),
            gauge);
        double units = measured ?? 128 + ((columns + 127) / 128) + 1;
        Check.Within(
            Apply<TPrecision>(x, new DenseMatrix(rows, columns, values), bias),
            exact,
            i => (Check.Relative<Float32Precision>(units, 0) * gauge[i] * (1 + TPrecision.UnitRoundoff))
                + (Check.Relative<TPrecision>(0, 1) * Math.Abs(exact[i])),
            $"{TPrecision.Name}, [{rows}, {columns}], seed {seed}");
    }

    private static float[] Apply<TPrecision>(float[] x, WeightMatrix weight, float[] bias)
        where TPrecision : struct, IPrecision
    {
        using WorkerPool workers = new(1);
        float[] y = new float[x.Length / weight.Inputs * weight.Outputs];
        LinearProjection.Apply<TPrecision>(ExecutionEngine.Vector512, workers, x, weight, bias, y);
        return y;
    }
}
