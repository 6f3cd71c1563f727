using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Reports;

/// <summary>Names of taps where the room is short.</summary>
internal static class TapName
{
    // Known to everybody who has read the model; the full names are in the detail tables and in the JSON.
    private static readonly (string Long, string Short)[] Abbreviations =
    [
        ("query_key_value", "qkv"), ("query_layernorm", "q_norm"), ("key_layernorm", "k_norm"),
        ("post_attention_layernorm", "post_norm"), ("input_layernorm", "in_norm"), ("final_layernorm", "final_norm"),
        ("attention", "attn"), ("shared_experts", "shared"), ("word_embeddings", "embed"),
    ];

    /// <summary>Shortens: <c>model.layers.12.attention.query_key_value.output</c> is <c>L12 attn.qkv</c>.</summary>
    /// <param name="tap">The full name.</param>
    /// <returns>The short name.</returns>
    public static string Shorten(string tap)
    {
        List<string> parts = [.. tap.Split('.')];
        string layer = string.Empty;
        if (parts is ["model", "layers", string number, _, ..])
        {
            layer = $"L{number} ";
            parts.RemoveRange(0, 3);
        }
        else if (parts is ["model", _, ..])
        {
            parts.RemoveAt(0);
        }

        // "L3 output" is the layer's own output and keeps its only word.
        if (parts.Count > 1 && parts[^1] == "output")
        {
            parts.RemoveAt(parts.Count - 1);
        }

        return layer + string.Join('.', parts.Select(Abbreviate));
    }

    /// <summary>
    /// Breaks a name into lines at its dots and underscores, so that a column cannot cut a word. All lines but the
    /// first are indented: a hostile name must not begin a line of the report with a word of its own.
    /// </summary>
    /// <param name="name">The name.</param>
    /// <param name="width">The longest line.</param>
    /// <returns>The name with line breaks.</returns>
    public static string Wrap(string name, int width)
    {
        // Escaped here and not in the table: escaping makes a text longer, and the table would break it anew.
        name = InvalidInputException.Escape(name);
        StringBuilder text = new();
        int lineLength = 0;
        int start = 0;
        while (start < name.Length)
        {
            int end = name.AsSpan(start).IndexOfAny(". _-/,");
            end = end < 0 ? name.Length : start + end + 1;
            end = Math.Min(end, start + width - 1);
            int length = end - start;
            if (lineLength > 0 && lineLength + length > width)
            {
                text.Append("\n ");
                lineLength = 1;
            }

            text.Append(name, start, length);
            lineLength += length;
            start = end;
        }

        return text.ToString();
    }

    /// <summary>Breaks a name such as <c>GroupLimitedTopKRouter</c> before its capitals.</summary>
    /// <param name="name">The name.</param>
    /// <param name="width">The longest line.</param>
    /// <returns>The name with line breaks.</returns>
    public static string WrapWords(string name, int width)
    {
        name = InvalidInputException.Escape(name);
        StringBuilder text = new();
        int line = 0;
        int start = 0;
        while (start < name.Length)
        {
            int end = start + 1;
            while (end < name.Length && end - start < width && !char.IsUpper(name[end]))
            {
                end++;
            }

            if (line > 0 && line + end - start > width)
            {
                text.Append('\n');
                line = 0;
            }

            text.Append(name, start, end - start);
            line += end - start;
            start = end;
        }

        return text.ToString();
    }

    private static string Abbreviate(string part) =>
        Abbreviations.FirstOrDefault(pair => pair.Long == part) is { Short: { } abbreviation } ? abbreviation : part;
}
