using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// Writes safetensors files in canonical form: the same tensors give the same bytes, in whatever order they are handed
/// over, and in the order the published library writes them.
/// </summary>
/// <remarks>The order is that of <see cref="SafetensorsLayout"/>.</remarks>
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
        Dictionary<string, SafetensorsContent> byName = [];
        foreach (SafetensorsContent content in contents)
        {
            byName[content.Tensor.Name] = content; // a name that occurs twice is refused by the layout
        }

        SafetensorsLayout layout = new(contents.Select(content => content.Tensor), metadata);
        AtomicFile.Write(
            path,
            stream =>
            {
                stream.Write(layout.Header);
                foreach (TensorInfo tensor in layout.Tensors)
                {
                    CountingStream counter = new(stream, SafetensorsLayout.ByteLength(tensor));
                    byName[tensor.Name].WriteTo(counter);
                    counter.EnsureComplete(tensor);
                }
            });
    }

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
