using System;
using System.IO;
using Microsoft.Win32.SafeHandles;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// Writes a file whole or not at all: to a temporary name in the same folder, flushed to the disk, then renamed over
/// the target. A crash, a full disk or Ctrl-C leaves the old file as it was, never a half-written one.
/// </summary>
/// <remarks>
/// The folder entry is not flushed on its own: .NET has no call for it, and File.OpenHandle refuses a folder (tried on
/// .NET 10.0.12, Linux), so RandomAccess.FlushToDisk gets none. After a power loss the old file may therefore reappear,
/// whole. A target that is a symbolic link is replaced by a plain file.
/// </remarks>
public static class AtomicFile
{
    // ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL of Windows; .NET maps ENOSPC of Unix to the former or keeps errno 28.
    private const int DiskFull = unchecked((int)0x80070070);
    private const int HandleDiskFull = unchecked((int)0x80070027);
    private const int NoSpaceErrno = 28;

    private const string TemporarySuffix = ".tmp";

    /// <summary>Writes the file.</summary>
    /// <param name="path">The target; replaced when it exists.</param>
    /// <param name="body">Writes the content. When it throws, nothing changes and the exception goes on.</param>
    /// <exception cref="EnvironmentException">The disk is full or the folder cannot be written.</exception>
    public static void Write(string path, Action<Stream> body)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(body);
        string target = Path.GetFullPath(path);
        if (Directory.Exists(target))
        {
            throw new EnvironmentException(path, "is a folder, a file was to be written");
        }

        // CreateNew on a random name: a name that an attacker could guess might already be a link to somewhere else.
        string temporary = Path.Combine(
            Path.GetDirectoryName(target)!,
            $".{Path.GetFileName(target)}.{Path.GetRandomFileName()}{TemporarySuffix}");
        bool created = false;
        try
        {
            using (FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                created = true;
                body(stream);
                stream.Flush();
                RandomAccess.FlushToDisk(stream.SafeFileHandle);
            }

            File.Move(temporary, target, overwrite: true);
            created = false;
        }
        catch (IOException exception) when (exception.HResult is DiskFull or HandleDiskFull or NoSpaceErrno)
        {
            throw new EnvironmentException(path, "the disk is full; nothing was changed", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"cannot be written: {exception.Message}", exception);
        }
        finally
        {
            if (created)
            {
                TryDelete(temporary);
            }
        }
    }

    /// <summary>Writes UTF-8 text without a byte order mark.</summary>
    /// <param name="path">The target; replaced when it exists.</param>
    /// <param name="text">The content.</param>
    /// <exception cref="EnvironmentException">The disk is full or the folder cannot be written.</exception>
    public static void WriteText(string path, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
        Write(path, stream => stream.Write(bytes));
    }

    /// <summary>Writes the file at explicit offsets, so that several threads may write at once.</summary>
    /// <param name="path">The target; replaced when it exists.</param>
    /// <param name="body">Writes the content through <see cref="RandomAccess"/>; does not close the handle.</param>
    /// <exception cref="EnvironmentException">The disk is full or the folder cannot be written.</exception>
    internal static void WriteAt(string path, Action<SafeFileHandle> body) =>
        Write(path, stream => body(((FileStream)stream).SafeFileHandle));

    /// <summary>Removes what killed runs left of a file: temporary names that no run will rename any more.</summary>
    /// <param name="path">The target. The caller knows that no other run writes it now.</param>
    internal static void RemoveLeftOvers(string path)
    {
        string target = Path.GetFullPath(path);
        string pattern = $".{Path.GetFileName(target)}.*{TemporarySuffix}";
        foreach (string leftOver in Directory.GetFiles(Path.GetDirectoryName(target)!, pattern))
        {
            TryDelete(leftOver);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here is the one to report; a stray .tmp file does no harm.
        }
    }
}
