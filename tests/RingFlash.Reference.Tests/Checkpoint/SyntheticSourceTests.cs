// Red here means that synthetic weights are not those of the golden cases: every comparison with the published code
// would fail, or two engines would be fed different models.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using FsCheck.Xunit;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Checkpoint;

public sealed class SyntheticSourceTests(ITestOutputHelper output)
{
    // The table "Check values" of the golden format: name, axes, seed, index, offset and scale bits, value bits.
    public static TheoryData<string, long[], ulong, long, uint, uint, uint> CheckValues => new()
    {
        { "model.word_embeddings.weight", [157184, 4096], 0, 0, 0x00000000, 0x3F800000, 0xBF410000 },
        { "model.word_embeddings.weight", [157184, 4096], 1, 643825663, 0x00000000, 0x3F800000, 0x3E900000 },
        { "model.word_embeddings.weight", [512, 64], 20251327, 32767, 0x00000000, 0x3F800000, 0x3F360000 },
        { "lm_head.weight", [157184, 4096], 20251327, 0, 0x00000000, 0x3CDDB3D7, 0xBC970000 },
        { "lm_head.weight", [157184, 4096], 18446744073709551615, 643825663, 0x00000000, 0x3CDDB3D7, 0x3C0E0000 },
        { "model.norm.weight", [4096], 20251327, 0, 0x3F800000, 0x3E800000, 0x3F860000 },
        { "model.layers.0.input_layernorm.weight", [64], 20251327, 63, 0x3F800000, 0x3E800000, 0x3F800000 },
        { "model.layers.0.post_attention_layernorm.weight", [64], 1, 1, 0x3F800000, 0x3E800000, 0x3F8A0000 },
        { "model.layers.1.attention.query_layernorm.weight", [16], 20251327, 15, 0x3F800000, 0x3E800000, 0x3F580000 },
        {
            "model.layers.1.attention.key_layernorm.weight", [128], 9223372036854775808, 100,
            0x3F800000, 0x3E800000, 0x3F690000
        },
        {
            "model.layers.0.attention.query_key_value.weight", [128, 64], 20251327, 8191,
            0x00000000, 0x3E5DB3D7, 0xBD220000
        },
        { "model.layers.0.attention.query_key_value.bias", [128], 20251327, 5, 0x00000000, 0x3DCCCCCD, 0xBD880000 },
        {
            "model.layers.31.attention.dense.weight", [4096, 4096], 20251327, 16777215,
            0x00000000, 0x3CDDB3D7, 0x38BE0000
        },
        { "model.layers.0.mlp.gate_proj.weight", [160, 64], 20251327, 1, 0x00000000, 0x3E5DB3D7, 0x3E310000 },
        { "model.layers.0.mlp.down_proj.weight", [64, 160], 20251327, 2, 0x00000000, 0x3E0C378C, 0xBDD20000 },
        { "model.layers.3.mlp.gate.weight", [256, 4096], 20251327, 1048575, 0x00000000, 0x3CDDB3D7, 0xBCCD0000 },
        { "model.layers.3.mlp.gate.expert_bias", [256], 20251327, 255, 0x00000000, 0x3D4CCCCD, 0xBBC70000 },
        {
            "model.layers.31.mlp.experts.255.up_proj.weight", [1024, 4096], 20251327, 4194303,
            0x00000000, 0x3CDDB3D7, 0xBBFA0000
        },
        {
            "model.layers.4.mlp.shared_experts.down_proj.weight", [64, 32], 20251327, 2047,
            0x00000000, 0x3E9CC471, 0xBE660000
        },
        { "model.layers.32.eh_proj.weight", [4096, 8192], 20251327, 33554431, 0x00000000, 0x3C9CC471, 0x3C8C0000 },
        { "model.layers.4.hnorm.weight", [64], 20251327, 0, 0x3F800000, 0x3E800000, 0x3F950000 },
        { "model.layers.4.final_layernorm.weight", [64], 20251327, 7, 0x3F800000, 0x3E800000, 0x3F840000 },
    };

    [Theory]
    [MemberData(nameof(CheckValues))]
    public void CheckValuesOfTheGoldenFormat(
        string name,
        long[] shape,
        ulong seed,
        long index,
        uint offsetBits,
        uint scaleBits,
        uint valueBits)
    {
        TensorInfo tensor = new(name, ElementType.BFloat16, shape);
        (float offset, float scale) = SyntheticSource.Distribution(tensor);
        Assert.Equal(offsetBits, BitConverter.SingleToUInt32Bits(offset));
        Assert.Equal(scaleBits, BitConverter.SingleToUInt32Bits(scale));
        float scalar = SyntheticSource.Element(SyntheticSource.Fnv1a64(name) ^ seed, index, offset, scale);
        Assert.Equal(valueBits, BitConverter.SingleToUInt32Bits(scalar));

        using SyntheticSource source = new("synthetic:test", seed, [tensor]);
        float[] one = new float[1];
        source.Read(tensor, index, one);
        Assert.Equal(valueBits, BitConverter.SingleToUInt32Bits(one[0]));
    }

    [Theory]
    [InlineData("", 0xCBF29CE484222325)]
    [InlineData("a", 0xAF63DC4C8601EC8C)]
    [InlineData("input_ids", 0x6C2E38976E3630F6)]
    [InlineData("lm_head.weight", 0xAB67EB515E1B6F0D)]
    public void Fnv(string text, ulong hash) => Assert.Equal(hash, SyntheticSource.Fnv1a64(text));

    [Fact]
    public void SplitMix()
    {
        ulong sequenceBase = SyntheticSource.Fnv1a64("lm_head.weight");
        Assert.Equal(0xFE26D58E17AADB45, SyntheticSource.SplitMix64(sequenceBase, 0));
        Assert.Equal(0xFC17A7D9B777A837, SyntheticSource.SplitMix64(sequenceBase, 1));
    }

    [Fact]
    public void InputIds()
    {
        Assert.Equal(
            [
                119, 150, 408, 5, 140, 171, 215, 481, 402, 58, 72, 103,
                147, 147, 150, 311, 127, 146, 197, 499, 346, 7, 389, 162,
            ],
            Enumerable.Range(0, 24).Select(index => SyntheticSource.InputId(20251327, index, 512)));
        Assert.Equal(
            [8962, 152673, 2498, 88505, 97448, 18571, 29733, 151203],
            Enumerable.Range(0, 8).Select(index => SyntheticSource.InputId(0, index, 157184)));
    }

    // The ids that the published code was really fed are stored in the case.
    [Fact]
    public void InputIdsOfAGoldenCase()
    {
        using SafetensorsFile file =
            SafetensorsFile.Open(System.IO.Path.Combine(RepositoryRoot.Golden, "tiny-f32", "golden.safetensors"));
        long[] ids = file.ReadInt64(file.RequireTensor("input_ids"));
        Assert.Equal(48, ids.Length);
        Assert.All(ids, (id, index) => Assert.Equal(id, SyntheticSource.InputId(20251327, index, 512)));
    }

    [Property(MaxTest = 300)]
    public void ReadEqualsElement(ulong seed, uint first, ushort length)
    {
        TensorInfo tensor = Matrix("model.layers.7.attention.dense.weight", 157184, 4096);
        using SyntheticSource source = new("synthetic:test", seed, [tensor]);
        float[] values = new float[length % 300];
        long firstElement = first % (tensor.ElementCount - values.Length);
        source.Read(tensor, firstElement, values);
        SameBits(values, index => Definition(tensor, seed, firstElement + index));
    }

    [Fact]
    public void ReadReachesTheLastElement()
    {
        TensorInfo tensor = Matrix("lm_head.weight", 157184, 4096);
        using SyntheticSource source = new("synthetic:test", 1, [tensor]);
        float[] values = new float[77];
        long first = 643825663 - 76;
        source.Read(tensor, first, values);
        SameBits(values, index => Definition(tensor, 1, first + index));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Read(tensor, first + 1, values));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Read(tensor, -1, values));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(31, 3)]
    [InlineData(32, 64)]
    [InlineData(33, 65)]
    [InlineData(50, 127)]
    [InlineData(157184, 4096)]
    public void PanelEqualsReadTransposed(long rows, long columns)
    {
        TensorInfo tensor = Matrix("model.layers.2.mlp.experts.3.gate_proj.weight", rows, columns);
        using SyntheticSource source = new("synthetic:test", 20251327, [tensor]);
        long[] firstRows = [0, (rows - 1) / 32 * 32, (rows + 31) / 32 * 32];
        (long First, int Count)[] ranges =
        [
            (0, (int)Math.Min(columns, 200)), (columns / 3, (int)Math.Min(columns - (columns / 3), 129)),
            (columns - 1, 1), (columns, 0),
        ];
        foreach (long firstRow in firstRows)
        {
            foreach ((long firstColumn, int count) in ranges)
            {
                float[] panel = Enumerable.Repeat(float.NaN, count * 32).ToArray();
                source.ReadPanel(tensor, firstRow, firstColumn, count, panel);
                SameBits(panel, index => firstRow + (index % 32) >= rows
                    ? 0f
                    : Definition(tensor, 20251327, ((firstRow + (index % 32)) * columns) + firstColumn + (index / 32)));
                CompareWithRead(source, tensor, firstRow, firstColumn, count, panel);
            }
        }
    }

    [Fact]
    public void NormPanelUsesTheOffset()
    {
        TensorInfo tensor = Matrix("model.norm.weight", 40, 5);
        using SyntheticSource source = new("synthetic:test", 3, [tensor]);
        float[] panel = new float[5 * 32];
        source.ReadPanel(tensor, 0, 0, 5, panel);
        Assert.All(panel, value => Assert.InRange(value, 0.75f, 1.25f));
    }

    [Fact]
    public void UnknownTensorIsNamed()
    {
        using SyntheticSource source = new("synthetic:test", 0, []);
        InvalidInputException exception =
            Assert.Throws<InvalidInputException>(() => source.ReadVector("model.norm.weight"));
        Assert.Contains("synthetic:test", exception.Message, StringComparison.Ordinal);
        Assert.Contains("model.norm.weight", exception.Message, StringComparison.Ordinal);
    }

    // Not a check: prints elements per second of both paths on two threads.
    [Fact(Explicit = true)]
    public void Speed()
    {
        TensorInfo tensor = Matrix("lm_head.weight", 157184, 4096);
        using SyntheticSource source = new("synthetic:test", 1, [tensor]);
        foreach (int threads in (int[])[1, 2])
        {
            using WorkerPool pool = new(threads);
            float[][] buffers = [new float[32 * 512], new float[32 * 512]];
            const int Items = 40000;
            double elements = Items * (double)buffers[0].Length;
            for (int pass = 0; pass < 3; pass++)
            {
                long panels = Measure(pool, Items, (item, worker) =>
                    source.ReadPanel(tensor, item % 4912 * 32, 512, 512, buffers[worker]));
                long runs = Measure(pool, Items, (item, worker) =>
                    source.Read(tensor, item * 16000L, buffers[worker]));
                output.WriteLine(
                    $"{threads} threads, G/s: ReadPanel {elements / panels:F2}, Read {elements / runs:F2}");
            }
        }
    }

    private static long Measure(WorkerPool pool, int items, Action<int, int> body)
    {
        Stopwatch watch = Stopwatch.StartNew();
        pool.Run(items, (first, end, worker) =>
        {
            for (int item = first; item < end; item++)
            {
                body(item, worker);
            }
        });
        return (long)watch.Elapsed.TotalNanoseconds;
    }

    private static TensorInfo Matrix(string name, long rows, long columns) =>
        new(name, ElementType.BFloat16, [rows, columns]);

    private static float Definition(TensorInfo tensor, ulong seed, long index)
    {
        (float offset, float scale) = SyntheticSource.Distribution(tensor);
        return SyntheticSource.Element(SyntheticSource.Fnv1a64(tensor.Name) ^ seed, index, offset, scale);
    }

    private static void CompareWithRead(
        SyntheticSource source,
        TensorInfo tensor,
        long firstRow,
        long firstColumn,
        int count,
        float[] panel)
    {
        float[] row = new float[count];
        for (int lane = 0; lane < 32 && firstRow + lane < tensor.Shape[0]; lane++)
        {
            source.Read(tensor, ((firstRow + lane) * tensor.Shape[1]) + firstColumn, row);
            SameBits(row, column => panel[(column * 32) + lane]);
        }
    }

    private static void SameBits(IReadOnlyList<float> actual, Func<int, float> expected)
    {
        for (int index = 0; index < actual.Count; index++)
        {
            if (BitConverter.SingleToUInt32Bits(actual[index]) != BitConverter.SingleToUInt32Bits(expected(index)))
            {
                Assert.Fail($"element {index}: {actual[index]:R}, expected {expected(index):R}");
            }
        }
    }
}
