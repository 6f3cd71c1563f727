// Red here means that the bad files of the other tests are not what their names say.
using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;

namespace RingFlash.Reference.Tests.Checkpoint;

/// <summary>Builds safetensors files without the product's writer, so that they can be wrong on purpose.</summary>
internal static class SafetensorsBytes
{
    /// <summary>Length prefix, header as given, and zero bytes of data.</summary>
    public static byte[] Build(string header, int dataLength) => Build(Encoding.UTF8.GetBytes(header), dataLength);

    public static byte[] Build(byte[] header, int dataLength)
    {
        byte[] file = new byte[8 + header.Length + dataLength];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)header.Length);
        header.CopyTo(file, 8);
        return file;
    }

    /// <summary>A length prefix that need not be true, and what follows it.</summary>
    public static byte[] WithLength(ulong length, string rest)
    {
        using MemoryStream stream = new();
        Span<byte> prefix = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        stream.Write(prefix);
        stream.Write(Encoding.UTF8.GetBytes(rest));
        return stream.ToArray();
    }

    /// <summary>One entry of a header.</summary>
    public static string Tensor(string name, string type, string shape, string offsets) =>
        $"\"{name}\":{{\"dtype\":\"{type}\",\"shape\":{shape},\"data_offsets\":{offsets}}}";
}
