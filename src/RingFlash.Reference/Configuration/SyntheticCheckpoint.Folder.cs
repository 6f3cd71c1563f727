using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

// Whose folder it is: a small file says what the folder was begun as, and an open handle on it keeps a second run out.
public sealed partial class SyntheticCheckpoint
{
    /// <summary>The file in the folder that says how its weights were made.</summary>
    public const string RecipeName = "ringflash-synth.json";

    private const long LargestRecipe = 1 << 16;

    private static readonly string[] CompanionPatterns =
    [
        "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template*",
        "generation_config.json", "configuration_bailing_moe_v2.py", "modeling_bailing_moe_v2.py",
    ];

    /// <summary>
    /// The files of a published folder that are no weights: the tokenizer's, and what auto_map and generate look for.
    /// </summary>
    private static string[] CompanionFiles(string? folder)
    {
        if (folder is null)
        {
            return [];
        }

        string[] files = Directory.Exists(folder)
            ? [.. CompanionPatterns.SelectMany(pattern => Directory.GetFiles(folder, pattern)).Distinct().Order()]
            : throw new EnvironmentException(folder, "no such folder");
        return files.Any(file => Path.GetFileName(file) == "tokenizer.json")
            ? files
            : throw new EnvironmentException(folder, "holds no tokenizer.json");
    }

    /// <summary>Makes the folder ours, for as long as the handle is open.</summary>
    private FileStream Claim(string folder)
    {
        if (File.Exists(folder))
        {
            throw new EnvironmentException(folder, "is a file, a folder was to be written");
        }

        string path = Path.Combine(folder, RecipeName);
        byte[] recipe = Recipe();
        try
        {
            Directory.CreateDirectory(folder);
            if (!File.Exists(path))
            {
                AtomicFile.RemoveLeftOvers(path);
                if (Directory.EnumerateFileSystemEntries(folder).Any())
                {
                    throw new EnvironmentException(
                        folder, $"holds other files and no {RecipeName}; nothing was changed");
                }

                AtomicFile.Write(path, stream => stream.Write(recipe));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(folder, $"cannot be written: {exception.Message}", exception);
        }

        FileStream handle = OpenAlone(folder, path);
        try
        {
            RequireSame(path, recipe, handle);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private static FileStream OpenAlone(string folder, string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception)
        {
            throw new EnvironmentException(folder, "another run is writing this folder", exception);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new EnvironmentException(path, $"cannot be opened for writing: {exception.Message}", exception);
        }
    }

    private static void RequireSame(string path, byte[] recipe, FileStream handle)
    {
        if (handle.Length > LargestRecipe)
        {
            throw new InvalidInputException(path, string.Empty, $"{handle.Length} bytes; at most {LargestRecipe}");
        }

        byte[] found = new byte[handle.Length];
        handle.ReadExactly(found);
        using JsonDocument theirs = StrictJson.Parse(found, path), ours = JsonDocument.Parse(recipe);
        if (theirs.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidInputException(path, "$", "must be an object");
        }

        foreach (JsonProperty property in ours.RootElement.EnumerateObject())
        {
            string there = theirs.RootElement.TryGetProperty(property.Name, out JsonElement value)
                ? value.GetRawText()
                : "nothing";
            if (there != property.Value.GetRawText())
            {
                throw new EnvironmentException(
                    path,
                    $"the folder was begun with {property.Name} {there}, this run has {property.Value.GetRawText()}; "
                    + "nothing was changed");
            }
        }
    }

    private byte[] Recipe()
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("format", "ringflash-synth/1");
            json.WriteString("algorithm", SyntheticSource.Algorithm);
            json.WriteString("seed", options.Seed.ToString(CultureInfo.InvariantCulture));
            json.WriteString("dtype", Storage.Word());
            json.WriteString("layers", options.Layers?.ToString() ?? "all");
            json.WriteNumber("shard_size", options.ShardSize);
            json.WriteString(
                "source_config_sha256", Convert.ToHexStringLower(SHA256.HashData(options.ConfigurationJson.Span)));
            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }
}
