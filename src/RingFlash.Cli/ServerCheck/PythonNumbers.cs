using System;
using System.IO;
using System.Text.Json;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// Python's json module writes NaN and the infinities as bare words, which no JSON has. They become strings, so that
/// the rest of the answer can be read and the number be named.
/// </summary>
internal static class PythonNumbers
{
    /// <summary>Puts bare <c>NaN</c>, <c>Infinity</c> and <c>-Infinity</c> into quotes.</summary>
    /// <param name="json">UTF-8.</param>
    /// <returns>The same array where there is none.</returns>
    public static byte[] ToStrings(byte[] json)
    {
        if (json.AsSpan().IndexOf("NaN"u8) < 0 && json.AsSpan().IndexOf("Infinity"u8) < 0)
        {
            return json;
        }

        using MemoryStream result = new(json.Length + 64);
        bool inText = false;
        for (int at = 0; at < json.Length; at++)
        {
            int length = inText ? 0 : WordAt(json.AsSpan(at));
            if (length > 0)
            {
                result.WriteByte((byte)'"');
                result.Write(json, at, length);
                result.WriteByte((byte)'"');
                at += length - 1;
                continue;
            }

            result.WriteByte(json[at]);
            if (inText && json[at] == (byte)'\\' && at + 1 < json.Length)
            {
                result.WriteByte(json[++at]);
            }
            else if (json[at] == (byte)'"')
            {
                inText = !inText;
            }
        }

        return result.ToArray();
    }

    /// <summary>Whether a text is nothing, or a good beginning of an object or a list that lacks its end.</summary>
    /// <param name="json">UTF-8.</param>
    /// <returns>The answer.</returns>
    public static bool IsIncomplete(ReadOnlySpan<byte> json)
    {
        ReadOnlySpan<byte> text = json.TrimStart(" \t\r\n"u8);
        if (text.Length > 0 && text[0] is not ((byte)'{' or (byte)'['))
        {
            return false;
        }

        Utf8JsonReader reader = new(json, isFinalBlock: false, new JsonReaderState());
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth == 0
                    && reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
                {
                    return false;
                }
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static int WordAt(ReadOnlySpan<byte> json) =>
        json.StartsWith("NaN"u8) ? 3
        : json.StartsWith("Infinity"u8) ? 8
        : json.StartsWith("-Infinity"u8) ? 9
        : 0;
}
