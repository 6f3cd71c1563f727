using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Dumps;

namespace RingFlash.Reference.Comparison;

// Which of the tensors that claim a name are used, and in which order.
internal sealed partial class CandidateClaims
{
    private TapAssembly.Sources? SourcesOf(string target, IReadOnlyList<MapClaim> claims)
    {
        IReadOnlyList<MapClaim> used = Preferred(claims);
        bool isWhole = used.All(claim => claim.Entry.Piece == FusedPiece.Whole);
        FusedPiece[] wanted = isWhole
            ? [FusedPiece.Whole]
            : [FusedPiece.Query, FusedPiece.Key, FusedPiece.Value];

        // A tensor that is the whole and others that are pieces claim it twice.
        if (used.Any(claim => !wanted.Contains(claim.Entry.Piece)))
        {
            Doubles.Add(Claimants(target, used));
            return null;
        }

        List<(NameMapEntry Entry, IReadOnlyList<DumpTensor> Ranks)> pieces = [];
        foreach (FusedPiece piece in wanted)
        {
            MapClaim[] found = [.. used.Where(claim => claim.Entry.Piece == piece)];
            if (found.Length == 0)
            {
                string part = piece.ToString().ToLowerInvariant();
                Incomplete.Add($"{Claimants(target, used)}: the {part} part is missing");
                return null;
            }

            if (RanksOf(target, found) is not IReadOnlyList<DumpTensor> ranks)
            {
                return null;
            }

            pieces.Add((found[0].Entry, ranks));
        }

        DumpTensor? added = null;
        if (used[0].Plus is string plus)
        {
            DumpTensor[] terms = byName.TryGetValue(plus, out List<DumpTensor>? all)
                ? [.. all.Where(term => RankOf(used[0] with { Tensor = term }) == RankOf(used[0]))]
                : [];
            if (terms.Length != 1)
            {
                Incomplete.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{Claimants(target, used)}: {plus}, which is to be added, is there {terms.Length} times"));
                return null;
            }

            added = terms[0];
        }

        return new TapAssembly.Sources(pieces, added);
    }

    // The tensors of the ranks of one piece, in their order; null when it is clear that they are not whole.
    private IReadOnlyList<DumpTensor>? RanksOf(string tap, MapClaim[] found)
    {
        RankParts parts = found[0].Entry.Parts;
        int?[] ranks = [.. found.Select(RankOf)];
        int declared = SizeOf(found[0]);
        bool isOne = found.Length == 1 && (declared == 1 || parts == RankParts.Copies
            || (parts == RankParts.Experts && !found[0].Entry.IsStack));
        if (isOne)
        {
            return [found[0].Tensor];
        }

        if (found.Length > 1 && (ranks.Any(rank => rank is null) || ranks.Distinct().Count() != ranks.Length))
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
