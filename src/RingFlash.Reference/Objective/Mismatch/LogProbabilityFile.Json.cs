using System;
using System.Collections.Generic;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Mismatch;

// The JSON form. Every array is walked by its declared nesting; lengths must agree with the first sibling's.
public static partial class LogProbabilityFile
{
    private const int SchemaVersion = 1;

    /// <summary>Reads the JSON form from memory.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="sourceName">What messages name.</param>
    /// <returns>The content.</returns>
    /// <exception cref="InvalidInputException">The text breaks a rule.</exception>
    public static LogProbabilityData ReadJson(ReadOnlyMemory<byte> json, string sourceName)
    {
        using JsonDocument document = StrictJson.Parse(json, sourceName);
        JsonSection root = new(document.RootElement, sourceName, "$");
        int schema = root.Integer("schema", 0, int.MaxValue);
        if (schema != SchemaVersion)
        {
            throw root.Refuse("schema", $"must be {SchemaVersion}; found {schema}");
        }

        JsonElement values = root.Find(LogProbabilitiesName)
            ?? throw root.Refuse(LogProbabilitiesName, "required: [rollouts][response] numbers");
        List<double> numbers = [];
        int[] shape = new int[2];
        Walk(sourceName, values, $"$.{LogProbabilitiesName}", shape, (element, path) =>
            numbers.Add(ToNumber(sourceName, element, path)));
        bool[]? mask = null;
        if (root.Find(MaskName) is JsonElement maskElement)
        {
            List<bool> kept = [];
            int[] maskShape = new int[2];
            Walk(sourceName, maskElement, $"$.{MaskName}", maskShape, (element, path) =>
                kept.Add(ToTruth(sourceName, element, path)));
            RequireSame(sourceName, MaskName, maskShape, shape);
            mask = [.. kept];
        }

        RoutedExpertChoices? experts = null;
        if (root.Find(RoutedExpertsName) is JsonElement expertElement)
        {
            List<long> chosen = [];
            int[] expertShape = new int[4];
            Walk(sourceName, expertElement, $"$.{RoutedExpertsName}", expertShape, (element, path) =>
                chosen.Add(ToExpert(sourceName, element, path)));
            RequireSame(sourceName, RoutedExpertsName, expertShape.AsSpan(0, 2), shape);
            if (chosen.Count == 0)
            {
                throw root.Refuse(RoutedExpertsName, "must hold at least one layer and one expert per token");
            }

            experts = new(expertShape[2], expertShape[3], [.. chosen]);
        }

        foreach (string key in root.UnaskedKeys)
        {
            throw root.Refuse(key, "unknown key");
        }

        return new(sourceName, shape[0], shape[1], [.. numbers], mask, experts, []);
    }

    private static void Walk(
        string sourceName, JsonElement element, string path, int[] shape, Action<JsonElement, string> visit)
    {
        int[] seen = new int[shape.Length];
        Array.Fill(seen, -1);
        Walk(sourceName, element, path, seen, 0, visit);
        for (int axis = 0; axis < shape.Length; axis++)
        {
            shape[axis] = Math.Max(seen[axis], 0);
        }
    }

    private static void Walk(
        string sourceName,
        JsonElement element,
        string path,
        int[] lengths,
        int axis,
        Action<JsonElement, string> visit)
    {
        if (element.ValueKind != JsonValueKind.Array)
        {
            throw new InvalidInputException(
                sourceName, path, $"must be an array ({lengths.Length} levels of them); found {Describe(element)}");
        }

        int length = element.GetArrayLength();
        if (lengths[axis] >= 0 && lengths[axis] != length)
        {
            throw new InvalidInputException(
                sourceName, path, $"has {length} elements, its siblings have {lengths[axis]}: ragged; pad and mask");
        }

        lengths[axis] = length;
        int index = 0;
        foreach (JsonElement child in element.EnumerateArray())
        {
            string childPath = $"{path}[{index++}]";
            if (axis + 1 < lengths.Length)
            {
                Walk(sourceName, child, childPath, lengths, axis + 1, visit);
            }
            else
            {
                visit(child, childPath);
            }
        }
    }

    private static double ToNumber(string sourceName, JsonElement element, string path)
    {
        if (element.ValueKind == JsonValueKind.Number
            && element.TryGetDouble(out double number) && double.IsFinite(number))
        {
            return number;
        }

        string text = element.ValueKind == JsonValueKind.String ? element.GetString()! : string.Empty;
        return text switch
        {
            "NaN" => double.NaN,
            "Infinity" => double.PositiveInfinity,
            "-Infinity" => double.NegativeInfinity,
            _ => throw new InvalidInputException(
                sourceName,
                path,
                $"must be a number, \"NaN\", \"Infinity\" or \"-Infinity\"; found {Describe(element)}"),
        };
    }

    private static bool ToTruth(string sourceName, JsonElement element, string path) => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number when element.GetRawText() is "0" => false,
        JsonValueKind.Number when element.GetRawText() is "1" => true,
        _ => throw new InvalidInputException(
            sourceName, path, $"must be 0, 1, true or false; found {Describe(element)}"),
    };

    private static long ToExpert(string sourceName, JsonElement element, string path) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out long expert)
            && expert >= RoutedExpertChoices.Missing
                ? expert
                : throw new InvalidInputException(
                    sourceName, path, $"must be an expert's number, or −1 where not told; found {Describe(element)}");

    private static void RequireSame(string sourceName, string name, ReadOnlySpan<int> shape, ReadOnlySpan<int> expected)
    {
        if (!shape.SequenceEqual(expected))
        {
            throw new InvalidInputException(
                sourceName,
                $"$.{name}",
                $"is [{shape[0]}][{shape[1]}], {LogProbabilitiesName} is [{expected[0]}][{expected[1]}]");
        }
    }

    private static string Describe(JsonElement element)
    {
        string text = element.GetRawText();
        return text.Length <= 40 ? text : text[..40] + "…";
    }
}
