using System;
using System.IO;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>Where a path leads once every symbolic link in it is followed; .NET follows only the last one.</summary>
internal static class RealPath
{
    private const int MaximumLinks = 40; // as in Linux

    /// <summary>Follows every link.</summary>
    /// <param name="path">A path, relative or absolute; its last component need not exist.</param>
    /// <returns>An absolute path without links.</returns>
    /// <exception cref="EnvironmentException">Links form a circle or cannot be read.</exception>
    public static string Resolve(string path)
    {
        // ".." is taken step by step like a name, as the system does: behind a link it means the parent of the target.
        string rest = Path.Combine(Directory.GetCurrentDirectory(), path);
        string resolved = TakeRoot(ref rest);
        int links = 0;
        try
        {
            while (rest.Length > 0)
            {
                int separator = rest.IndexOfAny([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar]);
                string component = separator < 0 ? rest : rest[..separator];
                rest = separator < 0 ? string.Empty : rest[(separator + 1)..];
                if (component is "" or ".")
                {
                    continue;
                }

                if (component == "..")
                {
                    resolved = Path.GetDirectoryName(resolved) ?? resolved;
                    continue;
                }

                string next = Path.Combine(resolved, component);
                if (new FileInfo(next).LinkTarget is not string target)
                {
                    resolved = next;
                    continue;
                }

                if (++links > MaximumLinks)
                {
                    throw new EnvironmentException(path, $"more than {MaximumLinks} symbolic links");
                }

                rest = Path.Combine(target, rest);
                if (Path.IsPathRooted(target))
                {
                    resolved = TakeRoot(ref rest);
                }
            }

            return resolved;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"a link cannot be followed: {exception.Message}", exception);
        }
    }

    /// <summary>Whether a file lies in a folder or below it; both without links.</summary>
    /// <param name="file">The file's real path.</param>
    /// <param name="folder">The folder's real path.</param>
    /// <returns>True when inside.</returns>
    public static bool IsInside(string file, string folder) =>
        file.StartsWith(
            folder.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar,
            StringComparison.Ordinal);

    private static string TakeRoot(ref string path)
    {
        string root = Path.GetPathRoot(path)!;
        path = path[root.Length..];
        return root;
    }
}
