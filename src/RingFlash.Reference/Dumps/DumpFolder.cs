using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// A folder: that of a program that describes its dump in JSON, or plainly files of the formats that a single file may
/// have, all read in the order of names. Folders within are read too, and those called <c>rank3</c> or <c>step_0</c>
/// give their tensors an attribute.
/// </summary>
internal static class DumpFolder
{
    private const int MaximumFileCount = 200_000;
    private const int MaximumDepth = 4;
    private const string IndexName = "model.safetensors.index.json";
    private const string GoldenName = "golden.safetensors";

    private static readonly string[] Extensions = [".safetensors", ".npy", ".npz", ".pt", ".pth", RawLogits.Extension];

    /// <summary>Adds what a folder holds.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="path">The folder.</param>
    public static void Add(OpenedDump dump, string path)
    {
        int files = 0;
        Add(dump, path, RealPath.Resolve(path), new Dictionary<string, string>(), 0, ref files);
        if (dump.Tensors.Count == 0)
        {
            dump.Note($"{path}: no tensor was found in it");
        }
    }

    private static void Add(
        OpenedDump dump,
        string path,
        string root,
        Dictionary<string, string> attributes,
        int depth,
        ref int fileCount)
    {
        (List<string> files, List<string> folders) = List(path, root, ref fileCount);
        HashSet<string> names = [.. files.Select(file => Path.GetFileName(file))];
        if (names.Contains("case.json") && names.Contains(GoldenName))
        {
            SafetensorsDump.Add(dump, Path.Combine(path, GoldenName), attributes);
            dump.Read("golden case");
            return;
        }

        if (names.Contains(IndexName))
        {
            SafetensorsDump.AddIndexed(dump, path, attributes);
            dump.Read("safetensors with an index");
            return;
        }

        if (files.Any(HuggingFaceTree.IsTree))
        {
            HuggingFaceTree.Add(dump, path, files, attributes);
            files = [];
        }

        string tensorFolder = Path.Combine(path, MsprobeDump.TensorFolder);
        if (names.Contains(MsprobeDump.DescriptionName))
        {
            List<string> tensorFiles =
                folders.Remove(tensorFolder) ? List(tensorFolder, root, ref fileCount).Files : [];
            MsprobeDump.Add(dump, path, tensorFiles, attributes);
            files = [];
        }

        foreach (string file in files)
        {
            if (Extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase))
            {
                DumpOpening.AddFile(dump, file, attributes);
            }
            else
            {
                dump.Note($"{file}: not read, its name ends in none of {string.Join(", ", Extensions)}");
            }
        }

        foreach (string folder in folders)
        {
            if (depth == MaximumDepth)
            {
                dump.Note($"{folder}: not read, nested deeper than {MaximumDepth}");
                continue;
            }

            Add(dump, folder, root, Within(folder, attributes), depth + 1, ref fileCount);
        }
    }

    // rank3, rank_3, step0 and the like; any other folder is known by the places of its tensors.
    private static Dictionary<string, string> Within(string folder, Dictionary<string, string> attributes)
    {
        string name = Path.GetFileName(folder);
        string key = name.TrimEnd('0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
        string number = name[key.Length..];
        return number.Length > 0 && key.TrimEnd('_', '-') is "rank" or "step" or "tp_rank" or "pp_rank" or "ep_rank"
            ? new(attributes) { [key.TrimEnd('_', '-')] = number }
            : attributes;
    }

    private static (List<string> Files, List<string> Folders) List(string path, string root, ref int fileCount)
    {
        List<string> files = [], folders = [];
        try
        {
            foreach (FileSystemInfo entry in new DirectoryInfo(path).EnumerateFileSystemInfos())
            {
                string shown = Path.Combine(path, entry.Name);
                if (++fileCount > MaximumFileCount)
                {
                    throw new InvalidInputException(path, string.Empty, $"more than {MaximumFileCount} files");
                }

                if (entry.LinkTarget is not null && RealPath.Resolve(shown) is string target
                    && !RealPath.IsInside(target, root))
                {
                    throw new InvalidInputException(
                        shown, string.Empty, $"a link that leads outside the folder, to {target}");
                }

                (Directory.Exists(shown) ? folders : files).Add(shown);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"cannot be listed: {exception.Message}", exception);
        }

        files.Sort(StringComparer.Ordinal);
        folders.Sort(StringComparer.Ordinal);
        return (files, folders);
    }
}
