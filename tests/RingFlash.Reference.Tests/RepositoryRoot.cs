// Red here means that tests cannot find the repository and would compare nothing; no product defect.
using System;
using System.IO;

namespace RingFlash.Reference.Tests;

/// <summary>The folder that holds the solution, found by walking up from the test binary.</summary>
internal static class RepositoryRoot
{
    public static string Path { get; } = Find();

    public static string Golden => System.IO.Path.Combine(Path, "golden");

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "RingFlash.Reference.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"no RingFlash.Reference.sln above {AppContext.BaseDirectory}");
    }
}
