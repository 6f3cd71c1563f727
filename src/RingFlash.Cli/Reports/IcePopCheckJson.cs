using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Objective.Checking;

namespace RingFlash.Cli.Reports;

/// <summary>A check for machines; numbers that are not finite are strings, as in the case schema.</summary>
internal static class IcePopCheckJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-icepop-check/1";

    /// <summary>Writes a check.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="check">The check.</param>
    public static void Write(Stream stream, IcePopCheck check)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteBoolean("passed", check.Passed);
        json.WriteString("profile", check.Profile.Name);
        json.WriteNumber("compared", check.Compared);
        json.WriteStartArray("equal_profiles");
        foreach (EqualProfile equal in check.EqualProfiles)
        {
            WriteProfile(json, equal);
        }

        json.WriteEndArray();
        if (check.NearestProfile is not null)
        {
            json.WritePropertyName("nearest_profile");
            WriteProfile(json, check.NearestProfile);
        }

        Strings(json, "mistakes", check.Mistakes.Select(mistake => mistake.Description));
        json.WriteStartArray("cases");
        foreach (IcePopCheckedCase one in check.Cases)
        {
            WriteCase(json, one);
        }

        json.WriteEndArray();
        Strings(json, "results_without_case", check.WithoutCase);
        json.WriteEndObject();
    }

    private static void WriteProfile(Utf8JsonWriter json, EqualProfile equal)
    {
        json.WriteStartObject();
        json.WriteString("profile", equal.Profile.Name);
        json.WriteNumber("cases", equal.Cases);
        json.WriteNumber("compared", equal.Compared);
        json.WriteBoolean("within_float32", equal.WithinSingle);
        json.WriteEndObject();
    }

    private static void WriteCase(Utf8JsonWriter json, IcePopCheckedCase one)
    {
        json.WriteStartObject();
        json.WriteString("case", one.Case.Name);
        json.WriteString("precision", one.IsSingle ? "float32" : "float64");
        json.WriteBoolean("agrees", one.Agrees);
        json.WriteNumber("compared", one.Compared);
        json.WriteString("difference", one.Text);
        json.WriteStartArray("quantities");
        foreach (IcePopQuantity quantity in one.Comparison?.Quantities ?? [])
        {
            json.WriteStartObject();
            json.WriteString("name", quantity.Name);
            json.WriteNumber("compared", quantity.Compared);
            json.WriteNumber("wrong", quantity.Wrong);
            IcePopValuesJson.Number(json, "worst", quantity.Worst);
            if (quantity.First is { } first)
            {
                json.WriteStartObject("first");
                json.WriteNumber("rollout", first.Rollout);
                json.WriteNumber("token", first.Token);
                IcePopValuesJson.Number(json, "expected", first.Expected);
                IcePopValuesJson.Number(json, "actual", first.Actual);
                IcePopValuesJson.Number(json, "tolerance", first.Tolerance);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        Strings(json, "not_compared", one.NotCompared);
        json.WriteEndObject();
    }

    private static void Strings(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}
