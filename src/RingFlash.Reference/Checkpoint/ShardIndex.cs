using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using System.Text.Unicode;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// <c>model.safetensors.index.json</c>: which shard holds which tensor. Its file names come from a stranger and are the
/// only names in a checkpoint that lead to a file, so they must be plain.
/// </summary>
internal sealed class ShardIndex
{
    private const long MaximumLength = 100_000_000;
    private const int MaximumDepth = 16;

    private ShardIndex(string path) => Source = path;

    /// <summary>The index file, for messages.</summary>
    public string Source { get; }

    /// <summary>Tensor name to shard file name.</summary>
    public Dictionary<string, string> ShardOfTensor { get; } = new(StringComparer.Ordinal);

    /// <summary><c>metadata.total_size</c> when it is an integer.</summary>
    public long? TotalSize { get; private set; }

    /// <summary>Reads and checks an index.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The index.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    /// <exception cref="EnvironmentException">The file cannot be read.</exception>
    public static ShardIndex Read(string path)
    {
        byte[] text = ReadBounded(path);
        if (!Utf8.IsValid(text))
        {
            throw new InvalidInputException(path, string.Empty, "not valid UTF-8");
        }

        ShardIndex index = new(path);
        try
        {
            JsonDocumentOptions options = new() { MaxDepth = MaximumDepth, AllowDuplicateProperties = false };
            using JsonDocument document = JsonDocument.Parse(text, options);
            index.ReadRoot(document.RootElement);
        }
        catch (JsonException exception)
        {
            throw new InvalidInputException(path, string.Empty, $"not valid JSON: {exception.Message}", exception);
        }
        catch (InvalidOperationException exception)
        {
            // A string with an escape such as \ud800 alone cannot become text.
            throw new InvalidInputException(path, string.Empty, "a string has a lone surrogate escape", exception);
        }

        return index;
    }

    private static byte[] ReadBounded(string path)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            if (stream.Length > MaximumLength)
            {
                throw new InvalidInputException(
                    path,
                    string.Empty,
                    $"the index has {stream.Length} bytes, the limit is {MaximumLength}");
            }

            byte[] text = new byte[stream.Length];
            stream.ReadExactly(text);
            return text;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"cannot be read: {exception.Message}", exception);
        }
    }

    private void ReadRoot(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("weight_map"u8, out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidInputException(Source, "$.weight_map", "an object of shard names is missing");
        }

        if (root.TryGetProperty("metadata"u8, out JsonElement metadata)
            && metadata.ValueKind == JsonValueKind.Object
            && metadata.TryGetProperty("total_size"u8, out JsonElement totalSize)
            && totalSize.ValueKind == JsonValueKind.Number
            && totalSize.TryGetInt64(out long size))
        {
            TotalSize = size;
        }

        foreach (JsonProperty property in map.EnumerateObject())
        {
            string place = $"$.weight_map[\"{SafetensorsHeader.Shown(property.Name)}\"]";
            if (property.Value.ValueKind != JsonValueKind.String)
            {
                throw new InvalidInputException(
                    Source,
                    place,
                    $"a shard name must be a string, found {property.Value.ValueKind}");
            }

            string shard = property.Value.GetString()!;
            if (!IsPlainFileName(shard))
            {
                throw new InvalidInputException(
                    Source,
                    place,
                    $"shard name \"{SafetensorsHeader.Shown(shard)}\" must be a plain file name; "
                    + "it would lead outside the folder");
            }

            ShardOfTensor.Add(property.Name, shard);
        }
    }

    // The rules of every system at once, so that a checkpoint is not safe on one and unsafe on another.
    private static bool IsPlainFileName(string name)
    {
        if (name.Length is 0 or > 255 || name is "." or "..")
        {
            return false;
        }

        foreach (char character in name)
        {
            if (character is '/' or '\\' or ':' || char.IsControl(character))
            {
                return false;
            }
        }

        return true;
    }
}
