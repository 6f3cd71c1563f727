// What the frameworks' own functions returned on the golden cases, as stored. Red nowhere by itself.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Objective;

namespace RingFlash.Reference.Tests.Objective.Profiles;

/// <summary>One framework's results on one case in one precision: an error, or values by their path.</summary>
internal sealed record PeerResult(string? Error, IReadOnlyDictionary<string, double[]> Values);

internal static class PeerFiles
{
    public static string[] Precisions { get; } = ["f64", "f32"];

    public static string[] Peers { get; } =
        [.. Results(IcePopCases.Names[0]).Select(entry => entry.Key.Peer).Distinct()];

    /// <summary>All results on a case; values under loss/X, grad/X, weight, keep and metrics/X.</summary>
    public static Dictionary<(string Peer, string Precision), PeerResult> Results(string caseName)
    {
        string path = Path.Combine(IcePopCases.Folder, "peers", caseName.Replace(".json", ".peers.json"));
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        Dictionary<(string, string), PeerResult> results = [];
        foreach (JsonProperty peer in document.RootElement.GetProperty("peers").EnumerateObject())
        {
            foreach (string precision in Precisions)
            {
                results[(peer.Name, precision)] = Read(peer.Value.GetProperty(precision));
            }
        }

        return results;
    }

    /// <summary>The same paths for what a profile gives.</summary>
    public static Dictionary<string, double[]> Paths(IcePopExpectation values)
    {
        Dictionary<string, double[]> paths = [];
        foreach ((string key, double value) in values.Loss)
        {
            paths["loss/" + key] = [value];
        }

        foreach ((string key, double[] value) in values.Gradient)
        {
            paths["grad/" + key] = value;
        }

        foreach ((string key, double value) in values.Metrics)
        {
            paths["metrics/" + key] = [value];
        }

        if (values.Weight is not null)
        {
            paths["weight"] = values.Weight;
        }

        if (values.Keep is not null)
        {
            paths["keep"] = [.. values.Keep.Select(flag => (double)flag)];
        }

        return paths;
    }

    private static PeerResult Read(JsonElement result)
    {
        if (result.TryGetProperty("error", out JsonElement error))
        {
            return new PeerResult(error.GetString(), new Dictionary<string, double[]>());
        }

        Dictionary<string, double[]> values = [];
        foreach (JsonProperty quantity in result.EnumerateObject())
        {
            if (quantity.Name is "weight" or "keep")
            {
                values[quantity.Name] = Numbers(quantity.Value);
            }
            else if (quantity.Name == "metrics")
            {
                foreach (JsonProperty metric in quantity.Value.EnumerateObject())
                {
                    values["metrics/" + metric.Name] = Numbers(metric.Value);
                }
            }
            else
            {
                foreach (JsonProperty part in quantity.Value.EnumerateObject())
                {
                    values[$"{part.Name}/{quantity.Name}"] = Numbers(part.Value);
                }
            }
        }

        return new PeerResult(null, values);
    }

    private static double[] Numbers(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => [.. element.EnumerateArray().SelectMany(Numbers)],
        JsonValueKind.String => [double.Parse(element.GetString()!, CultureInfo.InvariantCulture)],
        JsonValueKind.Number => [element.GetDouble()],
        JsonValueKind.True => [1],
        JsonValueKind.False => [0],
        _ => throw new FormatException($"A peer file holds {element.ValueKind}."),
    };
}
