// Red here: the block-FP8 product is not the published one, in its codes, its scales or its sum.
using System;
using System.Runtime.InteropServices;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class LinearProjectionGolden
{
    private const string Golden = "fp8-gemm";
    private const int Tokens = 7, Inputs = 384, Outputs = 320, Blocks = 3;

    [Fact]
    public void CodesAndScalesOfActivationsAreThePublishedOnes()
    {
        float[] x = GoldenFile.ReadSingles(Golden, "activation"), codes = new float[x.Length];
        float[] scales = new float[Tokens * Blocks];
        LinearProjection.QuantiseActivations(x, Inputs, codes, scales);
        Check.SameBits(GoldenFile.ReadSingles(Golden, "activation.scale"), scales, "scales");
        Check.SameBits(Codes("activation.quantized"), codes, "codes");
    }

    [Fact]
    public void WeightsAreCodesTimesScales()
    {
        Float8BlockMatrix weight = Weight();
        float[] expected = GoldenFile.ReadSingles(Golden, "weight.dequantized"), row = new float[Inputs];
        for (int n = 0; n < Outputs; n++)
        {
            weight.ReadRow(n, row);
            Check.SameBits(expected.AsSpan(n * Inputs, Inputs), row, $"row {n}");
        }
    }

    [Theory]
    [InlineData(ExecutionEngine.Scalar)]
    [InlineData(ExecutionEngine.Vector512)]
    public void TheProductIsWithinThePagesBoundOfThePublishedFloat64Sum(ExecutionEngine engine)
    {
        using WorkerPool workers = new(2);
        float[] x = GoldenFile.ReadSingles(Golden, "activation");
        float[] y = new float[Tokens * Outputs];
        float[] row = new float[Inputs];
        LinearProjection.ApplyQuantised<Float32Precision>(engine, workers, x, Weight(), [], y);
        float[] codes = Codes("activation.quantized"), scales = GoldenFile.ReadSingles(Golden, "activation.scale");
        double[] gauge = new double[y.Length];
        for (int n = 0; n < Outputs; n++)
        {
            Weight().ReadCodeRow(n, row);
            for (int index = 0; index < Tokens * Inputs; index++)
            {
                int t = index / Inputs, k = index % Inputs;
                double scale = (double)scales[(t * Blocks) + (k / 128)] * Weight().RowScales(n)[k / 128];
                gauge[(t * Outputs) + n] += Math.Abs((double)codes[index] * row[k]) * scale;
            }
        }

        double[] exact = MemoryMarshal.Cast<byte, double>(GoldenFile.ReadBytes(Golden, "output.float64")).ToArray();
        Check.Within(y, exact, i => Check.Relative<Float32Precision>(130 + Blocks + 1, 0) * gauge[i], engine.Word());
    }

    private static float[] Codes(string tensor) =>
        Array.ConvertAll(GoldenFile.ReadBytes(Golden, tensor), Float8E4M3.ToSingle);

    private static Float8BlockMatrix Weight() => Cached.Value;

    private static readonly Lazy<Float8BlockMatrix> Cached = new(() =>
    {
        MemorySource source = new();
        float[] scales = GoldenFile.ReadSingles(Golden, "weight.scale_inv");
        return new Float8BlockMatrix(
            source,
            source.Add("codes", ElementType.Float8E4M3, Codes("weight.quantized"), Outputs, Inputs),
            source.Add("scales", ElementType.Float32, scales, Blocks, Blocks));
    });
}
