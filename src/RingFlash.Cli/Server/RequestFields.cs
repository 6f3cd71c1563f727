using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Server;

/// <summary>
/// A JSON object of a request, read field by field. A field that is null is a field that is not there. Every refusal
/// names the field.
/// </summary>
internal sealed class RequestFields
{
    /// <summary>What the library's messages about a request begin with.</summary>
    public const string SourceName = "request";

    private const int LongestFound = 60;

    private readonly HashSet<string> known = [];
    private readonly JsonElement element;
    private readonly string path;

    /// <summary>Begins to read.</summary>
    /// <param name="element">The object, of a document by the rules of StrictJson.</param>
    /// <param name="path">Its path; empty for the body itself.</param>
    /// <exception cref="InvalidInputException">It is no object.</exception>
    public RequestFields(JsonElement element, string path = "")
    {
        this.element = element;
        this.path = path;
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidInputException(SourceName, path, $"must be an object; found {Found(element)}");
        }
    }

    /// <summary>The fields that nobody asked for.</summary>
    public IReadOnlyList<string> Unknown =>
        [.. element.EnumerateObject().Select(property => property.Name).Where(name => !known.Contains(name))];

    /// <summary>The error for a field.</summary>
    /// <param name="name">The field.</param>
    /// <param name="rule">The rule that it breaks.</param>
    /// <returns>The error.</returns>
    public InvalidInputException Refuse(string name, string rule) =>
        new(SourceName, path.Length == 0 ? name : $"{path}.{name}", rule);

    /// <summary>A field, if it is there.</summary>
    /// <param name="name">The field.</param>
    /// <returns>Its value; null where it is not there.</returns>
    public JsonElement? Find(string name)
    {
        known.Add(name);
        bool given = element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;
        return given ? value : null;
    }

    /// <summary>A switch.</summary>
    /// <param name="name">The field.</param>
    /// <param name="absent">What its absence means.</param>
    /// <returns>The value.</returns>
    public bool Flag(string name, bool absent = false) => Find(name) switch
    {
        null => absent,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        JsonElement value => throw Refuse(name, $"must be true or false; found {Found(value)}"),
    };

    /// <summary>A text.</summary>
    /// <param name="name">The field.</param>
    /// <returns>The value; null where it is not there.</returns>
    public string? Text(string name) =>
        Find(name) is JsonElement value ? TextOf(value, name) : null;

    /// <summary>An integer.</summary>
    /// <param name="name">The field.</param>
    /// <param name="minimum">The smallest.</param>
    /// <param name="maximum">The largest.</param>
    /// <returns>The value; null where it is not there.</returns>
    public long? Integer(string name, long minimum, long maximum) =>
        Find(name) is JsonElement value ? IntegerOf(value, name, minimum, maximum) : null;

    /// <summary>An integer.</summary>
    /// <param name="name">The field.</param>
    /// <param name="minimum">The smallest.</param>
    /// <returns>The value; null where it is not there.</returns>
    public int? Integer(string name, int minimum) => (int?)Integer(name, minimum, int.MaxValue);

    /// <summary>A number; its range is its reader's matter.</summary>
    /// <param name="name">The field.</param>
    /// <param name="absent">What its absence means.</param>
    /// <returns>The value, rounded to float32, which it fits into.</returns>
    public float Number(string name, float absent)
    {
        if (Find(name) is not JsonElement value)
        {
            return absent;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) && float.IsFinite(number)
            ? number
            : throw Refuse(name, $"must be a number in the range of float32; found {Found(value)}");
    }

    /// <summary>A list.</summary>
    /// <param name="name">The field.</param>
    /// <param name="longest">The most items.</param>
    /// <returns>The items with their names; empty where the field is not there.</returns>
    public IReadOnlyList<(JsonElement Value, string Name)> Items(string name, int longest = int.MaxValue) =>
        Find(name) is JsonElement value ? ItemsOf(value, name, longest) : [];

    /// <summary>The items of a list.</summary>
    /// <param name="value">The list.</param>
    /// <param name="name">Its name.</param>
    /// <param name="longest">The most items.</param>
    /// <returns>The items with their names.</returns>
    public IReadOnlyList<(JsonElement Value, string Name)> ItemsOf(
        JsonElement value, string name, int longest = int.MaxValue)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            throw Refuse(name, $"must be an array; found {Found(value)}");
        }

        return value.GetArrayLength() <= longest
            ? [.. value.EnumerateArray().Select((item, index) =>
                (item, string.Create(CultureInfo.InvariantCulture, $"{name}[{index}]")))]
            : throw Refuse(name, $"must not have more than {longest} items; found {value.GetArrayLength()}");
    }

    /// <summary>The text of a value.</summary>
    /// <param name="value">The value.</param>
    /// <param name="name">Its name.</param>
    /// <returns>The text.</returns>
    public string TextOf(JsonElement value, string name) => value.ValueKind == JsonValueKind.String
        ? value.GetString()!
        : throw Refuse(name, $"must be a string; found {Found(value)}");

    /// <summary>The integer of a value.</summary>
    /// <param name="value">The value.</param>
    /// <param name="name">Its name.</param>
    /// <param name="minimum">The smallest.</param>
    /// <param name="maximum">The largest.</param>
    /// <returns>The integer.</returns>
    public long IntegerOf(JsonElement value, string name, long minimum, long maximum) =>
        value.ValueKind != JsonValueKind.Number
            ? throw Refuse(name, $"must be an integer; found {Found(value)}")
            : value.TryGetInt64(out long number) && number >= minimum && number <= maximum
                ? number
                : throw Refuse(name, string.Create(
                    CultureInfo.InvariantCulture,
                    $"must be an integer from {minimum} to {maximum}; found {Found(value)}"));

    /// <summary>A value as it was sent, for messages.</summary>
    /// <param name="value">The value.</param>
    /// <returns>At most 60 characters of its JSON.</returns>
    public static string Found(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= LongestFound ? text : text[..LongestFound] + "…";
    }
}
