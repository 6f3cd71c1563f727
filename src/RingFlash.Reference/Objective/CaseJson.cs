using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// Values of a case file, each with its place. Numbers may be the strings "NaN", "Infinity" and "-Infinity"; a plain
/// number that overflows float64 is refused rather than read as infinity.
/// </summary>
internal sealed class CaseJson(string sourceName)
{
    public InvalidInputException Refuse(string place, string rule) => new(sourceName, place, rule);

    public InvalidInputException RefuseSetting(string place, string rule) =>
        new(sourceName, place, rule) { IsSetting = true };

    /// <summary>The aggregation of a word; a misspelt one would be a number that nobody compares.</summary>
    public LossAggregationKind Aggregation(string place, string word) =>
        ObjectiveWords.Aggregation(word) ?? throw Refuse(
            $"{place}.{word}",
            "no such aggregation; known are "
                + string.Join(", ", Array.ConvertAll([.. ObjectiveWords.Aggregations], kind => kind.Word())));

    public bool Has(JsonElement parent, string key) =>
        parent.ValueKind == JsonValueKind.Object
        && parent.TryGetProperty(key, out JsonElement value)
        && value.ValueKind != JsonValueKind.Null;

    public JsonElement Get(JsonElement parent, string place, string key, JsonValueKind kind)
    {
        if (parent.ValueKind != JsonValueKind.Object)
        {
            throw Refuse(place, $"must be an object; found {Describe(parent)}");
        }

        if (!parent.TryGetProperty(key, out JsonElement value))
        {
            throw Refuse($"{place}.{key}", "required; no such key");
        }

        return kind == JsonValueKind.Undefined || value.ValueKind == kind
            ? value
            : throw Refuse(
                $"{place}.{key}", $"must be an {kind.ToString().ToLowerInvariant()}; found {Describe(value)}");
    }

    public double Number(JsonElement parent, string place, string key) =>
        Number(Get(parent, place, key, JsonValueKind.Undefined), $"{place}.{key}");

    public double Number(JsonElement value, string place)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            switch (value.GetString())
            {
                case "NaN":
                    return double.NaN;
                case "Infinity":
                    return double.PositiveInfinity;
                case "-Infinity":
                    return double.NegativeInfinity;
                default:
                    break;
            }
        }
        else if (value.ValueKind == JsonValueKind.Number
            && value.TryGetDouble(out double number) && double.IsFinite(number))
        {
            return number;
        }

        throw Refuse(
            place, $"must be a float64 number or \"NaN\", \"Infinity\", \"-Infinity\"; found {Describe(value)}");
    }

    public int Integer(JsonElement value, string place, int maximum) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            && number >= 0 && number <= maximum && value.GetRawText() != "-0"
            ? number
            : throw Refuse(place, string.Create(
                CultureInfo.InvariantCulture, $"must be an integer from 0 to {maximum}; found {Describe(value)}"));

    public bool Boolean(JsonElement parent, string place, string key) =>
        Has(parent, key) && parent.GetProperty(key) switch
        {
            { ValueKind: JsonValueKind.True } => true,
            { ValueKind: JsonValueKind.False } => false,
            JsonElement other => throw Refuse($"{place}.{key}", $"must be true or false; found {Describe(other)}"),
        };

    public string? Text(JsonElement parent, string place, string key) =>
        !Has(parent, key) ? null : Get(parent, place, key, JsonValueKind.String).GetString();

    public List<string> Texts(JsonElement parent, string place, string key)
    {
        List<string> texts = [];
        if (Has(parent, key))
        {
            foreach (JsonElement item in Get(parent, place, key, JsonValueKind.Array).EnumerateArray())
            {
                texts.Add(item.ValueKind == JsonValueKind.String
                    ? item.GetString()!
                    : throw Refuse($"{place}.{key}", $"must hold strings; found {Describe(item)}"));
            }
        }

        return texts;
    }

    public double[] Vector(JsonElement parent, string place, string key, int length)
    {
        string at = $"{place}.{key}";
        JsonElement values = Sized(Get(parent, place, key, JsonValueKind.Undefined), at, length);
        double[] vector = new double[length];
        int index = 0;
        foreach (JsonElement item in values.EnumerateArray())
        {
            vector[index] = Number(item, $"{at}[{index}]");
            index++;
        }

        return vector;
    }

    public long[] Integers(JsonElement parent, string place, string key, int length)
    {
        string at = $"{place}.{key}";
        JsonElement values = Sized(Get(parent, place, key, JsonValueKind.Undefined), at, length);
        long[] vector = new long[length];
        int index = 0;
        foreach (JsonElement item in values.EnumerateArray())
        {
            vector[index] = item.ValueKind == JsonValueKind.Number && item.TryGetInt64(out long number)
                ? number
                : throw Refuse($"{at}[{index}]", $"must be an integer; found {Describe(item)}");
            index++;
        }

        return vector;
    }

    public double[] Matrix(JsonElement parent, string place, string key, int rows, int columns) =>
        Matrix(Get(parent, place, key, JsonValueKind.Undefined), $"{place}.{key}", rows, columns);

    public double[] Matrix(JsonElement value, string place, int rows, int columns)
    {
        double[] matrix = new double[rows * columns];
        int row = 0;
        foreach (JsonElement items in Sized(value, place, rows).EnumerateArray())
        {
            int column = 0;
            foreach (JsonElement item in Sized(items, $"{place}[{row}]", columns).EnumerateArray())
            {
                // The place is only spelled out for the bad ones: a long case has many good ones.
                matrix[(row * columns) + column] = item.ValueKind == JsonValueKind.Number
                    && item.TryGetDouble(out double number) && double.IsFinite(number)
                    ? number
                    : Number(item, $"{place}[{row}][{column}]");
                column++;
            }

            row++;
        }

        return matrix;
    }

    public byte[] Flags(JsonElement parent, string place, string key, int rows, int columns)
    {
        double[] numbers = Matrix(parent, place, key, rows, columns);
        byte[] flags = new byte[numbers.Length];
        for (int index = 0; index < flags.Length; index++)
        {
            flags[index] = numbers[index] is 0 or 1
                ? (byte)numbers[index]
                : throw Refuse($"{place}.{key}[{index / columns}][{index % columns}]", "must be 0 or 1");
        }

        return flags;
    }

    public IEnumerable<(string Name, JsonElement Value)> Entries(JsonElement parent, string place, string key)
    {
        if (Has(parent, key))
        {
            foreach (JsonProperty property in Get(parent, place, key, JsonValueKind.Object).EnumerateObject())
            {
                yield return (property.Name, property.Value);
            }
        }
    }

    private static string Describe(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 60 ? text : text[..60] + "…";
    }

    private JsonElement Sized(JsonElement value, string place, int length) =>
        value.ValueKind != JsonValueKind.Array
            ? throw Refuse(place, $"must be an array; found {Describe(value)}")
            : value.GetArrayLength() != length
            ? throw Refuse(place, $"must have {length} elements; found {value.GetArrayLength()}")
            : value;
}
