// Red here: values are right in small files and wrong in large, strided, many or changing ones.
using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Tasks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

public sealed class ReadingTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void ViewsOfAnyAxesAreReadInAnyPiece(int seed)
    {
        // Axes are permuted and cut out of a larger array; the last axis is sometimes long enough for runs of its own.
        Random random = new(seed);
        for (int round = 0; round < 40; round++)
        {
            int rank = random.Next(1, 5);
            long[] whole = [.. Enumerable.Range(0, rank).Select(_ => (long)random.Next(1, 7))];
            whole[^1] = random.Next(2) == 0 ? whole[^1] : 1500;
            long[] shape = [.. whole.Select(length => Math.Max(1, length - random.Next(3)))];
            long[] strides = new long[rank];
            long stride = 1;
            for (int axis = rank - 1; axis >= 0; axis--)
            {
                strides[axis] = stride;
                stride *= whole[axis];
            }

            if (random.Next(2) == 0)
            {
                int[] order = [.. Enumerable.Range(0, rank)];
                random.Shuffle(order);
                (shape, strides) = ([.. order.Select(axis => shape[axis])], [.. order.Select(axis => strides[axis])]);
            }

            int[] stored = [.. Enumerable.Range(1000, (int)stride + 5)];
            MemorySource source = new("memory", MemoryMarshal.AsBytes(stored.AsSpan()).ToArray());
            StridedLayout layout = new(shape, strides, new ExtentCache());
            int[] expected = Gather(stored.AsSpan(3), shape, strides);
            Assert.True(layout.Extent <= stride);
            for (int piece = 0; piece < 20; piece++)
            {
                int first = random.Next(expected.Length);
                int[] values = new int[random.Next(1, expected.Length - first + 1)];
                layout.Read(source, 3 * sizeof(int), sizeof(int), first, MemoryMarshal.AsBytes(values.AsSpan()));
                Assert.Equal(expected[first..(first + values.Length)], values);
            }
        }
    }

    [Fact]
    public void MoreFilesThanHandlesAreReadByManyThreads()
    {
        const int Count = 3 * OpenFiles.Limit;
        for (int index = 0; index < Count; index++)
        {
            SafetensorsWriter.Write(
                folder.File($"{index:000}.safetensors"),
                [SafetensorsContent.FromSingle("same", [2], new float[] { index, -index })]);
        }

        using Dump dump = Dump.Open(folder.Path);
        Assert.Equal(Count, dump.Tensors.Count);
        Parallel.For(0, 2000, round =>
        {
            int index = round * 7919 % Count;
            float[] values = new float[2];
            dump.Tensors[index].ReadSingle(0, values);
            Assert.Equal([index, -index], values);
        });
    }

    [Fact]
    public void AFileThatChangesOrShrinksIsAnErrorOfTheSurroundings()
    {
        string path = folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [SafetensorsContent.FromSingle("a", [1000], new float[1000])]);
        using (Dump dump = Dump.Open(path))
        {
            using (FileStream stream = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            {
                stream.SetLength(500);
            }

            EnvironmentException exception =
                Assert.Throws<EnvironmentException>(() => Fixtures.Singles(dump.Tensors[0]));
            Assert.Contains("shrank", exception.Message, StringComparison.Ordinal);
        }

        for (int index = 0; index <= OpenFiles.Limit; index++)
        {
            SafetensorsWriter.Write(
                folder.File($"{index:000}.safetensors"), [SafetensorsContent.FromSingle("a", [1], new float[] { 1 })]);
        }

        File.Delete(path);
        using (Dump dump = Dump.Open(folder.Path))
        {
            // The first file was closed for the others; when it is opened again it is another one.
            File.SetLastWriteTimeUtc(folder.File("000.safetensors"), new DateTime(2001, 1, 1));
            EnvironmentException exception =
                Assert.Throws<EnvironmentException>(() => Fixtures.Singles(dump.Tensors[0]));
            Assert.Contains("changed since it was opened", exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ALongCompressedArrayIsReadForwardsAndBackwards()
    {
        const int Count = 300_000;
        float[] values = new float[Count];
        Random random = new(5);
        for (int index = 0; index < Count; index++)
        {
            values[index] = random.NextSingle();
        }

        string path = folder.File("a.npz");
        using (ZipArchive archive = new(File.Create(path), ZipArchiveMode.Create))
        using (Stream entry = archive.CreateEntry("values.npy", CompressionLevel.Optimal).Open())
        {
            string header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({Count},), }}".PadRight(117) + "\n";
            entry.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header)]);
            entry.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        }

        using Dump dump = Dump.Open(path);
        DumpTensor tensor = Assert.Single(dump.Tensors);
        Assert.Equal(values, Fixtures.Singles(tensor));
        foreach (int first in new[] { 200_000, 100, 299_990, 0 })
        {
            float[] part = new float[10];
            tensor.ReadSingle(first, part);
            Assert.Equal(values[first..(first + 10)], part);
        }
    }

    [Fact]
    public void Zip64IsRead()
    {
        byte[] array = [0x93, .. "NUMPY"u8, 1, 0, 58, 0,
            .. Encoding.ASCII.GetBytes("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }".PadRight(58)), 7, 9];
        using MemoryStream stream = new();
        using (ZipArchive archive = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        using (Stream entry = archive.CreateEntry("a.npy", CompressionLevel.NoCompression).Open())
        {
            entry.Write(array);
        }

        // Every number of the directory and of the end is moved to its 64-bit place, as a file above 4 GiB has it.
        byte[] plain = stream.ToArray();
        int directory = plain.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        byte[] all = [0xFF, 0xFF, 0xFF, 0xFF], name = [.. "a.npy"u8];
        byte[] header = plain[directory..(directory + 46)];
        all.CopyTo(header, 20);
        all.CopyTo(header, 24);
        all.CopyTo(header, 42);
        header[30] = 28;
        long length = array.Length;
        byte[] directory64 = [.. header, .. name, 1, 0, 24, 0, .. Long(length), .. Long(length), .. Long(0)];
        byte[] end64 = [.. "PK\u0006\u0006"u8, .. Long(44), 45, 0, 45, 0, .. new byte[8], .. Long(1), .. Long(1),
            .. Long(directory64.Length), .. Long(directory)];
        byte[] locator = [.. "PK\u0006\u0007"u8, .. new byte[4], .. Long(directory + directory64.Length), 1, 0, 0, 0];
        byte[] end = [.. "PK\u0005\u0006"u8, .. new byte[4], 0xFF, 0xFF, 0xFF, 0xFF, .. all, .. all, 0, 0];
        string path = folder.Write("a.npz", [.. plain[..directory], .. directory64, .. end64, .. locator, .. end]);
        using Dump dump = Dump.Open(path);
        Assert.Equal([7f, 9f], Fixtures.Singles(Assert.Single(dump.Tensors)));

        static byte[] Long(long value) => BitConverter.GetBytes(value);
    }

    [Theory]
    [InlineData(ElementType.Float64)]
    [InlineData(ElementType.Float8E5M2)]
    [InlineData(ElementType.UInt16)]
    [InlineData(ElementType.UInt32)]
    [InlineData(ElementType.UInt64)]
    [InlineData(ElementType.Int8)]
    [InlineData(ElementType.Boolean)]
    public void EveryElementTypeIsConverted(ElementType type)
    {
        // Bytes 0 1 2 … as elements: each type has its own reading of them, worked out here by other means.
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];
        int size = type.ByteCount(), count = bytes.Length / size;
        string path = folder.File("a.safetensors");
        SafetensorsWriter.Write(
            path, [SafetensorsContent.FromBytes(new TensorInfo("a", type, [count]), bytes)]);
        using Dump dump = Dump.Open(path);
        float[] values = Fixtures.Singles(dump.Tensors[0]);
        for (int index = 0; index < count; index++)
        {
            ReadOnlySpan<byte> element = bytes.AsSpan(index * size, size);
            float expected = type switch
            {
                ElementType.Float64 => (float)BitConverter.ToDouble(element),
                ElementType.Float8E5M2 => (float)BitConverter.ToHalf([0, element[0]]),
                ElementType.UInt16 => BitConverter.ToUInt16(element),
                ElementType.UInt32 => BitConverter.ToUInt32(element),
                ElementType.UInt64 => BitConverter.ToUInt64(element),
                ElementType.Int8 => (sbyte)element[0],
                _ => element[0] == 0 ? 0 : 1,
            };
            Assert.Equal(expected, values[index]);
        }

        if (type == ElementType.UInt64)
        {
            InvalidInputException exception =
                Assert.Throws<InvalidInputException>(() => Fixtures.Integers(dump.Tensors[0]));
            Assert.Contains("element 16", exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void FloatsAreNoIntegers()
    {
        using Dump dump = Dump.Open(Fixtures.File("plain.npy"));
        InvalidInputException exception =
            Assert.Throws<InvalidInputException>(() => Fixtures.Integers(dump.Tensors[0]));
        Assert.Contains("element type F32", exception.Message, StringComparison.Ordinal);
    }

    private static int[] Gather(ReadOnlySpan<int> stored, long[] shape, long[] strides)
    {
        List<long> places = [0];
        for (int axis = 0; axis < shape.Length; axis++)
        {
            places = [.. places.SelectMany(place =>
                Enumerable.Range(0, (int)shape[axis]).Select(index => place + (index * strides[axis])))];
        }

        int[] values = new int[places.Count];
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = stored[(int)places[index]];
        }

        return values;
    }
}
