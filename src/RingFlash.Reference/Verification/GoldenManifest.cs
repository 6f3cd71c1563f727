using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>
/// The list of files that belong to a folder of golden cases, each with its length and SHA-256, so that a damaged or
/// edited golden is found before anything is compared with it.
/// </summary>
public static class GoldenManifest
{
    /// <summary>The file's name.</summary>
    public const string FileName = "manifest.json";

    private const string Format = "ringflash-golden-manifest/1";

    private const long LargestManifest = 1 << 24;

    /// <summary>Checks the files of one case against the manifest of its parent folder, if there is one.</summary>
    /// <param name="caseFolder">The case folder.</param>
    /// <returns>Whether there was a manifest that lists the case.</returns>
    /// <exception cref="InvalidInputException">A listed file has another length or hash, or a file is not
    /// listed.</exception>
    public static bool Check(string caseFolder)
    {
        ArgumentNullException.ThrowIfNull(caseFolder);
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(caseFolder));
        string manifestPath = Path.Combine(Path.GetDirectoryName(full) ?? full, FileName);
        if (!File.Exists(manifestPath))
        {
            return false;
        }

        string prefix = Path.GetFileName(full) + "/";
        Dictionary<string, (long Bytes, string Sha256)> listed = Read(manifestPath);
        if (!listed.Keys.Any(path => path.StartsWith(prefix, StringComparison.Ordinal)))
        {
            return false; // a case that somebody added beside the shipped ones
        }

        foreach (string file in Directory.GetFiles(full).Order(StringComparer.Ordinal))
        {
            string name = prefix + Path.GetFileName(file);
            if (!listed.Remove(name, out (long Bytes, string Sha256) entry))
            {
                throw new InvalidInputException(
                    manifestPath, name, "the file is in the folder but not in the manifest");
            }

            using FileStream stream = File.OpenRead(file);
            string hash = Convert.ToHexStringLower(SHA256.HashData(stream));
            if (stream.Length != entry.Bytes || hash != entry.Sha256)
            {
                throw new InvalidInputException(
                    file,
                    string.Empty,
                    $"{stream.Length} bytes with SHA-256 {hash[..12]}…, but the manifest says {entry.Bytes} bytes with "
                    + $"{entry.Sha256[..12]}…");
            }
        }

        string? missing = listed.Keys.FirstOrDefault(path => path.StartsWith(prefix, StringComparison.Ordinal));
        return missing is null
            ? true
            : throw new EnvironmentException(manifestPath, $"{missing} is listed but missing");
    }

    private static Dictionary<string, (long Bytes, string Sha256)> Read(string path)
    {
        long length = new FileInfo(path).Length;
        if (length > LargestManifest)
        {
            throw new InvalidInputException(
                path, string.Empty, $"{length} bytes; a manifest has at most {LargestManifest}");
        }

        using JsonDocument document = StrictJson.Parse(File.ReadAllBytes(path), path);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("format", out JsonElement format)
            || format.ValueKind != JsonValueKind.String
            || format.GetString() != Format
            || !root.TryGetProperty("files", out JsonElement files)
            || files.ValueKind != JsonValueKind.Array)
        {
            throw new InvalidInputException(path, "$", $"not a {Format} with an array of files");
        }

        try
        {
            return ReadEntries(files, path);
        }
        catch (InvalidOperationException exception)
        {
            // A lone surrogate escape passes the parser and fails in GetString.
            throw new InvalidInputException(path, "$.files", "a string is not valid Unicode", exception);
        }
    }

    private static Dictionary<string, (long Bytes, string Sha256)> ReadEntries(JsonElement files, string path)
    {
        Dictionary<string, (long Bytes, string Sha256)> entries = [];
        foreach (JsonElement file in files.EnumerateArray())
        {
            if (file.ValueKind != JsonValueKind.Object
                || !file.TryGetProperty("path", out JsonElement name)
                || name.ValueKind != JsonValueKind.String
                || !file.TryGetProperty("bytes", out JsonElement bytes)
                || bytes.ValueKind != JsonValueKind.Number
                || !bytes.TryGetInt64(out long size)
                || !file.TryGetProperty("sha256", out JsonElement hash)
                || hash.ValueKind != JsonValueKind.String
                || hash.GetString()!.Length != 64
                || !entries.TryAdd(name.GetString()!, (size, hash.GetString()!)))
            {
                throw new InvalidInputException(
                    path, "$.files", "an entry needs path (once), bytes and sha256 (64 hex digits)");
            }
        }

        return entries;
    }
}
