using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Generation;

/// <summary>
/// The tokens that end an output: all of <c>eos_token_id</c> in <c>generation_config.json</c> and in
/// <c>config.json</c>. The published Ling-2.0 folders list two in the first (156892 and 156895) and one in the second;
/// whoever reads only the second runs past the end of every answer.
/// </summary>
public static class StopTokens
{
    /// <summary>Reads the ids of a folder.</summary>
    /// <param name="folder">The checkpoint folder; <c>generation_config.json</c> may be missing.</param>
    /// <param name="configuration">The folder's <c>config.json</c>.</param>
    /// <returns>Each id once, those of generation_config.json first.</returns>
    /// <exception cref="InvalidInputException">The file is no JSON object, or an id is none.</exception>
    public static IReadOnlyList<int> Of(string folder, ModelConfiguration configuration)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(configuration);
        string path = Path.Combine(folder, "generation_config.json");
        return [.. Read(path, configuration.VocabularySize).Concat(configuration.EndOfSequenceTokenIds).Distinct()];
    }

    private static int[] Read(string path, int vocabulary)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        using JsonDocument document = StrictJson.Parse(ConfigurationReader.ReadBytes(path), path);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidInputException(path, "$", "must be an object");
        }

        return !document.RootElement.TryGetProperty("eos_token_id", out JsonElement value)
            ? []
            : value.ValueKind switch
            {
                JsonValueKind.Null => [],
                JsonValueKind.Array => [.. value.EnumerateArray().Select(Id)],
                _ => [Id(value)],
            };

        int Id(JsonElement element) =>
            element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int id) && id >= 0 && id < vocabulary
                ? id
                : throw new InvalidInputException(
                    path,
                    "$.eos_token_id",
                    $"{element.GetRawText()} is not a token id; the vocabulary has {vocabulary}");
    }
}
