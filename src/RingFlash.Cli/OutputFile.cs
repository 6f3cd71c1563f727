using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli;

/// <summary>
/// Looks at the name of a file to be written before the work begins: nobody wants to learn after an hour that the
/// result has no place to go, or that it has replaced a golden value.
/// </summary>
internal static class OutputFile
{
    private static readonly string[] KernelFolders = ["/dev/", "/proc/", "/sys/"];

    private static readonly string[] CaseFiles = ["case.json", "config.json"];

    private static readonly string[] ReportExtensions = [".html", ".json", ".xml"];

    /// <summary>Checks one output path.</summary>
    /// <param name="path">The path as the user gave it.</param>
    /// <param name="option">The option, for the message.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <param name="inputs">The paths that are read.</param>
    /// <returns>The full path; null when none was given.</returns>
    /// <exception cref="UsageException">The path is empty or an input.</exception>
    /// <exception cref="EnvironmentException">Nothing can be written there.</exception>
    public static string? Check(string? path, string option, string currentDirectory, IReadOnlyList<string> inputs)
    {
        if (path is null)
        {
            return null;
        }

        if (path.Trim().Length == 0 || path.Contains('\0'))
        {
            throw new UsageException($"{option} needs a file name");
        }

        if (path == "-")
        {
            throw new UsageException($"{option} -: name a file; nothing is written to standard output");
        }

        string target = Path.GetFullPath(path, currentDirectory);
        string folder = Path.GetDirectoryName(target) ?? target;
        if (Directory.Exists(target))
        {
            throw new EnvironmentException(path, "is a folder, a file was to be written");
        }

        // A file is replaced by renaming; root would put a plain file in the place of /dev/null for the whole machine.
        if (KernelFolders.Any(kernel => target.StartsWith(kernel, StringComparison.Ordinal)))
        {
            throw new EnvironmentException(path, "is not a plain file");
        }

        if (!Directory.Exists(folder))
        {
            throw new EnvironmentException(path, $"the folder {folder} does not exist");
        }

        if (inputs.Contains(target, StringComparer.Ordinal)
            || IsCaseFile(target, folder)
            || inputs.Any(input => IsDumpFile(target, input)))
        {
            throw new UsageException($"{option} {path}: is an input; writing would destroy it");
        }

        // Renaming over a read-only file works on Unix; that its owner protected it counts for more.
        if (File.Exists(target) && File.GetAttributes(target).HasFlag(FileAttributes.ReadOnly))
        {
            throw new EnvironmentException(path, "is read-only; nothing was changed");
        }

        return target;
    }

    /// <summary>Refuses one file for two outputs: the second would replace the first.</summary>
    /// <param name="outputs">Options with their full paths, null for those not given.</param>
    /// <exception cref="UsageException">Two are the same.</exception>
    public static void RefuseSame(params ReadOnlySpan<(string Option, string? Path)> outputs)
    {
        for (int later = 1; later < outputs.Length; later++)
        {
            for (int earlier = 0; earlier < later; earlier++)
            {
                if (outputs[later].Path is string path && outputs[earlier].Path == path)
                {
                    throw new UsageException($"{outputs[earlier].Option} and {outputs[later].Option} both name {path}");
                }
            }
        }
    }

    // A report may replace an older report in the folder that it is about, and nothing else there.
    private static bool IsDumpFile(string target, string input) =>
        File.Exists(target)
        && target.StartsWith(
            Path.TrimEndingDirectorySeparator(input) + Path.DirectorySeparatorChar, StringComparison.Ordinal)
        && !ReportExtensions.Contains(Path.GetExtension(target), StringComparer.OrdinalIgnoreCase);

    // By name and neighbourhood and not by comparing paths: a link or a mount gives one file two paths.
    private static bool IsCaseFile(string target, string folder)
    {
        if (!File.Exists(target))
        {
            return false;
        }

        string name = Path.GetFileName(target);
        bool inCase = File.Exists(Path.Combine(folder, "case.json"));
        return name == "manifest.json"
            || (inCase && (CaseFiles.Contains(name) || name.EndsWith(".safetensors", StringComparison.Ordinal)));
    }
}
