using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>One file within a zip archive.</summary>
/// <param name="Name">Its name; never used as a path.</param>
/// <param name="IsDeflated">Whether it is compressed; else it is stored.</param>
/// <param name="CompressedLength">The bytes in the archive.</param>
/// <param name="Length">The bytes it says it holds.</param>
/// <param name="HeaderOffset">Where its local header lies.</param>
internal sealed record ZipEntry(
    string Name, bool IsDeflated, long CompressedLength, long Length, long HeaderOffset);

/// <summary>
/// The central directory of a zip archive, ZIP64 included, and byte ranges of its entries. Nothing is ever unpacked to
/// the disk: an entry is read by name only.
/// </summary>
/// <remarks>
/// What two readers could read differently is refused: a name twice, a local header that contradicts the directory,
/// entries that overlap, several disks. Encrypted entries and methods other than stored and deflate are refused when
/// they are asked for. CRC-32 is not checked: entries are read in ranges. Source: PKWARE APPNOTE.TXT 6.3.10.
/// </remarks>
internal sealed class ZipDirectory
{
    private const int EndLength = 22;
    private const int LocatorLength = 20;
    private const int MaximumCommentLength = ushort.MaxValue;
    private const int MaximumDirectoryLength = 1 << 26;
    private const int MaximumEntryCount = 200_000;
    private const int MaximumNameLength = 4096;
    private const int LocalHeaderLength = 30;

    private readonly ByteSource file;
    private readonly Dictionary<string, ZipEntry> byName = new(StringComparer.Ordinal);

    private ZipDirectory(ByteSource file) => this.file = file;

    /// <summary>The entries in the order of the directory.</summary>
    public List<ZipEntry> Entries { get; } = [];

    /// <summary>Reads and checks the directory.</summary>
    /// <param name="file">The whole archive.</param>
    /// <returns>The directory.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    public static ZipDirectory Read(ByteSource file)
    {
        ZipDirectory zip = new(file);
        zip.ReadDirectory();
        return zip;
    }

    /// <summary>Finds an entry.</summary>
    /// <param name="name">Its exact name.</param>
    /// <returns>The entry, or null.</returns>
    public ZipEntry? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>The content of an entry; read when it is asked for.</summary>
    /// <param name="entry">An entry of this archive.</param>
    /// <returns>The bytes.</returns>
    /// <exception cref="InvalidInputException">It contradicts the directory, or a cap is passed.</exception>
    public ByteSource Open(ZipEntry entry)
    {
        Span<byte> header = stackalloc byte[LocalHeaderLength];
        if (entry.HeaderOffset > file.Length - LocalHeaderLength)
        {
            throw Broken(entry, "its local header lies beyond the end of the file");
        }

        file.ReadExactly(entry.HeaderOffset, header);
        int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(header[26..]);
        long start = entry.HeaderOffset + LocalHeaderLength + nameLength
            + BinaryPrimitives.ReadUInt16LittleEndian(header[28..]);
        if (!header.StartsWith("PK\u0003\u0004"u8) || start > file.Length - entry.CompressedLength)
        {
            throw Broken(entry, "its local header is damaged or its data lie beyond the end of the file");
        }

        byte[] name = new byte[nameLength];
        file.ReadExactly(entry.HeaderOffset + LocalHeaderLength, name);
        int method = BinaryPrimitives.ReadUInt16LittleEndian(header[8..]);
        if (Encoding.Latin1.GetString(name) != Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(entry.Name))
            || method != (entry.IsDeflated ? 8 : 0))
        {
            throw Broken(entry, "its local header contradicts the central directory");
        }

        string shown = $"{file.Name}: entry \"{Names.Shown(entry.Name)}\"";
        return entry.IsDeflated
            ? new InflatedSource(file, shown, start, entry.CompressedLength, entry.Length)
            : new SliceSource(file, shown, start, entry.Length);
    }

    private void ReadDirectory()
    {
        (long offset, long length, long count) = FindDirectory();
        if (length > MaximumDirectoryLength || count > MaximumEntryCount)
        {
            throw new InvalidInputException(
                file.Name,
                "zip directory",
                $"{count} entries in {length} bytes; the limits are {MaximumEntryCount} and {MaximumDirectoryLength}");
        }

        byte[] bytes = new byte[length];
        file.ReadExactly(offset, bytes);
        int position = 0;
        long total = 0;
        for (long index = 0; index < count; index++)
        {
            ZipEntry entry = ReadEntry(bytes, ref position);
            if (!byName.TryAdd(entry.Name, entry))
            {
                throw Broken(entry, "the name occurs twice");
            }

            Entries.Add(entry);
            total += entry.CompressedLength;
            if (total > file.Length)
            {
                throw Broken(entry, "entries overlap: together they are longer than the file");
            }
        }
    }

    private (long Offset, long Length, long Count) FindDirectory()
    {
        byte[] tail = [];
        int at = -1;

        // NumPy and PyTorch write no comment: mostly a few bytes are enough, which matters for many small files.
        foreach (int length in (int[])[EndLength + LocatorLength, EndLength + MaximumCommentLength])
        {
            tail = new byte[Math.Min(file.Length, length)];
            file.ReadExactly(file.Length - tail.Length, tail);
            at = FindEnd(tail);
            if (at >= 0)
            {
                break;
            }
        }

        if (at < 0)
        {
            throw new InvalidInputException(
                file.Name, string.Empty, "a zip archive without its end: cut off, or still being written");
        }

        return ReadEnd(tail, at);
    }

    // The comment must end with the file, or text within a comment could pose as the end record.
    private static int FindEnd(byte[] tail)
    {
        int at = tail.Length - EndLength;
        while (at >= 0 && !(tail.AsSpan(at).StartsWith("PK\u0005\u0006"u8)
            && BinaryPrimitives.ReadUInt16LittleEndian(tail.AsSpan(at + 20)) == tail.Length - at - EndLength))
        {
            at--;
        }

        return at;
    }

    private (long Offset, long Length, long Count) ReadEnd(byte[] tail, int at)
    {
        ReadOnlySpan<byte> end = tail.AsSpan(at, EndLength);
        long count = BinaryPrimitives.ReadUInt16LittleEndian(end[10..]);
        long length = BinaryPrimitives.ReadUInt32LittleEndian(end[12..]);
        long offset = BinaryPrimitives.ReadUInt32LittleEndian(end[16..]);
        long limit = file.Length - tail.Length + at;
        bool isZip64 = count == ushort.MaxValue || length == uint.MaxValue || offset == uint.MaxValue;
        if (isZip64 && at >= LocatorLength && tail.AsSpan(at - LocatorLength).StartsWith("PK\u0006\u0007"u8))
        {
            ulong place = BinaryPrimitives.ReadUInt64LittleEndian(tail.AsSpan(at - LocatorLength + 8));
            if (limit < LocatorLength + 56 || place > (ulong)(limit - LocatorLength - 56))
            {
                throw new InvalidInputException(file.Name, "zip directory", "the ZIP64 end lies beyond its locator");
            }

            Span<byte> end64 = stackalloc byte[56];
            file.ReadExactly((long)place, end64);
            ulong count64 = BinaryPrimitives.ReadUInt64LittleEndian(end64[32..]);
            ulong length64 = BinaryPrimitives.ReadUInt64LittleEndian(end64[40..]);
            ulong offset64 = BinaryPrimitives.ReadUInt64LittleEndian(end64[48..]);
            if (!end64.StartsWith("PK\u0006\u0006"u8) || (count64 | length64 | offset64) > long.MaxValue)
            {
                throw new InvalidInputException(file.Name, "zip directory", "the ZIP64 end is damaged");
            }

            (count, length, offset) = ((long)count64, (long)length64, (long)offset64);
        }

        if (offset > limit || length > limit - offset)
        {
            throw new InvalidInputException(
                file.Name, "zip directory", $"{length} bytes at {offset} lie beyond the end record at {limit}");
        }

        return (offset, length, count);
    }

    private ZipEntry ReadEntry(byte[] directory, ref int position)
    {
        ReadOnlySpan<byte> rest = directory.AsSpan(position);
        if (rest.Length < 46 || !rest.StartsWith("PK\u0001\u0002"u8))
        {
            throw new InvalidInputException(file.Name, $"zip directory: byte {position}", "no entry begins here");
        }

        int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(rest[28..]);
        int extraLength = BinaryPrimitives.ReadUInt16LittleEndian(rest[30..]);
        int commentLength = BinaryPrimitives.ReadUInt16LittleEndian(rest[32..]);
        int total = 46 + nameLength + extraLength + commentLength;
        if (total > rest.Length || nameLength > MaximumNameLength)
        {
            throw new InvalidInputException(
                file.Name, $"zip directory: byte {position}", "an entry is cut off, or its name is above 4096 bytes");
        }

        int flags = BinaryPrimitives.ReadUInt16LittleEndian(rest[8..]);
        int method = BinaryPrimitives.ReadUInt16LittleEndian(rest[10..]);
        long compressed = BinaryPrimitives.ReadUInt32LittleEndian(rest[20..]);
        long length = BinaryPrimitives.ReadUInt32LittleEndian(rest[24..]);
        long offset = BinaryPrimitives.ReadUInt32LittleEndian(rest[42..]);
        string name = DecodeName(rest.Slice(46, nameLength));
        ReadZip64(rest.Slice(46 + nameLength, extraLength), ref length, ref compressed, ref offset);
        position += total;
        ZipEntry entry = new(name, method == 8, compressed, length, offset);
        if ((flags & 1) != 0 || method is not (0 or 8))
        {
            throw Broken(entry, (flags & 1) != 0 ? "it is encrypted" : $"compression method {method} is not read");
        }

        if (length < 0 || compressed < 0 || offset < 0 || (method == 0 && length != compressed))
        {
            throw Broken(entry, $"{compressed} bytes stored, {length} stated, at {offset}");
        }

        return entry;
    }

    private string DecodeName(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (ArgumentException exception)
        {
            throw new InvalidInputException(
                file.Name, "zip directory", "the name of an entry is not valid UTF-8", exception);
        }
    }

    // Extra field 1 holds 64-bit numbers for those that are all ones in the entry, in this order.
    private static void ReadZip64(ReadOnlySpan<byte> extra, ref long length, ref long compressed, ref long offset)
    {
        while (extra.Length >= 4)
        {
            int size = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            ReadOnlySpan<byte> field = extra[4..][..Math.Min(size, extra.Length - 4)];
            if (BinaryPrimitives.ReadUInt16LittleEndian(extra) == 1)
            {
                Take(ref field, ref length);
                Take(ref field, ref compressed);
                Take(ref field, ref offset);
            }

            extra = extra[Math.Min(4 + size, extra.Length)..];
        }

        static void Take(ref ReadOnlySpan<byte> field, ref long value)
        {
            if (value == uint.MaxValue && field.Length >= sizeof(long))
            {
                value = BinaryPrimitives.ReadInt64LittleEndian(field);
                field = field[sizeof(long)..];
            }
        }
    }

    private InvalidInputException Broken(ZipEntry entry, string rule) =>
        new(file.Name, $"entry \"{Names.Shown(entry.Name)}\"", rule);
}
