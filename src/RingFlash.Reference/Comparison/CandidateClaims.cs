using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Which tensors of a dump hold which tap by a map; what claims a tap twice, in part only, or nothing.
/// </summary>
internal sealed partial class CandidateClaims
{
    private readonly ModelConfiguration configuration;
    private readonly CandidateLayout layout;
    private readonly List<string> notes;
    private readonly Dictionary<string, List<DumpTensor>> byName = new(StringComparer.Ordinal);

    /// <summary>Sorts the tensors of a dump.</summary>
    /// <param name="map">The map.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="reader">The reference's model and input, and what the user declares.</param>
    /// <param name="notes">Extended by what the reader should know.</param>
    public CandidateClaims(
        NameMap map,
        IReadOnlyList<DumpTensor> tensors,
        (ModelConfiguration Configuration, ForwardInput Input, CandidateLayout Layout) reader,
        List<string> notes)
    {
        configuration = reader.Configuration;
        layout = reader.Layout;
        this.notes = notes;
        List<MapClaim> claims = [];
        foreach (DumpTensor tensor in tensors)
        {
            if (!byName.TryAdd(tensor.Name, [tensor]))
            {
                byName[tensor.Name].Add(tensor);
            }

            IReadOnlyList<MapClaim> found = map.Claims(tensor, configuration.LayerCount);
            claims.AddRange(found);
            if (found.Count == 0)
            {
                Unmapped.Add(tensor.Name);
            }
        }

        NoteUseless(claims);
        foreach (IGrouping<string, MapClaim> group in claims
            .Where(claim => claim.Entry.Target == MapTarget.Input)
            .GroupBy(claim => claim.Target, StringComparer.Ordinal))
        {
            AddInput(group.Key, [.. group]);
        }

        AddWeights(claims);
        foreach (IGrouping<string, MapClaim> group in claims
            .Where(claim => claim.Entry.Target == MapTarget.Tap)
            .GroupBy(claim => claim.Target, StringComparer.Ordinal))
        {
            if (TapAxes.Of(group.Key, configuration, reader.Input) is TapAxes axes)
            {
                AddTap(group.Key, axes, [.. group]);
            }
            else
            {
                Unmapped.AddRange(group.Select(claim => claim.Tensor.Name));
                notes.Add($"the reference has no {group.Key}, which {group.First().Tensor.Name} would be");
            }
        }
    }

    /// <summary>The taps and their tensors.</summary>
    public List<(string Tap, TapAxes Axes, TapAssembly.Sources Sources)> Taps { get; } = [];

    /// <summary>What the candidate was fed.</summary>
    public Dictionary<string, DumpTensor> Inputs { get; } = new(StringComparer.Ordinal);

    /// <summary>The weights and their tensors; the expert when these are a stack.</summary>
    public List<(TensorInfo Weight, TapAssembly.Sources Sources, int? Expert)> Weights { get; } = [];

    /// <summary>Names that the map does not know.</summary>
    public List<string> Unmapped { get; } = [];

    /// <summary>Taps that are claimed twice.</summary>
    public List<string> Doubles { get; } = [];

    /// <summary>Taps of which a piece, a rank or a summand is missing.</summary>
    public List<string> Incomplete { get; } = [];

    /// <summary>
    /// What a map says of tensors, as far as it makes a difference for them: maps of which that is equal give the same
    /// candidate.
    /// </summary>
    /// <param name="map">The map.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="configuration">The reference's model.</param>
    /// <param name="input">What the reference is fed.</param>
    /// <returns>One line per tensor.</returns>
    public static IEnumerable<string> Meaning(
        NameMap map, IReadOnlyList<DumpTensor> tensors, ModelConfiguration configuration, ForwardInput input) =>
        tensors.Select(tensor => string.Join(';', map.Claims(tensor, configuration.LayerCount).Select(claim =>
        {
            NameMapEntry entry = claim.Entry;
            string form = TapAxes.Of(claim.Target, configuration, input) is TapAxes axes
                && TapAssembly.FormOf(entry, axes, tensor.Shape.Count) is IReadOnlyList<AxisName> names
                    ? string.Join(',', names)
                    : "none";
            string parts = RankOf(claim) is > 0 ? entry.Parts.ToString() : string.Empty;
            return $"{entry.Target} {claim.Target} {claim.Plus} {form} {entry.Piece} {entry.Take} {entry.IsGrouped} "
                + $"{entry.IsDenseRouting} {entry.IsTransposed} {entry.IsUnscaled} {parts}";
        })));

    private static string Claimants(string target, IEnumerable<MapClaim> claims) =>
        $"{target}: {string.Join(", ", claims.Select(claim => $"{claim.Tensor.Name} ({claim.Tensor.Place})"))}";

    private static int? Number(DumpTensor tensor, string key)
    {
        string? text = tensor.Attributes
            .Where(pair => pair.Key == key || pair.Key.EndsWith("." + key, StringComparison.Ordinal))
            .Select(pair => pair.Value)
            .FirstOrDefault();
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
    }

    private static int? RankOf(MapClaim claim) =>
        claim.Rank ?? Number(claim.Tensor, claim.Entry.RankAttribute) ?? Number(claim.Tensor, "rank");

    private int SizeOf(MapClaim claim)
    {
        string attribute = claim.Entry.RankAttribute;
        string size = attribute.EndsWith("rank", StringComparison.Ordinal) ? $"{attribute[..^4]}size" : attribute;
        int? declared = attribute == "tp_rank" ? layout.TensorParallelSize : null;
        return declared ?? Number(claim.Tensor, size) ?? 1;
    }

    private void NoteUseless(List<MapClaim> claims)
    {
        foreach (IGrouping<string, MapClaim> group in claims
            .Where(claim => claim.Entry.Target == MapTarget.Nothing)
            .GroupBy(claim => claim.Entry.TargetName, StringComparer.Ordinal))
        {
            notes.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"known and not compared: {group.Count()} tensors such as {group.First().Tensor.Name}: {group.Key}"));
        }
    }

    private void AddInput(string name, IReadOnlyList<MapClaim> claims)
    {
        IReadOnlyList<MapClaim> first = Preferred(claims);
        if (first.Count == 1 || first.Select(claim => RankOf(claim)).Distinct().Count() == first.Count)
        {
            Inputs[name] = first.OrderBy(claim => RankOf(claim) ?? 0).First().Tensor;
        }
        else
        {
            Doubles.Add(Claimants(name, first));
        }
    }

    // A spare counts only when nothing else has the tap; of several spares the first line of the map.
    private static IReadOnlyList<MapClaim> Preferred(IReadOnlyList<MapClaim> claims)
    {
        MapClaim[] direct = [.. claims.Where(claim => !claim.Entry.IsSpare)];
        if (direct.Length > 0)
        {
            return direct;
        }

        // Entries of one line share everything but their name, so their order is that of the map.
        return [.. claims.GroupBy(claim => claim.Entry.Line).OrderBy(group => group.Key).First()];
    }

    private void AddWeights(List<MapClaim> claims)
    {
        MapClaim[] weights = [.. claims.Where(claim => claim.Entry.Target == MapTarget.Weight)];
        if (weights.Length == 0)
        {
            return;
        }

        Dictionary<string, TensorInfo> catalog =
            TensorCatalog.For(configuration).ToDictionary(info => info.Name, StringComparer.Ordinal);
        IEnumerable<(string Name, MapClaim Claim, int? Expert)> named = weights.SelectMany(claim =>
            claim.Entry.IsStack
                ? Enumerable.Range(0, configuration.ExpertCount).Select(expert => (
                    NameMap.Fill(claim.Target, ["expert"], [expert]), claim, (int?)expert))
                : [(ExpertOfRank(claim), claim, null)]);
        foreach (IGrouping<string, (string Name, MapClaim Claim, int? Expert)> group in named
            .GroupBy(entry => entry.Name, StringComparer.Ordinal))
        {
            if (!catalog.TryGetValue(group.Key, out TensorInfo? info))
            {
                Unmapped.AddRange(group.Select(entry => entry.Claim.Tensor.Name));
                notes.Add($"the reference has no {group.Key}, which {group.First().Claim.Tensor.Name} would be");
            }
            else if (SourcesOf(group.Key, [.. group.Select(entry => entry.Claim)]) is TapAssembly.Sources sources)
            {
                Weights.Add((info, sources, group.First().Expert));
            }
        }
    }

    // Megatron counts the experts of a rank from zero.
    private string ExpertOfRank(MapClaim claim)
    {
        if (claim.Entry.Parts != RankParts.Experts || RankOf(claim) is not int rank)
        {
            return claim.Target;
        }

        int[] numbers = claim.Entry.Name.Match(claim.Tensor.Name)!;
        string[] names = [.. claim.Entry.Name.Numbers];
        int at = Array.IndexOf(names, "expert");
        if (at < 0)
        {
            return claim.Target;
        }

        numbers[at] += rank * configuration.ExpertCount / SizeOf(claim);
        return NameMap.Fill(claim.Entry.TargetName, names, numbers);
    }

    private void AddTap(string tap, TapAxes axes, IReadOnlyList<MapClaim> claims)
    {
        if (SourcesOf(tap, claims) is TapAssembly.Sources sources)
        {
            Taps.Add((tap, axes, sources));
        }
    }
}
