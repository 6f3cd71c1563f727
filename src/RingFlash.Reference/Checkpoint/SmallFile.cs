using System;
using System.Globalization;
using System.IO;
using Microsoft.Win32.SafeHandles;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>Reads a file that fits in memory, looking at its length first.</summary>
internal static class SmallFile
{
    /// <summary>Reads all bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maximumByteCount">The most bytes that such a file has.</param>
    /// <param name="kind">What the file is, for messages: <c>a configuration</c>.</param>
    /// <returns>The bytes, not checked.</returns>
    /// <exception cref="EnvironmentException">The file is missing or cannot be read.</exception>
    /// <exception cref="InvalidInputException">It is too large.</exception>
    public static byte[] Read(string path, int maximumByteCount, string kind)
    {
        try
        {
            using SafeFileHandle handle = File.OpenHandle(path, options: FileOptions.SequentialScan);
            long length = RandomAccess.GetLength(handle);
            if (length > maximumByteCount)
            {
                throw new InvalidInputException(path, string.Empty, string.Create(
                    CultureInfo.InvariantCulture, $"{kind} has at most {maximumByteCount} bytes; found {length}"));
            }

            byte[] bytes = new byte[length];
            int read = 0;
            while (read < bytes.Length)
            {
                int count = RandomAccess.Read(handle, bytes.AsSpan(read), read);
                if (count == 0)
                {
                    throw new EnvironmentException(path, $"shrank while it was read: {read} of {length} bytes");
                }

                read += count;
            }

            return bytes;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new EnvironmentException(path, "no such file", exception);
        }
        catch (Exception exception) when (
            exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new EnvironmentException(path, "cannot be read: " + exception.Message, exception);
        }
    }
}
