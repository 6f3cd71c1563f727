// Shared by the server's tests. Red here: what is sent as a NumPy file is none.
using System;
using System.Buffers.Binary;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

/// <summary>Reads <c>.npy</c> files of small integers by NumPy's description of the format.</summary>
internal static class NumpyFile
{
    public static (int[] Shape, int[] Values) Read(byte[] file)
    {
        Assert.Equal([0x93, .. "NUMPY"u8, 1, 0], file[..8]);
        int length = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(8));
        Assert.Equal(0, (10 + length) % 64);
        string header = Encoding.ASCII.GetString(file, 10, length);
        Assert.Equal('\n', header[^1]);
        Match match = Regex.Match(
            header, @"^\{'descr': '(\|u1|<u2)', 'fortran_order': False, 'shape': \((\d+), (\d+), (\d+)\), \} *\n$");
        Assert.True(match.Success, header);
        int[] shape = [.. match.Groups.Values.Skip(2).Select(group => int.Parse(group.Value))];
        ReadOnlySpan<byte> data = file.AsSpan(10 + length);
        int width = match.Groups[1].Value == "|u1" ? 1 : 2;
        int[] values = new int[data.Length / width];
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = width == 1
                ? data[index]
                : BinaryPrimitives.ReadUInt16LittleEndian(data[(2 * index)..]);
        }

        Assert.Equal(shape.Aggregate(1, (product, size) => product * size), values.Length);
        return (shape, values);
    }
}
