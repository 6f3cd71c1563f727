using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>A line of a file of JSON lines.</summary>
/// <param name="SourceName">The file and the line, for messages.</param>
/// <param name="Value">The object.</param>
public sealed record JsonLine(string SourceName, JsonElement Value)
{
    private const int MaximumByteCount = 1 << 30;

    /// <summary>Reads a file with one JSON object on each line.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The lines.</returns>
    /// <exception cref="InvalidInputException">A line is no object in strict JSON.</exception>
    /// <exception cref="EnvironmentException">The file is missing or cannot be read.</exception>
    public static IEnumerable<JsonLine> Read(string path)
    {
        ReadOnlyMemory<byte> rest = SmallFile.Read(path, MaximumByteCount, "a file of JSON lines");
        for (int number = 1; rest.Length > 0; number++)
        {
            int end = rest.Span.IndexOf((byte)'\n');
            ReadOnlyMemory<byte> line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            string source = string.Create(CultureInfo.InvariantCulture, $"{path}: line {number}");
            if (line.Span.Trim(" \t\r"u8).Length == 0)
            {
                throw new InvalidInputException(source, string.Empty, "is empty; each line must be a JSON object");
            }

            using JsonDocument document = StrictJson.Parse(line, source);
            yield return document.RootElement.ValueKind == JsonValueKind.Object
                ? new JsonLine(source, document.RootElement.Clone())
                : throw new InvalidInputException(source, "$", "must be a JSON object");
        }
    }
}
