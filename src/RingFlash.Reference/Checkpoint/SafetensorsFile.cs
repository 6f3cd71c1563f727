using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.IO;
using System.Linq;
using Microsoft.Win32.SafeHandles;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// One safetensors file: eight bytes of little-endian header length, a JSON header, raw little-endian row-major data.
/// </summary>
/// <remarks>
/// <para>The file is hostile until checked: no length is used to allocate before it was compared with the file's own,
/// and the tensors must tile the data exactly (<c>SafetensorsHeader</c> holds the rules).</para>
/// <para>Reads go through <see cref="RandomAccess"/> at explicit offsets: there is no shared position, so threads may
/// read at once. Memory mapping is not used because a mapped file that shrinks kills a .NET process; here it gives a
/// short read, which is an <see cref="EnvironmentException"/>.</para>
/// </remarks>
public sealed partial class SafetensorsFile : IWeightSource
{
    private const int LengthPrefix = 8;

    private readonly SafeFileHandle handle;
    private readonly string path;
    private readonly long fileLength;
    private readonly DateTime lastWriteTime;
    private readonly long dataStart;
    private readonly Dictionary<string, SafetensorsHeader.Entry> entries;

    private SafetensorsFile(SafeFileHandle handle, string path)
    {
        this.handle = handle;
        this.path = path;
        fileLength = RandomAccess.GetLength(handle);
        lastWriteTime = File.GetLastWriteTimeUtc(handle);
        int headerLength = ReadHeaderLength();
        byte[] header = new byte[headerLength];
        ReadExactly(LengthPrefix, header);
        dataStart = LengthPrefix + headerLength;
        SafetensorsHeader parsed = SafetensorsHeader.Parse(path, header, fileLength - dataStart);
        entries = parsed.Entries.ToDictionary(entry => entry.Tensor.Name, StringComparer.Ordinal);
        Tensors = [.. parsed.Entries.Select(entry => entry.Tensor)];
        Metadata = parsed.Metadata;
    }

    /// <inheritdoc/>
    public string Description => path;

    /// <summary>Every tensor, in the order of the data.</summary>
    public IReadOnlyCollection<TensorInfo> Tensors { get; }

    /// <summary>The strings of <c>__metadata__</c>; empty when the file has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file, reads its header and checks all of it.</summary>
    /// <param name="path">The file; messages name it as given here.</param>
    /// <returns>The open file.</returns>
    /// <exception cref="InvalidInputException">The file breaks a rule, or is of another format.</exception>
    /// <exception cref="EnvironmentException">The file is missing or cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        RequireLittleEndian(BitConverter.IsLittleEndian, path);
        SafeFileHandle handle = OpenHandle(path);
        try
        {
            return new SafetensorsFile(handle, path);
        }
        catch (Exception exception)
        {
            handle.Dispose();
            if (exception is IOException or UnauthorizedAccessException or NotSupportedException)
            {
                throw new EnvironmentException(path, $"cannot be read as a file: {exception.Message}", exception);
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor)
    {
        bool found = entries.TryGetValue(name, out SafetensorsHeader.Entry? entry);
        tensor = entry?.Tensor;
        return found;
    }

    /// <summary>Checks by length and time that the path still leads to the file that was opened.</summary>
    /// <exception cref="InvalidInputException">Its size or time changed.</exception>
    /// <exception cref="EnvironmentException">It is gone.</exception>
    public void EnsureUnchanged()
    {
        // Opened again and not asked by name: by name, a link of the Hugging Face cache tells its own size and time.
        using SafeFileHandle now = OpenHandle(path);
        if (DescribeChange(RandomAccess.GetLength(now), File.GetLastWriteTimeUtc(now)) is string change)
        {
            throw new InvalidInputException(path, string.Empty, change);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    /// <summary>Data is reinterpreted, not converted; on a big-endian machine every number would be wrong.</summary>
    /// <param name="isLittleEndian">Whether this machine is.</param>
    /// <param name="path">The file that was to be opened.</param>
    internal static void RequireLittleEndian(bool isLittleEndian, string path)
    {
        if (!isLittleEndian)
        {
            throw new EnvironmentException(path, "data is little-endian, this machine is big-endian: unsupported");
        }
    }

    private static SafeFileHandle OpenHandle(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new EnvironmentException(path, "no such file", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"cannot be opened as a file: {exception.Message}", exception);
        }
    }

    private int ReadHeaderLength()
    {
        Span<byte> start = stackalloc byte[(int)Math.Min(fileLength, 256)];
        ReadExactly(0, start);
        ulong length = start.Length >= LengthPrefix ? BinaryPrimitives.ReadUInt64LittleEndian(start) : 0;

        // A gzip stream or a pickle may begin with a small number too, but never with a brace right behind it.
        bool plausible = length <= SafetensorsHeader.MaximumLength
            && start.Length > LengthPrefix && start[LengthPrefix] == (byte)'{';
        if (!plausible && RecogniseOtherFormat(start) is string otherFormat)
        {
            throw new InvalidInputException(path, "byte 0", otherFormat);
        }

        if (fileLength < LengthPrefix)
        {
            throw new InvalidInputException(
                path,
                "byte 0",
                $"header length missing: the file has {fileLength} bytes, {LengthPrefix} are needed");
        }

        if (length > SafetensorsHeader.MaximumLength)
        {
            throw new InvalidInputException(
                path,
                "byte 0",
                $"header length {length} is above the limit of {SafetensorsHeader.MaximumLength}");
        }

        if ((long)length > fileLength - LengthPrefix)
        {
            throw new InvalidInputException(
                path,
                "byte 0",
                $"header length {length} is larger than the {fileLength - LengthPrefix} bytes that follow it");
        }

        return (int)length;
    }

    private static string? RecogniseOtherFormat(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("version https://git-lfs"u8))
        {
            return "this is an LFS pointer, not the file itself: run git lfs pull";
        }

        if (start.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
        {
            return "this is a gzip archive, not a safetensors file";
        }

        if (start.StartsWith("PK"u8))
        {
            return "this is a zip archive (as torch.save writes), not a safetensors file";
        }

        if (start.Length >= 2 && start[0] == 0x80 && start[1] is >= 2 and <= 5)
        {
            return "this is a Python pickle, which may run code when loaded; not a safetensors file";
        }

        ReadOnlySpan<byte> text = start.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? start[3..] : start;
        return text.TrimStart(" \t\r\n"u8).StartsWith("<"u8)
            ? "this is an HTML or XML page (a log-in or error page?), not a safetensors file"
            : null;
    }

    private void ReadExactly(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int count;
            try
            {
                count = RandomAccess.Read(handle, destination, offset);
            }
            catch (IOException exception)
            {
                throw new EnvironmentException(path, $"byte {offset}: cannot be read: {exception.Message}", exception);
            }

            if (count == 0)
            {
                string change = DescribeChange(RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle))
                    ?? "its length is reported as before";
                throw new EnvironmentException(
                    path,
                    $"byte {offset}: the file shrank while it was read, {destination.Length} bytes missing; "
                    + change);
            }

            destination = destination[count..];
            offset += count;
        }
    }

    private string? DescribeChange(long length, DateTime writeTime) =>
        length == fileLength && writeTime == lastWriteTime
            ? null
            : $"size or time changed since it was opened: {fileLength} bytes of {lastWriteTime:O} then, "
                + $"{length} bytes of {writeTime:O} now";
}
