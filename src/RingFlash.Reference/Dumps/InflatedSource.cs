using System;
using System.IO;
using System.IO.Compression;
using System.Threading;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// A deflated entry, decoded as it is read: only a window lies in memory, nothing goes to the disk. Reading on goes on
/// decoding; reading back begins again, so a reader goes through it in order.
/// </summary>
/// <remarks>
/// A bomb is stopped twice: an entry that says it holds more than <see cref="MaximumRatio"/> times its compressed size
/// and more than <see cref="AlwaysAllowed"/> is refused before anything is decoded, and output beyond the stated size
/// is an error.
/// </remarks>
internal sealed class InflatedSource : ByteSource
{
    /// <summary>The largest stated size per compressed byte; noise, as activations are, stays below 2.</summary>
    public const int MaximumRatio = 64;

    /// <summary>The stated size in bytes up to which no ratio is asked for.</summary>
    public const long AlwaysAllowed = 1 << 26;

    private readonly ByteSource file;
    private readonly long start;
    private readonly long compressedLength;
    private readonly Lock gate = new();
    private DeflateStream? decoder;
    private long position;

    /// <summary>Describes an entry.</summary>
    /// <param name="file">The archive.</param>
    /// <param name="name">The entry, for messages.</param>
    /// <param name="start">Where its compressed bytes begin.</param>
    /// <param name="compressedLength">Their number; the caller has checked that they lie within.</param>
    /// <param name="length">The bytes it says it holds.</param>
    /// <exception cref="InvalidInputException">It says it holds too much.</exception>
    public InflatedSource(ByteSource file, string name, long start, long compressedLength, long length)
    {
        (this.file, this.start, this.compressedLength) = (file, start, compressedLength);
        Name = name;
        Length = length;
        if (length > AlwaysAllowed && length / MaximumRatio > compressedLength)
        {
            throw new InvalidInputException(
                name,
                string.Empty,
                $"{compressedLength} compressed bytes say they hold {length}: above {AlwaysAllowed} bytes at most "
                + $"{MaximumRatio} times the compressed size is read; save it without compression");
        }
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    public override void ReadExactly(long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - destination.Length);
        lock (gate)
        {
            if (decoder is null || offset < position)
            {
                decoder?.Dispose();
                SourceStream compressed = new(file, start, compressedLength);
                decoder = new DeflateStream(compressed, CompressionMode.Decompress);
                position = 0;
            }

            Span<byte> skipped = stackalloc byte[4096];
            while (position < offset)
            {
                Decode(skipped[..(int)Math.Min(skipped.Length, offset - position)]);
            }

            Decode(destination);
            if (position == Length && decoder.Read(skipped[..1]) != 0)
            {
                throw new InvalidInputException(Name, string.Empty, $"holds more than the {Length} bytes it states");
            }
        }
    }

    private void Decode(Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int count;
            try
            {
                count = decoder!.Read(destination);
            }
            catch (InvalidDataException exception)
            {
                decoder!.Dispose();
                decoder = null;
                throw new InvalidInputException(
                    Name, $"byte {position}", $"cannot be decompressed: {exception.Message}", exception);
            }

            if (count == 0)
            {
                decoder!.Dispose();
                decoder = null;
                throw new InvalidInputException(Name, $"byte {position}", $"ends before the {Length} bytes it states");
            }

            destination = destination[count..];
            position += count;
        }
    }

    private sealed class SourceStream(ByteSource source, long start, long length) : Stream
    {
        private long position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position
        {
            get => position;
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            int count = (int)Math.Min(buffer.Length, length - position);
            source.ReadExactly(start + position, buffer[..count]);
            position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
