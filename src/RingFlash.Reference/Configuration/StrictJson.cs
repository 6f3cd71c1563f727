using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

/// <summary>
/// JSON as RFC 8259 has it and no further: no comments, no trailing commas, no duplicate keys at any level, no lone
/// surrogates, at most 64 levels. Every refusal is an <see cref="InvalidInputException"/>.
/// </summary>
public static class StrictJson
{
    private const int MaximumDepth = 64;

    /// <summary>Checks and parses a document.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="sourceName">What to call it in messages.</param>
    /// <returns>The document; no string in it throws when it is read.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json, string sourceName)
    {
        Check(json.Span, sourceName);
        try
        {
            return JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaximumDepth });
        }
        catch (JsonException exception)
        {
            throw Syntax(exception, sourceName);
        }
    }

    private static void Check(ReadOnlySpan<byte> json, string sourceName)
    {
        Stack<Level> levels = new();
        try
        {
            Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = MaximumDepth });
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.StartObject:
                    case JsonTokenType.StartArray:
                        levels.Push(new Level(
                            ValuePath(levels), reader.TokenType == JsonTokenType.StartObject ? [] : null));
                        break;
                    case JsonTokenType.EndObject:
                    case JsonTokenType.EndArray:
                        levels.Pop();
                        break;
                    case JsonTokenType.PropertyName:
                        Level level = levels.Peek();
                        level.Key = ReadText(ref reader, level.Path, sourceName);
                        if (!level.Keys!.Add(level.Key))
                        {
                            throw new InvalidInputException(
                                sourceName,
                                $"{level.Path}.{level.Key}",
                                $"duplicate key{Where(json, reader.TokenStartIndex)}");
                        }

                        break;
                    case JsonTokenType.String:
                        _ = ReadText(ref reader, ValuePath(levels), sourceName);
                        break;
                    default:
                        _ = ValuePath(levels);
                        break;
                }
            }
        }
        catch (JsonException exception)
        {
            throw Syntax(exception, sourceName);
        }
    }

    // GetString throws InvalidOperationException, not JsonException, for an escape such as \ud800 without its pair and
    // for invalid UTF-8.
    private static string ReadText(ref Utf8JsonReader reader, string path, string sourceName)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            throw new InvalidInputException(
                sourceName, path, "a string must be valid UTF-8 without lone surrogates", exception);
        }
    }

    private static string ValuePath(Stack<Level> levels)
    {
        if (levels.Count == 0)
        {
            return "$";
        }

        Level parent = levels.Peek();
        return parent.Keys is null
            ? string.Create(CultureInfo.InvariantCulture, $"{parent.Path}[{parent.NextIndex++}]")
            : $"{parent.Path}.{parent.Key}";
    }

    private static string Where(ReadOnlySpan<byte> json, long offset)
    {
        ReadOnlySpan<byte> before = json[..(int)offset];
        int line = before.Count((byte)'\n') + 1;
        int column = before.Length - before.LastIndexOf((byte)'\n');
        return string.Create(CultureInfo.InvariantCulture, $" (line {line}, column {column})");
    }

    private static InvalidInputException Syntax(JsonException exception, string sourceName)
    {
        string message = exception.Message;
        int tail = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return new InvalidInputException(
            sourceName,
            string.Create(
                CultureInfo.InvariantCulture,
                $"line {(exception.LineNumber ?? 0) + 1}, column {(exception.BytePositionInLine ?? 0) + 1}"),
            "not strict JSON (no comments, no trailing commas): " + (tail < 0 ? message : message[..tail]),
            exception);
    }

    private sealed class Level(string path, HashSet<string>? keys)
    {
        public string Path { get; } = path;

        public HashSet<string>? Keys { get; } = keys;

        public string Key { get; set; } = string.Empty;

        public int NextIndex { get; set; }
    }
}
