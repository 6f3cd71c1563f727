// Red here: a device makes other synthetic weights than the host, so what is timed or verified with them is void.
using System;
using System.Linq;
using FsCheck.Xunit;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Devices;

[Properties(Replay = "(20250917,20250919)", MaxTest = 6)]
public sealed class SyntheticWeightsTests(CpuDevice device) : IClassFixture<CpuDevice>
{
    /// <summary>A norm, a plain matrix, one of the embedding's range; names with and without powers of two.</summary>
    private static readonly string[] Names =
    [
        "model.layers.3.mlp.experts.7.up_proj.weight",
        "model.layers.3.mlp.experts.7.down_proj.weight",
        "model.layers.3.attention.dense.weight",
        "model.word_embeddings.weight",
        "model.layers.1.input_layernorm.weight",
    ];

    [Property]
    public void PlainNumbersHaveTheHostsBits(ulong seed, byte outputs, FsCheck.DoNotSize<ushort> inputs, byte name)
    {
        TensorInfo tensor = Tensor(name, 1 + (outputs % 40), 1 + (inputs.Item % 300), ElementType.BFloat16);
        SyntheticSource source = new("test", seed, [tensor]);
        foreach (KernelHost host in device.All)
        {
            foreach (ElementType type in new[] { ElementType.BFloat16, ElementType.Float32 })
            {
                TensorInfo typed = tensor with { ElementType = type };
                SourceMatrix matrix = new(new SyntheticSource("test", seed, [typed]), typed, roundToBFloat16: false);
                CompareWords(host, matrix, (row, to) =>
                {
                    float[] values = new float[tensor.Shape[1]];
                    source.Read(tensor, row * tensor.Shape[1], values);
                    for (int k = 0; k < values.Length; k++)
                    {
                        uint bits = BitConverter.SingleToUInt32Bits(values[k]);
                        if (type == ElementType.Float32)
                        {
                            to[k] = bits;
                        }
                        else
                        {
                            to[k / 2] |= (bits >> 16) << (16 * (k % 2));
                        }
                    }
                });
            }
        }
    }

    [Property(MaxTest = 3)]
    public void CodesAndScalesHaveTheHostsBits(ulong seed, byte outputs, FsCheck.DoNotSize<ushort> inputs, byte name)
    {
        TensorInfo tensor = Tensor(name, 1 + outputs, 1 + (inputs.Item % 300), ElementType.Float8E4M3);
        SyntheticFloat8Matrix matrix = new(new SyntheticSource("test", seed, [tensor]), tensor);
        foreach (KernelHost host in device.All)
        {
            float[] scales = CompareWords(host, matrix, (row, to) =>
            {
                byte[] codes = new byte[matrix.Inputs];
                matrix.ReadCodes(row, codes);
                for (int k = 0; k < codes.Length; k++)
                {
                    to[k / 4] |= (uint)codes[k] << (8 * (k % 4));
                }
            });
            int columns = (matrix.Inputs + 127) / 128;
            for (int row = 0; row < matrix.Outputs; row += 128)
            {
                Check.SameBits(
                    matrix.ReadCodes(row, new byte[matrix.Inputs]),
                    scales.AsSpan(row / 128 * columns, columns),
                    $"scales of row {row}");
            }
        }
    }

    /// <summary>Against the other implementation on the host: what a checkpoint folder is written from.</summary>
    [Fact]
    public void TheHostsMatrixIsWhatACheckpointHolds()
    {
        TensorInfo tensor = Tensor(0, 200, 300, ElementType.Float8E4M3);
        SyntheticSource source = new("test", 5, [tensor]);
        float[] values = new float[200 * 300], scales = new float[3], row = new float[300];
        source.Read(tensor, 0, values);
        byte[] codes = new byte[72 * 300];
        Float8BlockQuantization.QuantizeBlockRow(values.AsSpan(128 * 300), 300, true, codes, 300, scales);
        SyntheticFloat8Matrix matrix = new(source, tensor);
        matrix.ReadRow(130, row);
        float[] panel = new float[32 * 44];
        matrix.ReadPanel(192, 256, 44, panel);
        for (int column = 0; column < 300; column++)
        {
            Assert.Equal(Float8E4M3.ToSingle(codes[(2 * 300) + column]) * scales[column / 128], row[column]);
        }

        Assert.Equal(Float8E4M3.ToSingle(codes[(67 * 300) + 259]) * scales[2], panel[(3 * 32) + 3]);
        Assert.Equal(0f, panel[(3 * 32) + 8]);
    }

    private static TensorInfo Tensor(byte name, int outputs, int inputs, ElementType type) =>
        new(Names[name % Names.Length], type, [outputs, inputs]);

    private static float[] CompareWords(KernelHost host, WeightMatrix matrix, Action<int, uint[]> expectedRow)
    {
        // Two slots, filled with rubbish first: what is behind a row is cleared, what is beside the slot is not.
        using DeviceWeight weight = DeviceWeight.Allocate(host, matrix, 2);
        uint[] words = new uint[weight.Matrix.Words.Length];
        Array.Fill(words, 0xDEADBEEFu);
        weight.Matrix.Words.SubView(0, words.Length).Bring(words);
        weight.Generate(1, matrix);
        host.Synchronize();
        weight.Matrix.Words.SubView(0, words.Length).Fetch(words);
        Assert.All(words[..(words.Length / 2)], word => Assert.Equal(0xDEADBEEFu, word));
        int pitch = weight.Matrix.Pitch;
        for (int row = 0; row < matrix.Outputs; row++)
        {
            uint[] expected = new uint[pitch];
            expectedRow(row, expected);
            Assert.True(
                expected.SequenceEqual(words.Skip((matrix.Outputs + row) * pitch).Take(pitch)),
                $"{matrix.Name} [{matrix.Outputs}, {matrix.Inputs}] {weight.Format}, row {row}");
        }

        float[] scales = new float[weight.Matrix.Scales.Length];
        if (scales.Length > 0)
        {
            weight.Matrix.Scales.SubView(0, scales.Length).Fetch(scales);
        }

        return scales[(scales.Length / 2)..];
    }
}
