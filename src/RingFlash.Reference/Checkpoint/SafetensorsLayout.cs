using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// Where every byte of a safetensors file goes, known before the first one is written: the canonical order of the
/// tensors, their offsets, and the header.
/// </summary>
/// <remarks>
/// Order: element types of larger alignment first, then names by their bytes, as the published library writes them. The
/// header is padded with spaces to a multiple of eight, so every element is aligned. Metadata keys are sorted.
/// </remarks>
internal sealed class SafetensorsLayout
{
    private readonly Dictionary<string, long> starts;

    /// <summary>Lays tensors out.</summary>
    /// <param name="tensors">The tensors, in any order; names must differ.</param>
    /// <param name="metadata">The strings of <c>__metadata__</c>; none when null.</param>
    /// <exception cref="ArgumentException">A name occurs twice or is reserved; an axis is negative.</exception>
    public SafetensorsLayout(IEnumerable<TensorInfo> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        Tensors = [.. tensors.Order(ElementTypes.FileOrder)];
        starts = new Dictionary<string, long>(Tensors.Count, StringComparer.Ordinal);
        long position = 0;
        foreach (TensorInfo tensor in Tensors)
        {
            foreach (long axis in tensor.Shape)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(axis, tensor.Name);
            }

            if (tensor.Name == "__metadata__" || !starts.TryAdd(tensor.Name, position))
            {
                throw new ArgumentException($"Tensor name \"{tensor.Name}\" occurs twice or is reserved.");
            }

            position = checked(position + ByteLength(tensor));
        }

        Header = BuildHeader(metadata);
        FileLength = checked(Header.Length + position);
    }

    /// <summary>The tensors in the order of their bytes.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>The length prefix and the JSON header: the first bytes of the file.</summary>
    public byte[] Header { get; }

    /// <summary>The bytes of the whole file.</summary>
    public long FileLength { get; }

    /// <summary>The bytes that a tensor takes.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <returns>The number.</returns>
    public static long ByteLength(TensorInfo tensor) => checked(tensor.ElementCount * tensor.ElementType.ByteCount());

    /// <summary>Where a tensor begins in the file.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>The offset of its first byte.</returns>
    public long FileOffset(string name) => Header.Length + starts[name];

    private byte[] BuildHeader(IReadOnlyDictionary<string, string>? metadata)
    {
        using MemoryStream buffer = new();
        buffer.Write(stackalloc byte[sizeof(ulong)]);
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (Utf8JsonWriter writer = new(buffer, options))
        {
            writer.WriteStartObject();
            if (metadata is not null)
            {
                writer.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    writer.WriteString(key, value);
                }

                writer.WriteEndObject();
            }

            foreach (TensorInfo tensor in Tensors)
            {
                WriteTensor(writer, tensor);
            }

            writer.WriteEndObject();
        }

        while (buffer.Length % sizeof(ulong) != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        byte[] header = buffer.ToArray();
        int length = header.Length - sizeof(ulong);
        if (length > SafetensorsHeader.MaximumLength)
        {
            throw new ArgumentException(
                $"The header has {length} bytes, the limit is {SafetensorsHeader.MaximumLength}.", nameof(metadata));
        }

        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)length);
        return header;
    }

    private void WriteTensor(Utf8JsonWriter writer, TensorInfo tensor)
    {
        writer.WriteStartObject(tensor.Name);
        writer.WriteString("dtype"u8, tensor.ElementType.HeaderName());
        writer.WriteStartArray("shape"u8);
        foreach (long axis in tensor.Shape)
        {
            writer.WriteNumberValue(axis);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets"u8);
        writer.WriteNumberValue(starts[tensor.Name]);
        writer.WriteNumberValue(starts[tensor.Name] + ByteLength(tensor));
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
