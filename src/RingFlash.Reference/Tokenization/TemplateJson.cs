using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// JSON as the filter <c>tojson</c> of chat templates writes it: keys in the order in which they came, <c>", "</c> and
/// <c>": "</c> between things, letters of all alphabets as they are, numbers as Python prints them.
/// </summary>
internal static class TemplateJson
{
    /// <summary>Writes a value.</summary>
    /// <param name="value">Any JSON.</param>
    /// <returns>The text.</returns>
    public static string Write(JsonElement value)
    {
        StringBuilder text = new();
        Append(text, value);
        return text.ToString();
    }

    private static void Append(StringBuilder text, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                string separator = "{";
                foreach (JsonProperty property in value.EnumerateObject())
                {
                    text.Append(separator);
                    AppendText(text, property.Name);
                    text.Append(": ");
                    Append(text, property.Value);
                    separator = ", ";
                }

                text.Append(separator == "{" ? "{}" : "}");
                break;
            case JsonValueKind.Array:
                text.Append('[').AppendJoin(", ", value.EnumerateArray().Select(Write)).Append(']');
                break;
            case JsonValueKind.String:
                AppendText(text, value.GetString()!);
                break;
            case JsonValueKind.Number:
                text.Append(Number(value));
                break;
            default:
                text.Append(value.GetRawText());
                break;
        }
    }

    private static string Number(JsonElement value)
    {
        string raw = value.GetRawText();
        bool isInteger = raw.All(character => char.IsAsciiDigit(character) || character == '-');
        return isInteger ? raw == "-0" ? "0" : raw : PythonText.Float(value.GetDouble());
    }

    private static void AppendText(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char character in value)
        {
            _ = character switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => text.Append(character),
            };
        }

        text.Append('"');
    }
}
