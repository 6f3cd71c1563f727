using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.ServerCheck;

/// <summary>A value of an answer and its path; every refusal names the place.</summary>
/// <param name="element">A value of a document by the rules of StrictJson.</param>
/// <param name="path">Its path.</param>
internal readonly struct AnswerFields(JsonElement element, string path = "$")
{
    private const int LongestFound = 60;

    /// <summary>Its path.</summary>
    public string Path { get; } = path;

    /// <summary>Whether it is null.</summary>
    public bool IsNull => element.ValueKind == JsonValueKind.Null;

    /// <summary>Whether it is an array.</summary>
    public bool IsArray => element.ValueKind == JsonValueKind.Array;

    /// <summary>The error for this place.</summary>
    /// <param name="rule">The rule that is broken.</param>
    /// <returns>The error.</returns>
    public InvalidInputException Refuse(string rule) => new("answer", Path, rule);

    /// <summary>A field, if it is there and not null.</summary>
    /// <param name="name">The field.</param>
    /// <returns>Its value.</returns>
    public AnswerFields? Find(string name)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw Wrong("an object");
        }

        bool given = element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;
        return given ? new AnswerFields(value, $"{Path}.{name}") : null;
    }

    /// <summary>A field that must be there.</summary>
    /// <param name="name">The field.</param>
    /// <returns>Its value.</returns>
    public AnswerFields Need(string name) => Find(name) ?? throw Refuse($"has no {name}");

    /// <summary>A field that must be there, but may be null.</summary>
    /// <param name="name">The field.</param>
    /// <returns>Its value.</returns>
    public AnswerFields NeedEvenNull(string name) =>
        element.ValueKind != JsonValueKind.Object ? throw Wrong("an object")
        : element.TryGetProperty(name, out JsonElement value) ? new AnswerFields(value, $"{Path}.{name}")
        : throw Refuse($"has no {name}");

    /// <summary>The fields of an object, by name.</summary>
    /// <returns>Names and values.</returns>
    public IReadOnlyList<(string Name, AnswerFields Value)> Members()
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw Wrong("an object");
        }

        string path = Path;
        return [.. element.EnumerateObject().Select(
            member => (member.Name, new AnswerFields(member.Value, $"{path}.{member.Name}")))];
    }

    /// <summary>The items of an array.</summary>
    /// <returns>The items.</returns>
    public IReadOnlyList<AnswerFields> Items()
    {
        if (element.ValueKind != JsonValueKind.Array)
        {
            throw Wrong("a list");
        }

        string path = Path;
        return [.. element.EnumerateArray().Select((item, index) => new AnswerFields(
            item, string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]")))];
    }

    /// <summary>A whole number from 0 on.</summary>
    /// <returns>The number.</returns>
    public int Integer() =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int value) && value >= 0
            ? value
            : throw Wrong("a whole number from 0 on");

    /// <summary>Token ids.</summary>
    /// <returns>The ids.</returns>
    public IReadOnlyList<int> Integers() => [.. Items().Select(item => item.Integer())];

    /// <summary>A text.</summary>
    /// <returns>The text.</returns>
    public string Text() =>
        element.ValueKind == JsonValueKind.String ? element.GetString()! : throw Wrong("a text");

    /// <summary>A log-probability; what is no finite number is noted.</summary>
    /// <param name="oddities">Takes notes.</param>
    /// <returns>The number, finite and not above 0 by more than rounding; else null.</returns>
    public double? LogProbability(OddityList oddities)
    {
        if (IsNull)
        {
            oddities.Add(OddityKind.Null, Path);
            return null;
        }

        double value = element.ValueKind switch
        {
            JsonValueKind.Number when element.TryGetDouble(out double number) => number,
            JsonValueKind.String => element.GetString() switch
            {
                "NaN" => double.NaN,
                "Infinity" => double.PositiveInfinity,
                "-Infinity" => double.NegativeInfinity,
                _ => throw Wrong("a number"),
            },
            _ => throw Wrong("a number"),
        };
        OddityKind? kind =
            double.IsNaN(value) ? OddityKind.NotANumber
            : double.IsPositiveInfinity(value) ? OddityKind.Infinity
            : value <= Placeholder ? OddityKind.MinusInfinity
            : value > 0 ? OddityKind.Positive
            : null;
        if (kind is not null)
        {
            oddities.Add(kind, Path, value.ToString("R", CultureInfo.InvariantCulture));
        }

        return double.IsFinite(value) && value > Placeholder ? value : null;
    }

    // vLLM and others write it where JSON has no minus infinity (vllm-project/vllm#4149).
    private const double Placeholder = -9999;

    private InvalidInputException Wrong(string wanted)
    {
        string found = element.ValueKind == JsonValueKind.Undefined ? "nothing" : element.GetRawText();
        return Refuse($"must be {wanted}; found {(found.Length > LongestFound ? found[..LongestFound] + "…" : found)}");
    }
}
