using System;
using System.Text.Json;
using System.Text.Unicode;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>JSON that Python's <c>json.dump</c> wrote: strict, but with its literals NaN and Infinity.</summary>
internal static class DumpJson
{
    private const int MaximumLength = 1 << 28;
    private const int MaximumDepth = 64;

    /// <summary>Reads and checks a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="files">The dump's open handles.</param>
    /// <returns>The document; its root is an object.</returns>
    /// <exception cref="InvalidInputException">It is too large, no UTF-8, no JSON, or no object.</exception>
    public static JsonDocument Read(string path, OpenFiles files)
    {
        DumpFile file = new(path, files);
        if (file.Length > MaximumLength)
        {
            throw new InvalidInputException(
                path, string.Empty, $"{file.Length} bytes of JSON, the limit is {MaximumLength}");
        }

        byte[] text = new byte[file.Length];
        file.ReadExactly(0, text);
        if (!Utf8.IsValid(text))
        {
            throw new InvalidInputException(path, string.Empty, "not valid UTF-8");
        }

        ReplaceLiterals(text);
        try
        {
            CheckStrings(path, text);
            JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = MaximumDepth });
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            throw new InvalidInputException(path, "$", "must be an object");
        }
        catch (JsonException exception)
        {
            throw new InvalidInputException(path, string.Empty, $"not valid JSON: {exception.Message}", exception);
        }
    }

    // GetString throws where an escape such as \ud800 stands alone; here once for all, so that later reads are safe.
    private static void CheckStrings(string path, ReadOnlySpan<byte> text)
    {
        Utf8JsonReader reader = new(text, new JsonReaderOptions { MaxDepth = MaximumDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
            {
                try
                {
                    reader.GetString();
                }
                catch (InvalidOperationException exception)
                {
                    throw new InvalidInputException(
                        path, $"byte {reader.TokenStartIndex}", "a string has a lone surrogate escape", exception);
                }
            }
        }
    }

    // They stand for statistics that nobody reads here; a zero of the same length keeps every offset.
    private static void ReplaceLiterals(Span<byte> text)
    {
        bool inString = false;
        for (int index = 0; index < text.Length; index++)
        {
            byte current = text[index];
            if (inString)
            {
                index += current == (byte)'\\' ? 1 : 0;
                inString = current != (byte)'"';
            }
            else if (current == (byte)'"')
            {
                inString = true;
            }
            else if (current is (byte)'N' or (byte)'I')
            {
                int length = text[index..].StartsWith("NaN"u8) ? 3 : text[index..].StartsWith("Infinity"u8) ? 8 : 0;
                text.Slice(index, length).Fill((byte)' ');
                text[index..][..Math.Min(length, 1)].Fill((byte)'0');
                index += Math.Max(length - 1, 0);
            }
        }
    }
}
