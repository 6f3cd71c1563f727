using System;
using System.IO;
using System.Threading;
using Microsoft.Win32.SafeHandles;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>One file of a dump, read with <see cref="RandomAccess"/>; not mapped, so a file that shrinks is an error
/// and not a crash.</summary>
internal sealed class DumpFile : ByteSource
{
    private readonly string path;
    private readonly OpenFiles files;
    private readonly DateTime lastWriteTime;
    private SafeFileHandle? handle;

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file; messages name it as given here.</param>
    /// <param name="files">The dump's open handles.</param>
    /// <exception cref="InvalidInputException">The file is empty, or no regular file.</exception>
    /// <exception cref="EnvironmentException">It is missing or cannot be opened.</exception>
    public DumpFile(string path, OpenFiles files)
    {
        this.path = path;
        this.files = files;

        // Asked before opening: to open a pipe would wait for its writer. Pipes and devices have length 0.
        FileInfo info = new(path);
        Length = Guarded(() => info.Exists ? info.Length : throw new FileNotFoundException());
        if (Length == 0)
        {
            throw new InvalidInputException(path, string.Empty, "0 bytes: an empty file, or no regular file");
        }

        lastWriteTime = info.LastWriteTimeUtc;
        handle = OpenHandle();
        Length = RandomAccess.GetLength(handle);
        lastWriteTime = File.GetLastWriteTimeUtc(handle);
        files.Opened(this);
    }

    /// <inheritdoc/>
    public override string Name => path;

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    public override void ReadExactly(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int count;
            try
            {
                count = RandomAccess.Read(Volatile.Read(ref handle) ?? Reopen(), destination, offset);
            }
            catch (ObjectDisposedException exception) when (exception.ObjectName != typeof(OpenFiles).FullName)
            {
                continue; // closed by another thread's opening; open it again
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new EnvironmentException(path, $"byte {offset}: cannot be read: {exception.Message}", exception);
            }

            if (count == 0)
            {
                throw new EnvironmentException(
                    path, $"byte {offset}: the file shrank while it was read, {destination.Length} bytes missing");
            }

            destination = destination[count..];
            offset += count;
        }
    }

    /// <summary>Closes the handle; reads that are under way end well.</summary>
    public void Close() => Interlocked.Exchange(ref handle, null)?.Dispose();

    private SafeFileHandle Reopen()
    {
        SafeFileHandle opened = OpenHandle();
        long length = RandomAccess.GetLength(opened);
        DateTime time = File.GetLastWriteTimeUtc(opened);
        if (length != Length || time != lastWriteTime)
        {
            opened.Dispose();
            throw new EnvironmentException(
                path,
                $"changed since it was opened: {Length} bytes of {lastWriteTime:O} then, {length} of {time:O} now");
        }

        if (Interlocked.CompareExchange(ref handle, opened, null) is SafeFileHandle other)
        {
            opened.Dispose(); // another thread was faster
            return other;
        }

        files.Opened(this);
        return opened;
    }

    private SafeFileHandle OpenHandle() => Guarded(
        () => File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete));

    private T Guarded<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new EnvironmentException(path, "no such file", exception);
        }
        catch (Exception exception) when (
            exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new EnvironmentException(path, $"cannot be opened as a file: {exception.Message}", exception);
        }
    }
}
