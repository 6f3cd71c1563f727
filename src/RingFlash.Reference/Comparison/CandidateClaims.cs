using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Which tensors of a dump hold which tap by a map; what claims a tap twice, in part only, or nothing.
/// </summary>
internal sealed class CandidateClaims
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

    /// <summary>Names that the map does not know.</summary>
    public List<string> Unmapped { get; } = [];

    /// <summary>Taps that are claimed twice.</summary>
    public List<string> Doubles { get; } = [];

    /// <summary>Taps of which a piece, a rank or a summand is missing.</summary>
    public List<string> Incomplete { get; } = [];

    /// <summary>What a map says of tensors, to tell whether another says the same.</summary>
    /// <param name="map">The map.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="layerCount">The main layers.</param>
    /// <returns>One line per tensor.</returns>
    public static IEnumerable<string> Meaning(NameMap map, IReadOnlyList<DumpTensor> tensors, int layerCount) =>
        tensors.Select(tensor => string.Join(';', map.Claims(tensor, layerCount).Select(claim =>
        {
            NameMapEntry entry = claim.Entry;
            string axes = string.Join('|', entry.Axes.Select(form => string.Join(',', form)));
            return $"{entry.Target} {claim.Target} {claim.Plus} {axes} {entry.Tokens} {entry.Piece} {entry.Take} "
                + $"{entry.IsGrouped} {entry.IsDenseRouting} {entry.IsTransposed} {entry.Parts} {entry.IsSpare}";
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
        claim.Rank ?? Number(claim.Tensor, "tp_rank") ?? Number(claim.Tensor, "rank");

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

    private void AddTap(string tap, TapAxes axes, IReadOnlyList<MapClaim> claims)
    {
        IReadOnlyList<MapClaim> used = Preferred(claims);
        NameMapEntry entry = used[0].Entry;
        bool isWhole = used.All(claim => claim.Entry.Piece == FusedPiece.Whole);
        FusedPiece[] wanted = isWhole
            ? [FusedPiece.Whole]
            : [FusedPiece.Query, FusedPiece.Key, FusedPiece.Value];
        List<IReadOnlyList<DumpTensor>> pieces = [];
        foreach (FusedPiece piece in wanted)
        {
            MapClaim[] found = [.. used.Where(claim => claim.Entry.Piece == piece)];
            if (found.Length == 0)
            {
                Incomplete.Add($"{Claimants(tap, used)}: the {piece.ToString().ToLowerInvariant()} part is missing");
                return;
            }

            if (RanksOf(tap, found) is not IReadOnlyList<DumpTensor> ranks)
            {
                return;
            }

            pieces.Add(ranks);
        }

        // A tensor that is the whole and others that are pieces claim the tap twice.
        if (used.Count(claim => wanted.Contains(claim.Entry.Piece)) != used.Count)
        {
            Doubles.Add(Claimants(tap, used));
            return;
        }

        DumpTensor? added = null;
        if (used[0].Plus is string plus)
        {
            DumpTensor[] terms = byName.TryGetValue(plus, out List<DumpTensor>? all)
                ? [.. all.Where(term => (Number(term, "tp_rank") ?? Number(term, "rank")) == RankOf(used[0]))]
                : [];
            if (terms.Length != 1)
            {
                Incomplete.Add($"{Claimants(tap, used)}: {plus}, which is to be added, is there {terms.Length} times");
                return;
            }

            added = terms[0];
        }

        Taps.Add((tap, axes, new TapAssembly.Sources(entry, pieces, added)));
    }

    // The tensors of the ranks of one piece, in their order; null when it is clear that they are not whole.
    private IReadOnlyList<DumpTensor>? RanksOf(string tap, MapClaim[] found)
    {
        RankParts parts = found[0].Entry.Parts;
        int?[] ranks = [.. found.Select(RankOf)];
        int declared = layout.TensorParallelSize ?? Number(found[0].Tensor, "tp_size") ?? 1;
        bool isOne = found.Length == 1 && (declared == 1 || parts == RankParts.Copies);
        if (isOne)
        {
            return [found[0].Tensor];
        }

        if (ranks.Any(rank => rank is null) || ranks.Distinct().Count() != ranks.Length)
        {
            Doubles.Add(Claimants(tap, found));
            return null;
        }

        DumpTensor[] ordered = [.. found.OrderBy(RankOf).Select(claim => claim.Tensor)];
        if (parts == RankParts.Copies)
        {
            notes.Add($"{tap}: {ordered.Length} ranks hold it; the first is used");
            return [ordered[0]];
        }

        if (declared != ordered.Length || ranks.Max() != declared - 1)
        {
            Incomplete.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{Claimants(tap, found)}: {ordered.Length} ranks where tensor parallelism has {declared}; declare "
                + $"how many there are"));
            return null;
        }

        return ordered;
    }
}
