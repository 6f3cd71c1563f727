using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Enumeration;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>A folder of files of the formats that a single file may have, all read in the order of names.</summary>
internal static class DumpFolder
{
    /// <summary>The most files and folders that are looked at.</summary>
    public const int MaximumEntryCount = 200_000;

    private const string IndexName = "model.safetensors.index.json";

    private static readonly string[] Extensions = [".safetensors", ".npy"];

    /// <summary>Adds what a folder holds.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="path">The folder.</param>
    public static void Add(OpenedDump dump, string path)
    {
        Dictionary<string, string> attributes = [];
        if (File.Exists(Path.Combine(path, IndexName)))
        {
            SafetensorsDump.AddIndexed(dump, path, attributes);
            dump.Read("safetensors with an index");
            return;
        }

        string folder = RealPath.Resolve(path);
        foreach (string file in FilesOf(path))
        {
            string target = RealPath.Resolve(file);
            if (!RealPath.IsInside(target, folder))
            {
                throw new InvalidInputException(
                    file, string.Empty, $"a link that leads outside the folder, to {target}");
            }

            if (Extensions.Contains(Path.GetExtension(file), StringComparer.Ordinal))
            {
                DumpOpening.AddFile(dump, file, attributes);
            }
            else
            {
                dump.Note($"{Path.GetFileName(file)}: not read, its name ends in no known extension");
            }
        }
    }

    private static List<string> FilesOf(string path)
    {
        try
        {
            List<string> files = [.. Directory.EnumerateFiles(path).Take(MaximumEntryCount + 1)];
            if (files.Count > MaximumEntryCount)
            {
                throw new InvalidInputException(path, string.Empty, $"more than {MaximumEntryCount} files");
            }

            files.Sort(StringComparer.Ordinal);
            return files;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"cannot be listed: {exception.Message}", exception);
        }
    }
}
