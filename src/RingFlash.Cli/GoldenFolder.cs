using System.IO;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli;

/// <summary>Finds the golden cases when no path is given.</summary>
internal static class GoldenFolder
{
    /// <summary>Walks up from a folder to the first one that holds <c>golden</c>.</summary>
    /// <param name="start">Where to begin.</param>
    /// <returns>The full path of <c>golden</c>.</returns>
    /// <exception cref="EnvironmentException">There is none.</exception>
    public static string Find(string start)
    {
        for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
        {
            string golden = Path.Combine(folder.FullName, "golden");
            if (Directory.Exists(golden))
            {
                return golden;
            }
        }

        throw new EnvironmentException(
            start, "no folder 'golden' here or above; name the case folders: ringflash verify PATH");
    }
}
