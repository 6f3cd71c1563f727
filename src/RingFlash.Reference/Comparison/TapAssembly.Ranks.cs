using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Dumps;

namespace RingFlash.Reference.Comparison;

// The tensors of the ranks of one piece as one.
internal sealed partial class TapAssembly
{
    // The tensors of all ranks as one, in our order of heads.
    private RowTensor? Ranks(
        string tap, TapAxes axes, NameMapEntry entry, IReadOnlyList<DumpTensor> ranks, out string problem)
    {
        problem = string.Empty;
        bool isFused = entry.Piece == FusedPiece.Whole
            && tap.EndsWith("attention.query_key_value.output", StringComparison.Ordinal);
        FusedHeads fused = new(configuration, ranks.Count);
        int? wanted = entry.IsDenseRouting ? configuration.ExpertCount
            : entry.Take is FusedPiece.Query or FusedPiece.Key or FusedPiece.Value
                ? configuration.QueryKeyValueWidth
            : entry.Piece == FusedPiece.Whole ? axes.RowWidth
            : fused.Count(entry.Piece) * configuration.HeadDimension;
        bool splits = entry.Parts == RankParts.Split && ranks.Count > 1;
        int heads = splits && axes.Kind == TapKind.Heads ? Math.Max(1, axes.Heads / ranks.Count) : axes.Heads;
        IReadOnlyList<IReadOnlyList<AxisName>> forms = Forms(entry, axes);
        List<RowTensor> parts = [];
        foreach (DumpTensor tensor in entry.Parts == RankParts.Tokens ? [] : ranks)
        {
            if (RowTensor.Of(new StoredView(tensor), tensor.Shape, forms, heads, held) is not RowTensor part)
            {
                return FailRows(WrongAxes(tensor, axes, forms, heads), out problem);
            }

            parts.Add(part);
        }

        RowTensor? joined = entry.Parts switch
        {
            RankParts.Tokens => TokenParts(ranks, forms, heads),
            RankParts.Sum => RowTensor.Sum(parts),
            RankParts.Split => RowTensor.Join(parts),
            _ => parts[0],
        };
        if (joined is null)
        {
            return FailRows(
                $"{Describe(ranks[0])} and those of the other ranks do not fit together", out problem);
        }

        if (isFused || entry.Take is FusedPiece.Query or FusedPiece.Key or FusedPiece.Value)
        {
            long[] order = fused.Order(entry.IsGrouped, splits, entry.Take);
            if (joined.Width != fused.StoredCount(splits) * configuration.HeadDimension)
            {
                return FailRows(WrongWidth(ranks[0], joined.Width, wanted ?? 0), out problem);
            }

            return FusedHeads.IsInOrder(order, joined.Width / configuration.HeadDimension)
                ? joined
                : joined.Channels(order, configuration.HeadDimension, held);
        }

        // Key heads that are fewer than the ranks are held by several of them.
        if (splits && axes.Kind == TapKind.Heads && axes.Heads < ranks.Count && joined.Width > wanted)
        {
            long[] order = [.. Enumerable.Range(0, axes.Heads).Select(head => (long)head * ranks.Count / axes.Heads)];
            return joined.Channels(order, configuration.HeadDimension, held);
        }

        return wanted is null || joined.Width == wanted
            ? joined
            : FailRows(WrongWidth(ranks[0], joined.Width, wanted.Value), out problem);
    }

    // Megatron's sequence parallelism: each rank has the next tokens.
    private RowTensor? TokenParts(
        IReadOnlyList<DumpTensor> ranks, IReadOnlyList<IReadOnlyList<AxisName>> forms, int heads)
    {
        IReadOnlyList<long> shape = ranks[0].Shape;
        IReadOnlyList<AxisName>? form = forms.FirstOrDefault(candidate => candidate.Count == shape.Count);
        int axis = form is null ? -1 : Enumerable.Range(0, form.Count)
            .FirstOrDefault(index => form[index] is AxisName.Tokens or AxisName.Rows, -1);
        if (axis < 0 || ranks.Any(rank => rank.Shape.Count != shape.Count))
        {
            return null;
        }

        long inner = shape.Skip(axis + 1).Aggregate(1L, (product, length) => product * length);
        bool othersAgree = ranks.All(rank => Enumerable.Range(0, shape.Count)
            .All(index => index == axis || rank.Shape[index] == shape[index]));
        JoinedView view = new([.. ranks.Select(rank => ((TensorView)new StoredView(rank), rank.Shape[axis]))], inner);
        long[] whole = [.. shape];
        whole[axis] = ranks.Sum(rank => rank.Shape[axis]);
        return othersAgree ? RowTensor.Of(view, whole, forms, heads, held) : null;
    }

    private static string WrongAxes(
        DumpTensor tensor, TapAxes axes, IReadOnlyList<IReadOnlyList<AxisName>> forms, int heads)
    {
        string expected = string.Join(" or ", forms.Select(form => $"[{string.Join(", ", form.Select(Word))}]"));
        string of = axes.Kind == TapKind.Heads ? $" of {heads} heads" : string.Empty;
        return $"{Describe(tensor)}; the map says {expected}{of}";
    }

    private static string WrongWidth(DumpTensor tensor, long found, long wanted) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Describe(tensor)}: {found} values per token where the reference has {wanted}");

    private static string Word(AxisName axis) => axis switch
    {
        AxisName.Batch => "b",
        AxisName.Tokens => "t",
        AxisName.Rows => "n",
        AxisName.Heads => "heads",
        AxisName.RowsAndHeads => "n*heads",
        AxisName.Width => "width",
        _ => "1",
    };
}
