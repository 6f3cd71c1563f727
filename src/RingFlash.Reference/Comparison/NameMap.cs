using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using RingFlash.Reference.Dumps;

namespace RingFlash.Reference.Comparison;

/// <summary>What the tensors of one writer are, by their names: shipped with the tool or written by a user.</summary>
/// <remarks>The file format is described on the folder's page.</remarks>
public sealed class NameMap
{
    private static readonly Lazy<IReadOnlyList<NameMap>> ShippedMaps = new(LoadShipped);

    private readonly ILookup<string, NameMapEntry> index;

    internal NameMap(string name, string source, IReadOnlyList<NameMapEntry> entries)
    {
        Name = name;
        Source = source;
        Entries = entries;
        index = entries.ToLookup(entry => entry.Name.Key, StringComparer.Ordinal);
    }

    /// <summary>The maps that come with the tool; ours first.</summary>
    public static IReadOnlyList<NameMap> Shipped => ShippedMaps.Value;

    /// <summary>The name, e.g. <c>transformers</c>.</summary>
    public string Name { get; }

    /// <summary>Which program and version it was made from.</summary>
    public string Source { get; }

    /// <summary>The lines.</summary>
    internal IReadOnlyList<NameMapEntry> Entries { get; }

    /// <summary>What the map says of a tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="layerCount">The main layers of the reference.</param>
    /// <returns>A claim per line that speaks of it; empty when the map does not know the name.</returns>
    internal IReadOnlyList<MapClaim> Claims(DumpTensor tensor, int layerCount)
    {
        List<MapClaim> claims = [];
        foreach (NameMapEntry entry in index[NamePattern.KeyOf(tensor.Name)])
        {
            if (entry.Name.Match(tensor.Name) is int[] numbers
                && Claim(entry, numbers, tensor, layerCount) is MapClaim claim)
            {
                claims.Add(claim);
            }
        }

        // A line that says "nothing" may stand beside one that says more of some of its names.
        return claims.Any(claim => claim.Entry.Target != MapTarget.Nothing)
            ? [.. claims.Where(claim => claim.Entry.Target != MapTarget.Nothing)]
            : claims;
    }

    /// <summary>The text of a pattern with numbers put in.</summary>
    internal static string Fill(string pattern, IReadOnlyList<string> names, IReadOnlyList<int> values)
    {
        for (int index = 0; index < names.Count; index++)
        {
            pattern = pattern.Replace(
                $"{{{names[index]}}}", values[index].ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
            if (names[index] == "layer")
            {
                pattern = pattern.Replace(
                    "{layer-1}",
                    (values[index] - 1).ToString(CultureInfo.InvariantCulture),
                    StringComparison.Ordinal);
            }
        }

        return pattern;
    }

    private static MapClaim? Claim(NameMapEntry entry, int[] numbers, DumpTensor tensor, int layerCount)
    {
        bool counts = tensor.Attributes.TryGetValue("call", out string? call);
        if (entry.Call != 1 && !counts
            || counts && call != entry.Call.ToString(CultureInfo.InvariantCulture))
        {
            return null;
        }

        List<string> names = [.. entry.Name.Numbers];
        List<int> values = [.. numbers];
        if (entry.LayerAttribute is string attribute)
        {
            if (!tensor.Attributes.TryGetValue(attribute, out string? text)
                || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int layer))
            {
                return null;
            }

            names.Add("layer");
            values.Add(layer);
        }

        // The input of a layer is the output of the one before it, which the first has not, and an MTP layer neither.
        int at = names.IndexOf("layer");
        if (entry.TargetName.Contains("{layer-1}", StringComparison.Ordinal)
            && (values[at] < 1 || values[at] >= layerCount))
        {
            return new MapClaim(
                tensor,
                entry with { Target = MapTarget.Nothing, TargetName = "the input of a layer without one before it" },
                string.Empty,
                null,
                null);
        }

        int rank = names.IndexOf("rank");
        return new MapClaim(
            tensor,
            entry,
            entry.Target == MapTarget.Nothing ? string.Empty : Fill(entry.TargetName, names, values),
            entry.Plus is NamePattern plus ? Fill(plus.Text, names, values) : null,
            rank < 0 ? null : values[rank]);
    }

    private static NameMap[] LoadShipped()
    {
        const string Prefix = "NameMap.";
        Assembly assembly = typeof(NameMap).Assembly;
        string[] order = ["ringflash", "transformers", "vllm", "sglang", "megatron", "llama.cpp"];
        return [.. order.Select(name =>
        {
            string resource = $"{Prefix}{name}.json";
            using Stream stream = assembly.GetManifestResourceStream(resource)
                ?? throw new InvalidOperationException($"the resource {resource} is missing");
            using MemoryStream bytes = new();
            stream.CopyTo(bytes);
            return NameMapReader.Parse(bytes.ToArray(), resource);
        })];
    }
}

/// <summary>What one line of a map says of one tensor.</summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="Entry">The line.</param>
/// <param name="Target">The name of the tap, input or weight; empty for nothing of ours.</param>
/// <param name="Plus">The name of the tensor that is added to it; null for none.</param>
/// <param name="Rank">The rank in its name; null where it holds none.</param>
internal sealed record MapClaim(DumpTensor Tensor, NameMapEntry Entry, string Target, string? Plus, int? Rank);
