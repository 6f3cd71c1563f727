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
/// Makes one tap of the tensors that hold it: reads their axes, joins ranks and pieces, aligns tokens.
/// </summary>
/// <param name="configuration">The model.</param>
/// <param name="input">What the reference is fed.</param>
/// <param name="alignment">Which row is which token.</param>
/// <param name="held">Where sources of small pieces are held.</param>
internal sealed class TapAssembly(
    ModelConfiguration configuration, ForwardInput input, RowAlignment alignment, HeldTensor held)
{
    /// <summary>The tensors of a tap: one, or one per piece and rank.</summary>
    /// <param name="Entry">The line of the map that they share, but for the piece.</param>
    /// <param name="Pieces">For each piece the tensors of its ranks, in their order.</param>
    /// <param name="Added">The tensor that is added; null for none.</param>
    public sealed record Sources(
        NameMapEntry Entry, IReadOnlyList<IReadOnlyList<DumpTensor>> Pieces, DumpTensor? Added);

    private static readonly AxisName[][] RowForms =
    [
        [AxisName.Batch, AxisName.Tokens, AxisName.Width], [AxisName.Rows, AxisName.Width],
    ];

    private static readonly AxisName[][] NarrowForms = [[AxisName.Batch, AxisName.Tokens], [AxisName.Rows]];

    private static readonly AxisName[][] HeadForms =
    [
        [AxisName.Batch, AxisName.Heads, AxisName.Tokens, AxisName.Width],
        [AxisName.Rows, AxisName.Heads, AxisName.Width],
    ];

    /// <summary>Makes the tap.</summary>
    /// <param name="tap">Its name.</param>
    /// <param name="axes">Its axes.</param>
    /// <param name="sources">The tensors.</param>
    /// <param name="problem">Why it cannot be made; empty when it can.</param>
    /// <returns>The tap; null with a problem.</returns>
    public CandidateTap? Make(string tap, TapAxes axes, Sources sources, out string problem)
    {
        NameMapEntry entry = sources.Entry;
        DumpTensor[] all = [.. sources.Pieces.SelectMany(ranks => ranks)];
        if (sources.Added is not null)
        {
            all = [.. all, sources.Added];
        }

        string source = string.Join(
            entry.Plus is null ? ", " : " + ", all.Select(tensor => $"{tensor.Name} ({tensor.Place})"));
        DumpTensor first = all[0];
        problem = string.Empty;
        if (axes.Kind == TapKind.Whole)
        {
            return new StoredView(first).Length == 1 && all.Length == 1
                ? new ViewTap(tap, source, first.ElementType, [1], new StoredView(first))
                : Fail($"{Describe(first)} where the tap is one number", out problem);
        }

        // As it lies there, without a detour: most taps of most dumps.
        bool isAligned = alignment.OfGrid(input.Batch, input.Tokens, TokenChoice.All) == RowMatch.All;
        if (all.Length == 1 && isAligned && entry is { IsGrouped: false, IsDenseRouting: false }
            && entry.Tokens != TokenChoice.Last && entry.Take == FusedPiece.Whole
            && entry.Axes is []
            && axes.Width is int width && first.Shape.SequenceEqual(axes.Shape(null, width)))
        {
            return new ViewTap(tap, source, first.ElementType, first.Shape, new StoredView(first));
        }

        List<RowTensor> pieces = [];
        foreach (IReadOnlyList<DumpTensor> ranks in sources.Pieces)
        {
            if (Ranks(tap, axes, entry, ranks, out problem) is not RowTensor piece)
            {
                return null;
            }

            pieces.Add(piece);
        }

        if (RowTensor.Join(pieces) is not RowTensor joined)
        {
            return Fail($"{source} hold different tokens", out problem);
        }

        if (sources.Added is DumpTensor added)
        {
            if (Ranks(tap, axes, entry, [added], out problem) is not RowTensor term)
            {
                return null;
            }

            if (RowTensor.Sum([joined, term]) is not RowTensor sum)
            {
                return Fail($"{source}: different axes cannot be added", out problem);
            }

            joined = sum;
        }

        return Finish(tap, axes, entry, joined, source, out problem);
    }

    private static string Describe(DumpTensor tensor) =>
        $"{tensor.Name} ({tensor.Place}) has the axes {TensorInfo.FormatShape(tensor.Shape)}";

    private static CandidateTap? Fail(string text, out string problem)
    {
        problem = text;
        return null;
    }

    private static RowTensor? FailRows(string text, out string problem)
    {
        problem = text;
        return null;
    }

    private CandidateTap? Finish(
        string tap, TapAxes axes, NameMapEntry entry, RowTensor tensor, string source, out string problem)
    {
        problem = string.Empty;
        if (entry.IsDenseRouting)
        {
            bool wantsIndices = tap.EndsWith("topk_idx", StringComparison.Ordinal);
            tensor = tensor with
            {
                View = new DenseRoutingView(
                    tensor.View, configuration.ExpertCount, configuration.ExpertsPerToken, wantsIndices, source),
                Width = configuration.ExpertsPerToken,
            };
        }

        RowMatch match = tensor.Batch is long batch
            ? alignment.OfGrid(batch, tensor.Tokens, entry.Tokens)
            : alignment.OfRows(tensor.Tokens, entry.Tokens);
        if (match.Problem is not null)
        {
            return Fail($"{source} {match.Problem}", out problem);
        }

        if (match.Rows is not null && tap.EndsWith("attention.weights", StringComparison.Ordinal))
        {
            return Fail(
                $"{source}: attention weights are compared only where both sides have the same tokens in the same "
                + "places",
                out problem);
        }

        TensorView view = tensor.View;
        bool sameOrder = match.Theirs is null || IsIdentity(match.Theirs, tensor.RowCount);
        if (!sameOrder)
        {
            view = new GatheredView(
                view,
                held,
                [.. match.Theirs!.Select(row => row * tensor.Width)],
                GatheredView.Axis(tensor.Width, 1));
        }

        int? rows = match.Rows?.Count;
        if (axes.Kind == TapKind.Heads)
        {
            long width = tensor.Width / axes.Heads;
            view = new GatheredView(
                view,
                held,
                GatheredView.Axis(rows is null ? axes.Batch : 1, axes.Tokens * tensor.Width),
                GatheredView.Axis(axes.Heads, width),
                GatheredView.Axis(rows ?? axes.Tokens, tensor.Width),
                GatheredView.Axis(width, 1));
        }

        return new ViewTap(tap, source, view.ElementType, axes.Shape(rows, (int)tensor.Width), view)
        {
            Rows = match.Rows,
        };
    }

    private static bool IsIdentity(long[] rows, long count)
    {
        for (int index = 0; index < rows.Length; index++)
        {
            if (rows[index] != index)
            {
                return false;
            }
        }

        return rows.Length == count;
    }

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
        IReadOnlyList<IReadOnlyList<AxisName>> forms = entry.Axes is not [] ? entry.Axes
            : axes.Kind == TapKind.Heads ? HeadForms
            : axes.Width == 0 ? NarrowForms
            : RowForms;
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
