using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

/// <summary>
/// One JSON object, read key by key with its rule, remembering what was asked for so that the rest can be listed.
/// A null value and an absent key are both "not given" for the optional forms and both refused by the required ones.
/// </summary>
internal sealed class JsonSection
{
    private readonly JsonElement _element;
    private readonly string _sourceName;
    private readonly string _path;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    public JsonSection(JsonElement element, string sourceName, string path)
    {
        _sourceName = sourceName;
        _path = path;
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidInputException(sourceName, path, $"must be an object; found {Describe(element)}");
        }

        _element = element;
    }

    /// <summary>The keys that nobody asked for, in file order.</summary>
    public IEnumerable<string> UnaskedKeys =>
        _element.EnumerateObject().Select(property => property.Name).Where(name => !_asked.Contains(name));

    public bool Has(string key) => Find(key) is not null;

    public string PathOf(string key) => $"{_path}.{key}";

    public InvalidInputException Refuse(string key, string rule) => new(_sourceName, PathOf(key), rule);

    /// <summary>The value, or null when the key is absent or its value is null.</summary>
    public JsonElement? Find(string key)
    {
        _asked.Add(key);
        bool given = _element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null;
        return given ? value : null;
    }

    /// <summary>The value as it stands in the file, for messages.</summary>
    public string Found(string key) =>
        _element.TryGetProperty(key, out JsonElement value) ? Describe(value) : "no such key";

    public int Integer(string key, long minimum, long maximum, string? whyRequired = null) =>
        OptionalInteger(key, minimum, maximum)
            ?? throw Missing(key, whyRequired);

    public int? OptionalInteger(string key, long minimum, long maximum) =>
        Find(key) is JsonElement value ? ToInteger(value, key, minimum, maximum) : null;

    public int ToInteger(JsonElement value, string key, long minimum, long maximum)
    {
        string text = value.ValueKind == JsonValueKind.Number ? value.GetRawText() : string.Empty;

        // 4096.0, 4e3 and -0 are integers to a lenient reader and a float or a surprise to the next one.
        bool plain = text.Length > 0 && text != "-0"
            && text.All(character => char.IsAsciiDigit(character) || character == '-');
        if (!plain)
        {
            throw Refuse(key, $"must be a plain integer; found {Describe(value)}");
        }

        if (!value.TryGetInt64(out long number) || number < minimum || number > maximum)
        {
            throw Refuse(key, string.Create(
                CultureInfo.InvariantCulture, $"must be between {minimum} and {maximum}; found {Describe(value)}"));
        }

        return (int)number;
    }

    public double Number(string key, NumberRule rule, string? whyRequired = null) =>
        OptionalNumber(key, rule)
            ?? throw Missing(key, whyRequired);

    /// <summary>A number that float32 holds too: the model computes in float32, where 1e-60 would be zero.</summary>
    public double? OptionalNumber(string key, NumberRule rule)
    {
        if (Find(key) is not JsonElement value)
        {
            return null;
        }

        double number = 0;
        bool read = value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out number);
        bool good = read && float.IsFinite((float)number) && rule switch
        {
            NumberRule.Positive => (float)number > 0,
            NumberRule.NotNegative => number >= 0,
            NumberRule.AtLeastOne => number >= 1,
            NumberRule.AboveOne => (float)number > 1,
            _ => number > 0 && number <= 1,
        };
        if (!good)
        {
            throw Refuse(key, $"must be a finite number {Wording(rule)}; found {Describe(value)}");
        }

        return number;
    }

    public bool Boolean(string key, bool absent) => Find(key) switch
    {
        null => absent,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        JsonElement value => throw Refuse(key, $"must be true or false; found {Describe(value)}"),
    };

    public string? OptionalText(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        JsonElement value => throw Refuse(key, $"must be a string; found {Describe(value)}"),
    };

    /// <summary>A string that, when given, must be one of a few.</summary>
    public string? OptionalChoice(string key, string why, params ReadOnlySpan<string> choices)
    {
        string? text = OptionalText(key);
        if (text is not null && !choices.Contains(text))
        {
            throw Refuse(key, $"must be \"{string.Join("\" or \"", choices!)}\"{why}; found {Found(key)}");
        }

        return text;
    }

    public JsonSection? OptionalSection(string key) =>
        Find(key) is JsonElement value ? new JsonSection(value, _sourceName, PathOf(key)) : null;

    private InvalidInputException Missing(string key, string? why) =>
        Refuse(key, $"required{(why is null ? string.Empty : ": " + why)}; found {Found(key)}");

    private static string Wording(NumberRule rule) => rule switch
    {
        NumberRule.Positive => "above 0",
        NumberRule.NotNegative => "of at least 0",
        NumberRule.AtLeastOne => "of at least 1",
        NumberRule.AboveOne => "above 1",
        _ => "above 0 and at most 1",
    };

    private static string Describe(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 60 ? text : text[..60] + "…";
    }
}

/// <summary>The ranges that a number of the configuration may have to lie in.</summary>
internal enum NumberRule
{
    Positive,
    NotNegative,
    AtLeastOne,
    AboveOne,
    AboveZeroUpToOne,
}
