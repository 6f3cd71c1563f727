// Red here: weights in memory are not the weights of the checkpoint, or their memory is lost or used after it is gone.
using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Checkpoint;

public sealed class WeightPanelsTests
{
    [Theory]
    [InlineData(PanelFormat.Float32, 4)]
    [InlineData(PanelFormat.BFloat16, 2)]
    public void APanelHolds32OutputsWhateverTheMatrixHas(PanelFormat format, int bytes)
    {
        using WorkerPool workers = new(3);
        DenseMatrix matrix = new(70, 300, TestValues.Spread<BFloat16Precision>(70 * 300, 1), format);
        Assert.Null(matrix.Panels);
        matrix.Pack(workers);
        Assert.Equal(format, matrix.Panels!.Format);
        Assert.Equal(3, matrix.Panels.PanelCount);
        Assert.Equal(3 * 32 * 300 * bytes, matrix.Panels.ByteCount);
        WeightPanels panels = matrix.Panels;
        int reads = matrix.Reads;
        matrix.Pack(workers);
        Assert.Same(panels, matrix.Panels);
        Assert.Equal(reads, matrix.Reads); // nothing is read twice
        matrix.Unpack();
        Assert.Null(matrix.Panels);
        matrix.Unpack(); // again does no harm
    }

    [Fact]
    public void TheSmallestFormatThatHoldsEveryNumberIsTaken()
    {
        using WorkerPool workers = new(1);
        MemorySource source = new();
        float[] bfloat16 = TestValues.Spread<BFloat16Precision>(33 * 9, 1), float32 = TestValues.Spread(33 * 9, 2);
        Assert.Equal(PanelFormat.BFloat16, Format(ElementType.BFloat16, bfloat16, rounded: false));
        Assert.Equal(PanelFormat.BFloat16, Format(ElementType.Float32, float32, rounded: true));
        Assert.Equal(PanelFormat.Float32, Format(ElementType.Float32, float32, rounded: false));
        Assert.Equal(PanelFormat.Float32, Format(ElementType.Float16, bfloat16, rounded: false));

        PanelFormat Format(ElementType type, float[] values, bool rounded)
        {
            SourceMatrix matrix = new(source, source.Add("w", type, values, 33, 9), rounded);
            matrix.Pack(workers);
            PanelFormat format = matrix.Panels!.Format;
            matrix.Unpack();
            return format;
        }
    }

    /// <summary>Every code of e4m3, and scales that push products to both ends of float32.</summary>
    [Theory]
    [InlineData(1f, PanelFormat.Float8E4M3)]
    [InlineData(-0.3f, PanelFormat.Float8E4M3)]
    [InlineData(128f, PanelFormat.Float8E4M3)]
    [InlineData(1e-42f, PanelFormat.Float8E4M3)]
    [InlineData(0f, PanelFormat.Float8E4M3)]
    [InlineData(129f, PanelFormat.Float32)] // 2¹²⁰ · scale would overflow: products are kept instead of codes
    [InlineData(1e37f, PanelFormat.Float32)]
    [InlineData(float.NaN, PanelFormat.Float32)]
    [InlineData(float.PositiveInfinity, PanelFormat.Float32)]
    public void EveryCodeComesBackUnderEveryScale(float scale, PanelFormat format) =>
        CompareCodes(Codes(withNaN: false), scale, format);

    [Fact]
    public void NaNCodesMakeTheWholeMatrixFloat32() => CompareCodes(Codes(withNaN: true), 0.7f, PanelFormat.Float32);

    [Fact]
    public void AFailedReadLeavesNothingBehind()
    {
        using WorkerPool workers = new(2);
        FailingMatrix matrix = new();
        Assert.Throws<EnvironmentException>(() => matrix.Pack(workers));
        Assert.Null(matrix.Panels);
    }

    private static float[] Codes(bool withNaN)
    {
        float[] codes = new float[256];
        for (int code = 0; code < codes.Length; code++)
        {
            codes[code] = (code & 0x7F) != 0x7F ? Float8E4M3.ToSingle((byte)code) : withNaN ? float.NaN : 0f;
        }

        return codes;
    }

    /// <summary>The weight [256, 1] times 1 is the dequantised weight itself.</summary>
    private static void CompareCodes(float[] codes, float scale, PanelFormat format)
    {
        using WorkerPool workers = new(1);
        MemorySource source = new();
        Float8BlockMatrix matrix = new(
            source,
            source.Add("codes", ElementType.Float8E4M3, codes, codes.Length, 1),
            source.Add("scales", ElementType.Float32, [scale, scale], 2, 1));
        float[] x = [1f, 0.5f], scales = [0.25f, 3f];
        float[] expected = new float[2 * codes.Length], actual = new float[expected.Length];
        matrix.Pack(workers);
        Assert.Equal(format, matrix.Panels!.Format);
        LinearProjection.Scalar<Float32Precision>(workers, x, matrix, [], expected);
        LinearProjection.Vectorised<Float32Precision>(workers, x, matrix, [], actual);
        Check.SameBits(expected, actual, $"scale {scale}");
        LinearProjection.QuantisedScalar<Float32Precision>(x, scales, matrix, [], expected);
        LinearProjection.QuantisedVectorised<Float32Precision>(workers, x, scales, matrix, [], actual);
        Check.SameBits(expected, actual, $"scale {scale}, quantised activations");
        matrix.Unpack();
    }

    private sealed class FailingMatrix() : WeightMatrix("failing", 100, 10)
    {
        public override void ReadRow(int row, Span<float> destination) => throw new NotSupportedException();

        public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
        {
            if (firstRow > 0)
            {
                throw new EnvironmentException("failing", "the file shrank");
            }
        }
    }
}
