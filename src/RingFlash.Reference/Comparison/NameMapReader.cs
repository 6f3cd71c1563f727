using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>Reads a name map; what the format does not know is refused.</summary>
public static class NameMapReader
{
    /// <summary>The format that is read.</summary>
    public const string Format = "ringflash-map/1";

    private const int LargestFile = 1 << 20, MostPatterns = 20_000;

    /// <summary>Reads a user's map.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The map.</returns>
    /// <exception cref="InvalidInputException">It breaks a rule.</exception>
    /// <exception cref="EnvironmentException">It cannot be read.</exception>
    public static NameMap ReadFile(string path) => Parse(SmallFile.Read(path, LargestFile, "a name map"), path);

    /// <summary>Reads a map.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="file">What to call it in messages.</param>
    /// <returns>The map.</returns>
    /// <exception cref="InvalidInputException">It breaks a rule.</exception>
    public static NameMap Parse(ReadOnlyMemory<byte> json, string file)
    {
        using JsonDocument document = StrictJson.Parse(json, file);
        JsonSection map = new(document.RootElement, file, "$");
        if (map.OptionalText("format") is not Format)
        {
            throw map.Refuse("format", $"must be \"{Format}\"; found {map.Found("format")}");
        }

        string name = map.OptionalText("name") ?? throw map.Refuse("name", "required: what to call the map");
        string source = map.OptionalText("source") ?? string.Empty;
        Dictionary<string, string[]> words = ReadWords(map, file);
        if (map.Find("tensors") is not { ValueKind: JsonValueKind.Array } tensors)
        {
            throw map.Refuse("tensors", $"required, a list; found {map.Found("tensors")}");
        }

        RefuseUnknown(map);
        List<NameMapEntry> entries = [];
        int line = 0;
        foreach (JsonElement tensor in tensors.EnumerateArray())
        {
            string place = NameMapLine.PlaceOf(line);
            entries.AddRange(NameMapLine.Read(new JsonSection(tensor, file, place), words, file, line++));
            if (entries.Count > MostPatterns)
            {
                throw new InvalidInputException(file, place, $"a map has at most {MostPatterns} names");
            }
        }

        return new NameMap(name, source, entries);
    }

    /// <summary>Refuses keys that nobody asked for.</summary>
    internal static void RefuseUnknown(JsonSection section)
    {
        if (section.UnaskedKeys.FirstOrDefault() is string key)
        {
            throw section.Refuse(key, "no such key in a name map");
        }
    }

    private static Dictionary<string, string[]> ReadWords(JsonSection map, string file)
    {
        Dictionary<string, string[]> words = new(StringComparer.Ordinal);
        if (map.Find("words") is not JsonElement given)
        {
            return words;
        }

        if (given.ValueKind != JsonValueKind.Object)
        {
            throw map.Refuse("words", $"must be an object; found {map.Found("words")}");
        }

        foreach (JsonProperty word in given.EnumerateObject())
        {
            string place = $"$.words.{word.Name}";
            bool isList = word.Value.ValueKind == JsonValueKind.Array
                && word.Value.GetArrayLength() is > 0 and <= 64
                && word.Value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String);
            if (!isList || !word.Name.All(char.IsAsciiLetterLower) || word.Name is "" or "layer" or "expert" or "rank")
            {
                throw new InvalidInputException(
                    file,
                    place,
                    "a word is of small letters, none of layer, expert and rank, and stands for 1 to 64 texts");
            }

            words[word.Name] = [.. word.Value.EnumerateArray().Select(item => item.GetString()!)];
        }

        return words;
    }
}
