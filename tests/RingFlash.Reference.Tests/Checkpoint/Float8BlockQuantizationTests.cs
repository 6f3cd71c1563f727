// Red here means that a synthetic FP8 checkpoint is not quantised as the published one, so that a backend which reads
// it rightly is told it is wrong.
using System;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Checkpoint;

public sealed class Float8BlockQuantizationTests
{
    [Theory]
    [InlineData(448f, false, 1f)]
    [InlineData(448f, true, 1f)]
    [InlineData(449f, true, 2f)]
    [InlineData(224f, true, 0.5f)]
    [InlineData(225f, true, 1f)]
    [InlineData(0f, false, 1e-4f / 448f)]
    [InlineData(0f, true, 2.3841858e-7f)] // 2^-22 is the first power above 1e-4 / 448 = 2.23e-7
    [InlineData(1e-4f, false, 1e-4f / 448f)]
    [InlineData(0.02f, false, 0.02f / 448f)]
    public void ScalesAreThePublishedOnes(float maximum, bool powerOfTwo, float expected) =>
        Assert.Equal(expected, Float8BlockQuantization.Scale(maximum, powerOfTwo));

    [Theory]
    [InlineData("model.layers.0.attention.dense.weight", true)]
    [InlineData("model.layers.3.mlp.experts.17.gate_proj.weight", true)]
    [InlineData("model.layers.3.mlp.experts.17.up_proj.weight", true)]
    [InlineData("model.layers.3.mlp.experts.17.down_proj.weight", false)]
    [InlineData("model.layers.3.mlp.shared_experts.gate_proj.weight", false)]
    [InlineData("model.layers.0.mlp.up_proj.weight", false)]
    [InlineData("model.layers.0.attention.query_key_value.weight", false)]
    public void PowersOfTwoAreForTheseMatrices(string name, bool expected) =>
        Assert.Equal(expected, Float8BlockQuantization.HasPowerOfTwoScale(name));

    [Theory]
    [InlineData(128, 128)]
    [InlineData(128, 256)]
    [InlineData(37, 200)]
    [InlineData(1, 1)]
    [InlineData(128, 131)]
    public void ARowOfBlocksIsWhatTheDefinitionSays(int rows, int columns)
    {
        Random random = new(rows + columns);
        float[] values = [.. Enumerable.Range(0, rows * columns).Select(_ => random.NextSingle() - 0.5f)];
        foreach (bool powerOfTwo in new[] { false, true })
        {
            byte[] codes = new byte[values.Length];
            float[] scales = new float[(columns + 127) / 128];
            Float8BlockQuantization.QuantizeBlockRow(values, columns, powerOfTwo, codes, columns, scales);
            for (int block = 0; block < scales.Length; block++)
            {
                float maximum = values.Where((_, index) => index % columns / 128 == block).Max(MathF.Abs);
                Assert.Equal(Float8BlockQuantization.Scale(maximum, powerOfTwo), scales[block]);
            }

            for (int index = 0; index < values.Length; index++)
            {
                Assert.Equal(Float8E4M3.FromSingle(values[index] / scales[index % columns / 128]), codes[index]);
            }
        }
    }

    /// <summary>The golden case's weights were quantised by PyTorch, with plain scales everywhere.</summary>
    [Fact]
    public void CodesAndScalesAreThoseOfTheGoldenCase()
    {
        using GoldenCase golden = GoldenCase.Open(Path.Combine(RepositoryRoot.Golden, "tiny-fp8-f32"));
        ModelConfiguration plain = golden.Configuration! with { Quantization = null };
        using SyntheticSource source = new("synthetic", golden.Seed, TensorCatalog.For(plain));
        int matrices = 0;
        foreach (TensorInfo stored in golden.File.Tensors.Where(tensor =>
            tensor.ElementType == ElementType.Float8E4M3))
        {
            string name = stored.Name["weights.".Length..];
            int columns = (int)stored.Shape[1];
            float[] values = source.ReadVector(name);
            byte[] expected = new byte[values.Length];
            golden.File.ReadBytes(stored, 0, expected);
            float[] expectedScales = golden.File.ReadVector(stored.Name + TensorCatalog.ScaleSuffix);
            int blockColumns = (columns + 127) / 128;
            for (int row = 0; row < stored.Shape[0]; row += 128)
            {
                int count = (int)Math.Min(128, stored.Shape[0] - row) * columns;
                byte[] codes = new byte[count];
                float[] scales = new float[blockColumns];
                Float8BlockQuantization.QuantizeBlockRow(
                    values.AsSpan(row * columns, count), columns, false, codes, columns, scales);
                Assert.Equal(expected[(row * columns)..][..count], codes);
                Assert.Equal(expectedScales[(row / 128 * blockColumns)..][..blockColumns], scales);
            }

            matrices++;
        }

        Assert.Equal(93, matrices);
    }
}
