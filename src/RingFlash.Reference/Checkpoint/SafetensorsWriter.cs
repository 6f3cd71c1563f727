using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// Writes safetensors files in canonical form: the same tensors give the same bytes, in whatever order they are handed
/// over, and in the order the published library writes them.
/// </summary>
/// <remarks>
/// Order: element types of larger alignment first, then names by their bytes. The header is padded with spaces to a
/// multiple of eight, so every element is aligned. Metadata keys are sorted.
/// </remarks>
public static class SafetensorsWriter
{
    /// <summary>Writes a file whole or not at all (<see cref="AtomicFile"/>).</summary>
    /// <param name="path">The target; replaced when it exists.</param>
    /// <param name="contents">The tensors; names must differ.</param>
    /// <param name="metadata">The strings of <c>__metadata__</c>; none when null.</param>
    /// <exception cref="EnvironmentException">The disk is full or the folder cannot be written.</exception>
    /// <exception cref="ArgumentException">A name occurs twice or is reserved; an axis is negative.</exception>
    /// <exception cref="InvalidOperationException">A producer wrote too many or too few bytes.</exception>
    public static void Write(
        string path,
        IReadOnlyCollection<SafetensorsContent> contents,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(contents);
        SafetensorsContent[] ordered =
            [.. contents.OrderBy(content => content.Tensor, ElementTypes.FileOrder)];
        byte[] header = BuildHeader(ordered, metadata);
        AtomicFile.Write(
            path,
            stream =>
            {
                stream.Write(header);
                foreach (SafetensorsContent content in ordered)
                {
                    CountingStream counter = new(stream, ByteLength(content.Tensor));
                    content.WriteTo(counter);
                    counter.EnsureComplete(content.Tensor);
                }
            });
    }

    private static byte[] BuildHeader(SafetensorsContent[] ordered, IReadOnlyDictionary<string, string>? metadata)
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

            WriteTensors(writer, ordered);
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
                $"The header has {length} bytes, the limit is {SafetensorsHeader.MaximumLength}.",
                nameof(ordered));
        }

        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)length);
        return header;
    }

    private static void WriteTensors(Utf8JsonWriter writer, SafetensorsContent[] ordered)
    {
        HashSet<string> names = new(StringComparer.Ordinal) { "__metadata__" };
        long position = 0;
        foreach (SafetensorsContent content in ordered)
        {
            TensorInfo tensor = content.Tensor;
            if (!names.Add(tensor.Name))
            {
                throw new ArgumentException($"Tensor name \"{tensor.Name}\" occurs twice or is reserved.");
            }

            long length = ByteLength(tensor);
            writer.WriteStartObject(tensor.Name);
            writer.WriteString("dtype"u8, tensor.ElementType.HeaderName());
            writer.WriteStartArray("shape"u8);
            foreach (long axis in tensor.Shape)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(axis, tensor.Name);
                writer.WriteNumberValue(axis);
            }

            writer.WriteEndArray();
            writer.WriteStartArray("data_offsets"u8);
            writer.WriteNumberValue(position);
            position = checked(position + length);
            writer.WriteNumberValue(position);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
    }

    private static long ByteLength(TensorInfo tensor) => checked(tensor.ElementCount * tensor.ElementType.ByteCount());

    // A producer that is one byte off would shift every tensor behind it, in a file that still parses.
    private sealed class CountingStream(Stream inner, long expected) : Stream
    {
        private long written;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void EnsureComplete(TensorInfo tensor)
        {
            if (written != expected)
            {
                throw new InvalidOperationException(
                    $"{tensor.Name} {tensor.ShapeText} needs {expected} bytes, its producer wrote {written}.");
            }
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            written += buffer.Length;
            if (written <= expected)
            {
                inner.Write(buffer); // what is too much is only counted: EnsureComplete reports it
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
