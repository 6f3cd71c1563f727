using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Reports;

/// <summary>What became of one text, one list of ids, or one chat.</summary>
/// <param name="Ids">The tokens.</param>
internal sealed record TokenizeResult(int[] Ids)
{
    /// <summary>The text of the tokens, when it was asked for.</summary>
    public string? Decoded { get; init; }

    /// <summary>The same without special tokens.</summary>
    public string? DecodedSkipSpecial { get; init; }

    /// <summary>The chat as text.</summary>
    public string? Rendered { get; init; }
}

/// <summary>What <c>ringflash tokenize</c> found.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="Format">The chat format; null where no chats were rendered.</param>
/// <param name="Plain">Whether text stayed text.</param>
/// <param name="Results">One per input.</param>
internal sealed record TokenizeReport(
    ModelTokenizer Tokenizer, ChatFormat? Format, bool Plain, IReadOnlyList<TokenizeResult> Results)
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-tokenize-report/1";

    /// <summary>Writes what people asked for: ids, or text where ids or chats were given.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="toFile">Whether the results go to a file: then only their number is said.</param>
    public void Write(TextWriter output, bool toFile)
    {
        if (toFile)
        {
            string chat = Format is null ? string.Empty : $", chat format {Format.Name}";
            string plain = Plain ? ", content as plain text" : string.Empty;
            output.WriteLine(
                $"results: {NumberText.Count(Results.Count)}, tokens: "
                + $"{NumberText.Count(Results.Sum(result => (long)result.Ids.Length))}{chat}{plain}");
            return;
        }

        foreach (TokenizeResult result in Results)
        {
            if (result.Rendered is null)
            {
                output.WriteLine(string.Join(',', result.Ids.Select(id => id.ToString(CultureInfo.InvariantCulture))));
            }

            string? text = result.Rendered ?? result.Decoded;
            output.WriteLine(text ?? string.Join('|', result.Ids.Select(id => Visible(Tokenizer.TokenText(id)))));
        }
    }

    private static string Visible(string text) => string.Concat(text.Select(character => char.IsControl(character)
        ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}")
        : character.ToString()));

    /// <summary>Writes the report for machines.</summary>
    /// <param name="stream">Where to.</param>
    public void WriteJson(Stream stream)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteString("tokenizer", Tokenizer.SourceName);
        json.WriteBoolean("plain", Plain);
        if (Format is not null)
        {
            json.WriteString("template", Format.Name);
        }

        json.WriteStartArray("results");
        foreach (TokenizeResult result in Results)
        {
            json.WriteStartObject();
            json.WriteStartArray("ids");
            Array.ForEach(result.Ids, json.WriteNumberValue);
            json.WriteEndArray();
            WriteOptional(json, "decoded", result.Decoded);
            WriteOptional(json, "decoded_skip_special", result.DecodedSkipSpecial);
            WriteOptional(json, "rendered", result.Rendered);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteOptional(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }
}
