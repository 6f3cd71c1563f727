// Red here means that what is written is not what is read back, that equal content gives different files, that stored
// numbers are widened wrongly, or that a damaged header brings the process down instead of giving an error.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using FsCheck.Xunit;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Checkpoint;

public sealed class SafetensorsRoundTrip : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Property(MaxTest = 100)]
    public void WhatIsWrittenIsReadBack(int seed)
    {
        Random random = new(seed);
        List<(TensorInfo Tensor, byte[] Bytes)> tensors = RandomTensors(random);
        Dictionary<string, string> metadata = new() { ["format"] = "pt", ["näme\n\"x\""] = "v\u0001\u2028", [""] = "" };
        string path = folder.File("round.safetensors");
        SafetensorsWriter.Write(path, [.. tensors.Select(Content)], metadata);

        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(metadata.OrderBy(pair => pair.Key), file.Metadata.OrderBy(pair => pair.Key));
        Assert.Equal(tensors.Count, file.Tensors.Count);
        foreach ((TensorInfo tensor, byte[] bytes) in tensors)
        {
            TensorInfo read = file.RequireTensor(tensor.Name);
            Assert.Equal(tensor.ElementType, read.ElementType);
            Assert.Equal(tensor.Shape, read.Shape);
            byte[] readBytes = new byte[bytes.Length];
            file.ReadBytes(read, 0, readBytes);
            Assert.Equal(bytes, readBytes);
        }

        // Canonical: the order in which tensors are handed over does not show in the file.
        byte[] first = File.ReadAllBytes(path);
        SafetensorsWriter.Write(path, [.. tensors.AsEnumerable().Reverse().Select(Content)], metadata);
        Assert.Equal(first, File.ReadAllBytes(path));
    }

    // Laid out by hand as the published library does: descending element type, then name, header padded to eight.
    [Fact]
    public void TheFileIsTheOneThatThePublishedLibraryWrites()
    {
        string path = folder.File("canonical.safetensors");
        SafetensorsWriter.Write(
            path,
            [
                SafetensorsContent.FromBytes(new TensorInfo("b", ElementType.UInt8, [3]), new byte[] { 1, 2, 3 }),
                SafetensorsContent.FromSingle("z", [1], new[] { 1f }),
                SafetensorsContent.FromSingle("a", [], new[] { 2f }),
                SafetensorsContent.FromInt64("i", [1], new[] { -1L }),
            ],
            new Dictionary<string, string> { ["k"] = "v" });
        string header = "{\"__metadata__\":{\"k\":\"v\"},"
            + "\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
            + "\"z\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]},"
            + "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[16,19]}}";
        header = header.PadRight((header.Length + 7) / 8 * 8);
        byte[] expected =
        [
            .. SafetensorsBytes.Build(header, 0), .. BitConverter.GetBytes(-1L), .. BitConverter.GetBytes(2f),
            .. BitConverter.GetBytes(1f), 1, 2, 3,
        ];
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public void AProducerThatWritesTooLittleOrTooMuchLeavesNoFile()
    {
        string path = folder.File("short.safetensors");
        TensorInfo tensor = new("a", ElementType.UInt8, [3]);
        foreach (int length in (int[])[2, 4])
        {
            SafetensorsContent content = SafetensorsContent.FromBytes(tensor, new byte[length]);
            Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(path, [content]));
            Assert.Empty(Directory.GetFiles(folder.Path));
        }
    }

    [Fact]
    public void ANameTwiceOrReservedIsNotWritten()
    {
        SafetensorsContent twice = SafetensorsContent.FromSingle("a", [1], new[] { 1f });
        SafetensorsContent reserved = SafetensorsContent.FromSingle("__metadata__", [1], new[] { 1f });
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(folder.File("x"), [twice, twice]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(folder.File("x"), [reserved]));
    }

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void SyntheticWeightsSurviveACheckpoint(ElementType elementType)
    {
        TensorInfo tensor = new("model.layers.0.attention.dense.weight", ElementType.BFloat16, [70, 1000]);
        using SyntheticSource source = new("synthetic:test", 5, [tensor]);
        string path = folder.File("synthetic.safetensors");
        SafetensorsWriter.Write(path, [SafetensorsContent.FromSource(source, tensor, elementType)]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(source.ReadVector(tensor.Name), file.ReadVector(tensor.Name));

        // Panels of both agree too, for whole rows (one read) and for parts of rows (a read for each).
        foreach ((long row, long column, int count) in ((long, long, int)[])[(0, 0, 1000), (64, 3, 129), (96, 0, 1)])
        {
            float[] expected = new float[count * 32];
            float[] actual = Enumerable.Repeat(float.NaN, count * 32).ToArray();
            source.ReadPanel(tensor, row, column, count, expected);
            file.ReadPanel(tensor, row, column, count, actual);
            Assert.Equal(expected, actual);
        }
    }

    [Fact]
    public void PanelsWiderThanOnePieceAreWhole()
    {
        TensorInfo tensor = new("lm_head.weight", ElementType.BFloat16, [3, 10001]);
        using SyntheticSource source = new("synthetic:test", 6, [tensor]);
        string path = folder.File("wide.safetensors");
        SafetensorsWriter.Write(path, [SafetensorsContent.FromSource(source, tensor, ElementType.BFloat16)]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        float[] expected = new float[10000 * 32];
        float[] actual = Enumerable.Repeat(float.NaN, expected.Length).ToArray();
        source.ReadPanel(tensor, 0, 1, 10000, expected);
        file.ReadPanel(tensor, 0, 1, 10000, actual);
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void ThreadsReadOneFileAtOnce()
    {
        TensorInfo tensor = new("lm_head.weight", ElementType.BFloat16, [128, 3000]);
        using SyntheticSource source = new("synthetic:test", 7, [tensor]);
        string path = folder.File("shared.safetensors");
        SafetensorsWriter.Write(path, [SafetensorsContent.FromSource(source, tensor, ElementType.BFloat16)]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        using WorkerPool pool = new(4);
        pool.Run(200, (first, end, _) =>
        {
            float[] expected = new float[100 * 32];
            float[] actual = new float[100 * 32];
            for (int item = first; item < end; item++)
            {
                source.ReadPanel(tensor, item % 4 * 32, item * 14, 100, expected);
                file.ReadPanel(tensor, item % 4 * 32, item * 14, 100, actual);
                Assert.Equal(expected, actual);
            }
        });
    }

    // Values of all 256 codes as an outside program computed them.
    [Fact]
    public void Float8ValuesAreThoseOfTheGoldenCase()
    {
        using SafetensorsFile golden = Golden("fp8-gemm");
        float[] expected = golden.ReadVector("e4m3.values");
        Assert.Equal(256, expected.Length);
        TensorInfo codes = new("codes", ElementType.Float8E4M3, [256]);
        string path = folder.File("codes.safetensors");
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(code => (byte)code)];
        SafetensorsWriter.Write(path, [SafetensorsContent.FromBytes(codes, bytes)]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        float[] actual = file.ReadVector("codes");
        Assert.All(actual, (value, code) => Assert.Equal(expected[code], value));
        Assert.Equal([0x7F, 0xFF], Enumerable.Range(0, 256).Where(code => float.IsNaN(actual[code])));
        Assert.True(float.IsNegative(actual[0x80]));
    }

    [Fact]
    public void HalvesAndBFloat16AreWidenedExactly()
    {
        byte[] bytes = [.. Enumerable.Range(0, 65536).SelectMany(bits => BitConverter.GetBytes((ushort)bits))];
        TensorInfo half = new("half", ElementType.Float16, [65536]);
        TensorInfo brain = new("brain", ElementType.BFloat16, [65536]);
        string path = folder.File("sixteen.safetensors");
        SafetensorsWriter.Write(
            path,
            [SafetensorsContent.FromBytes(half, bytes), SafetensorsContent.FromBytes(brain, bytes)]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        float[] halves = file.ReadAllSingle(half);
        float[] brains = file.ReadAllSingle(brain);
        for (int bits = 0; bits < 65536; bits++)
        {
            Assert.Equal((float)BitConverter.UInt16BitsToHalf((ushort)bits), halves[bits]);
            Assert.Equal((uint)bits << 16, BitConverter.SingleToUInt32Bits(brains[bits]));
        }
    }

    [Fact]
    public void TypedReadsRefuseTypesThatTheyWouldRound()
    {
        string path = folder.File("typed.safetensors");
        TensorInfo flags = new("flags", ElementType.Boolean, [3]);
        TensorInfo unsigned = new("unsigned", ElementType.UInt64, [1]);
        SafetensorsWriter.Write(
            path,
            [
                SafetensorsContent.FromDouble("double", [2], new[] { Math.PI, double.NegativeInfinity }),
                SafetensorsContent.FromInt64("long", [2], new[] { long.MinValue, 3 }),
                SafetensorsContent.FromSingle("single", [1], new[] { 0.1f }),
                SafetensorsContent.FromBytes(flags, new byte[] { 1, 0, 1 }),
                SafetensorsContent.FromBytes(unsigned, new byte[8]),
            ]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal([Math.PI, double.NegativeInfinity], file.ReadAllDouble(file.RequireTensor("double")));
        Assert.Equal([0.1f], file.ReadAllDouble(file.RequireTensor("single")));
        Assert.Equal([long.MinValue, 3], file.ReadInt64(file.RequireTensor("long")));
        Assert.Equal([1, 0, 1], file.ReadInt64(file.RequireTensor("flags")));
        Assert.Throws<InvalidInputException>(() => file.ReadInt64(file.RequireTensor("unsigned")));
        Assert.Throws<InvalidInputException>(() => file.ReadInt64(file.RequireTensor("single")));
        Assert.Throws<InvalidInputException>(() => file.ReadAllSingle(file.RequireTensor("double")));
        Assert.Throws<InvalidInputException>(() => file.ReadVector("long"));
        string message = Assert.Throws<InvalidInputException>(() => file.ReadVector("absent")).Message;
        Assert.Contains(path, message, StringComparison.Ordinal);
        Assert.Contains("absent", message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryGoldenFileOpens()
    {
        string[] files = Directory.GetFiles(RepositoryRoot.Golden, "*.safetensors", SearchOption.AllDirectories);
        Assert.True(files.Length >= 12, $"{files.Length} golden files");
        foreach (string path in files)
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            Assert.NotEmpty(file.Tensors);
            Assert.Equal("ringflash-golden/1", file.Metadata["format"]);
        }
    }

    [Fact]
    public void ADamagedByteInTheHeaderIsAnErrorOrHarmless()
    {
        byte[] original = SafetensorsBytes.Build(
            "{\"__metadata__\":{\"format\":\"p\\u0074\"},"
            + SafetensorsBytes.Tensor("a", "F32", "[2,3]", "[0,24]") + ","
            + SafetensorsBytes.Tensor("b.\\u00e4", "BF16", "[4]", "[24,32]") + "}  ",
            32);
        Random random = new(20251125);
        Stopwatch watch = Stopwatch.StartNew();
        int accepted = 0;
        for (int attempt = 0; attempt < 2000; attempt++)
        {
            byte[] damaged = (byte[])original.Clone();
            int position = random.Next(damaged.Length - 32);
            damaged[position] = (byte)random.Next(256);
            string path = folder.Write("damaged.safetensors", damaged);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                Assert.Equal(2, file.Tensors.Count);
                accepted++;
            }
            catch (Exception exception) when (exception is InvalidInputException or EnvironmentException)
            {
                Assert.DoesNotContain(exception.Message, char.IsControl);
            }
        }

        Assert.InRange(accepted, 1, 1000); // a letter of a name may change; most other bytes may not
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"took {watch.Elapsed}");
    }

    private static SafetensorsFile Golden(string name) =>
        SafetensorsFile.Open(Path.Combine(RepositoryRoot.Golden, name, "golden.safetensors"));

    private static SafetensorsContent Content((TensorInfo Tensor, byte[] Bytes) tensor) =>
        SafetensorsContent.FromBytes(tensor.Tensor, tensor.Bytes);

    private static List<(TensorInfo Tensor, byte[] Bytes)> RandomTensors(Random random)
    {
        string[] alphabet = ["a", "Z", ".", "0", "\"", "\\", "\n", "é", "\uFFFD", "😀", "/"];
        ElementType[] types = Enum.GetValues<ElementType>();
        HashSet<string> names = [];
        List<(TensorInfo Tensor, byte[] Bytes)> tensors = [];
        int count = random.Next(12);
        for (int index = 0; index < count; index++)
        {
            StringBuilder name = new();
            for (int length = random.Next(8); length > 0; length--)
            {
                name.Append(alphabet[random.Next(alphabet.Length)]);
            }

            long[] shape = [.. Enumerable.Range(0, random.Next(5)).Select(_ => random.NextInt64(6))];
            TensorInfo tensor = new(name.ToString(), types[random.Next(types.Length)], shape);
            if (names.Add(tensor.Name))
            {
                byte[] bytes = new byte[tensor.ElementCount * tensor.ElementType.ByteCount()];
                random.NextBytes(bytes);
                tensors.Add((tensor, bytes));
            }
        }

        return tensors;
    }
}
