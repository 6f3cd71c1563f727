using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>
/// <c>weights.json</c> of a case of real weights: which tensors of a checkpoint the run read, each with its file, byte
/// range and SHA-256. The weights themselves stay where they are; the hash tells whether a checkpoint holds them.
/// </summary>
internal static class CaseWeights
{
    /// <summary>The file's name.</summary>
    public const string FileName = "weights.json";

    private const string Format = "ringflash-weights/1";

    private const long LargestList = 1 << 28;

    /// <summary>Writes the list.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="weights">The weights.</param>
    public static void Write(Stream stream, IReadOnlyList<WeightFingerprint> weights)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("format", Format);
        json.WriteStartArray("tensors");
        foreach (WeightFingerprint weight in weights)
        {
            json.WriteStartObject();
            json.WriteString("name", weight.Tensor.Name);
            json.WriteString("file", weight.FileName);
            json.WriteNumber("begin", weight.Begin);
            json.WriteNumber("end", weight.End);
            json.WriteString("sha256", weight.Sha256);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Refuses a checkpoint that does not hold the weights of a case.</summary>
    /// <param name="caseFolder">The case.</param>
    /// <param name="checkpoint">The checkpoint. Its shards may be cut otherwise: the bytes of tensors count.</param>
    /// <param name="workers">Who hashes.</param>
    /// <param name="cancellation">Stops between pieces.</param>
    /// <exception cref="InvalidInputException">The list breaks a rule, or a weight is missing or another.</exception>
    public static void Check(
        string caseFolder, CheckpointFolder checkpoint, WorkerPool workers, CancellationToken cancellation)
    {
        string path = Path.Combine(caseFolder, FileName);
        Dictionary<string, string> listed = Read(path);
        foreach (WeightFingerprint found in WeightFingerprint.Of(checkpoint, [.. listed.Keys], workers, cancellation))
        {
            string expected = listed[found.Tensor.Name];
            if (found.Sha256 != expected)
            {
                throw new InvalidInputException(
                    checkpoint.Description,
                    found.Tensor.Name,
                    $"SHA-256 {found.Sha256[..12]}…, but the case was captured with other weights: {expected[..12]}…");
            }
        }
    }

    private static Dictionary<string, string> Read(string path)
    {
        FileInfo file = new(path);
        if (!file.Exists)
        {
            throw new EnvironmentException(path, "no such file, and the case names a checkpoint's weights");
        }

        if (file.Length > LargestList)
        {
            throw new InvalidInputException(
                path, string.Empty, $"{file.Length} bytes; a list has at most {LargestList}");
        }

        using JsonDocument document = StrictJson.Parse(File.ReadAllBytes(path), path);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("format", out JsonElement format)
            || format.ValueKind != JsonValueKind.String
            || format.GetString() != Format)
        {
            throw new InvalidInputException(path, "$.format", $"must be \"{Format}\"");
        }

        if (!root.TryGetProperty("tensors", out JsonElement tensors)
            || tensors.ValueKind != JsonValueKind.Array
            || tensors.GetArrayLength() == 0)
        {
            throw new InvalidInputException(path, "$.tensors", "a list of at least one tensor is required");
        }

        Dictionary<string, string> listed = new(StringComparer.Ordinal);
        for (int index = 0; index < tensors.GetArrayLength(); index++)
        {
            JsonElement tensor = tensors[index];
            string? name = Text(tensor, "name"), sha256 = Text(tensor, "sha256");
            if (name is null || sha256 is not { Length: 64 } || !listed.TryAdd(name, sha256))
            {
                throw new InvalidInputException(
                    path, $"$.tensors[{index}]", "needs a \"name\", once, and a \"sha256\" of 64 digits");
            }
        }

        return listed;
    }

    private static string? Text(JsonElement element, string key) =>
        element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(key, out JsonElement value)
        && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
