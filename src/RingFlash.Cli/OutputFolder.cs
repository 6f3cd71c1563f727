using System.IO;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli;

/// <summary>Looks at the name of a folder to be written before the work begins.</summary>
internal static class OutputFolder
{
    /// <summary>Checks the path; what the folder may hold already is for its writer to say.</summary>
    /// <param name="path">The path as the user gave it.</param>
    /// <param name="option">The option, for the message.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <returns>The full path.</returns>
    /// <exception cref="UsageException">The path is empty.</exception>
    /// <exception cref="EnvironmentException">There is a file of that name, or no folder to put it in.</exception>
    public static string Check(string path, string option, string currentDirectory)
    {
        if (path.Trim().Length == 0 || path.Contains('\0'))
        {
            throw new UsageException($"{option} needs a folder name");
        }

        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path, currentDirectory));
        if (File.Exists(target))
        {
            throw new EnvironmentException(path, "is a file, a folder was to be written");
        }

        string parent = Path.GetDirectoryName(target) ?? target;
        return Directory.Exists(parent)
            ? target
            : throw new EnvironmentException(path, $"the folder {parent} does not exist");
    }
}
