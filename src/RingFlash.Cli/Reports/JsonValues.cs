using System.Collections.Generic;
using System.Text.Json;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>
/// Values in the reports for machines. JSON has no NaN and no infinity; they are the strings <c>"NaN"</c>,
/// <c>"Infinity"</c>, <c>"-Infinity"</c>.
/// </summary>
internal static class JsonValues
{
    /// <summary>The word for a verdict.</summary>
    /// <param name="verdict">The verdict.</param>
    /// <returns>The word.</returns>
    public static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Passed => "passed",
        Verdict.Failed => "failed",
        _ => "not-checked",
    };

    /// <summary>Writes a list of texts.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="name">The member.</param>
    /// <param name="values">The texts.</param>
    public static void Strings(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }

    /// <summary>Writes a list of numbers.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="name">The member.</param>
    /// <param name="values">The numbers.</param>
    public static void Reals(Utf8JsonWriter json, string name, IReadOnlyList<double> values)
    {
        json.WriteStartArray(name);
        foreach (double value in values)
        {
            if (double.IsFinite(value))
            {
                json.WriteNumberValue(value);
            }
            else
            {
                json.WriteStringValue(NumberText.NonFinite(value));
            }
        }

        json.WriteEndArray();
    }

    /// <summary>Writes a number.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="name">The member.</param>
    /// <param name="value">The number; null for <c>null</c>.</param>
    public static void Real(Utf8JsonWriter json, string name, double? value)
    {
        switch (value)
        {
            case null:
                json.WriteNull(name);
                break;
            case { } number when double.IsFinite(number):
                json.WriteNumber(name, number);
                break;
            case { } number:
                json.WriteString(name, NumberText.NonFinite(number));
                break;
        }
    }
}
