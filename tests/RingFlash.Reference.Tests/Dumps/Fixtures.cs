// Shared by the tests of dumps. Red here: the fixtures are not where they belong; no product defect.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Dumps;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

/// <summary>The files that PyTorch and NumPy wrote, and the values that those programs say are in them.</summary>
internal static class Fixtures
{
    public static string Folder { get; } =
        Path.Combine(RepositoryRoot.Path, "tests", "RingFlash.Reference.Tests", "Dumps", "Data");

    public static string File(string name) => Path.Combine(Folder, name);

    /// <summary>By name, then by tensor: shape, dtype, and bits or integers.</summary>
    public static JsonElement Expected { get; } =
        JsonDocument.Parse(System.IO.File.ReadAllText(File("expected.json"))).RootElement;

    public static float[] Singles(DumpTensor tensor)
    {
        float[] values = new float[Count(tensor)];
        tensor.ReadSingle(0, values);
        return values;
    }

    public static long[] Integers(DumpTensor tensor)
    {
        long[] values = new long[Count(tensor)];
        tensor.ReadInt64(0, values);
        return values;
    }

    public static int Count(DumpTensor tensor) =>
        (int)tensor.Shape.Aggregate(1L, (product, axis) => checked(product * axis));

    /// <summary>Compares a tensor whole, and from every element on, bit for bit.</summary>
    public static void AssertHolds(JsonElement expected, DumpTensor tensor)
    {
        Assert.Equal(expected.GetProperty("shape").EnumerateArray().Select(axis => axis.GetInt64()), tensor.Shape);
        if (expected.TryGetProperty("bits", out JsonElement bits))
        {
            uint[] stated =
                [.. bits.EnumerateArray().Select(value => Bits(BitConverter.UInt32BitsToSingle(value.GetUInt32())))];
            AssertParts(stated, tensor, (first, count) =>
            {
                float[] part = new float[count];
                tensor.ReadSingle(first, part);
                return Array.ConvertAll(part, Bits);
            });
        }
        else
        {
            long[] stated = [.. expected.GetProperty("integers").EnumerateArray().Select(value => value.GetInt64())];
            AssertParts(stated, tensor, (first, count) =>
            {
                long[] part = new long[count];
                tensor.ReadInt64(first, part);
                return part;
            });
            Assert.Equal(stated.Select(value => (float)value), Singles(tensor));
        }
    }

    // Every NaN is alike: the sign of one says nothing.
    private static uint Bits(float value) =>
        BitConverter.SingleToUInt32Bits(float.IsNaN(value) ? float.NaN : value);

    private static void AssertParts<T>(T[] stated, DumpTensor tensor, Func<int, int, T[]> read)
    {
        Assert.Equal(stated.Length, Count(tensor));
        int step = 1 + (stated.Length / 20);
        for (int first = 0; first <= stated.Length; first += step)
        {
            for (int count = 0; count <= stated.Length - first; count += step + 2)
            {
                Assert.Equal(stated[first..(first + count)], read(first, count));
            }
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => read(1, stated.Length));
    }
}
