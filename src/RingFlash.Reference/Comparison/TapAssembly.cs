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
internal sealed partial class TapAssembly(
    ModelConfiguration configuration, ForwardInput input, RowAlignment alignment, HeldTensor held)
{
    /// <summary>The tensors of a tap: one, or one per piece and rank.</summary>
    /// <param name="Pieces">For each piece its line of the map and the tensors of its ranks, in their order.</param>
    /// <param name="Added">The tensor that is added; null for none.</param>
    public sealed record Sources(
        IReadOnlyList<(NameMapEntry Entry, IReadOnlyList<DumpTensor> Ranks)> Pieces, DumpTensor? Added)
    {
        /// <summary>What holds for the whole: the line of the first piece.</summary>
        public NameMapEntry Entry => Pieces[0].Entry;
    }

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

    /// <summary>The axes of a tensor by its rank.</summary>
    /// <param name="entry">The line of the map.</param>
    /// <param name="axes">The tap's axes.</param>
    /// <param name="rank">The rank.</param>
    /// <returns>The axes; null when the line has none of that rank.</returns>
    public static IReadOnlyList<AxisName>? FormOf(NameMapEntry entry, TapAxes axes, int rank) =>
        Forms(entry, axes).FirstOrDefault(form => form.Count == rank);

    /// <summary>Makes the tap.</summary>
    /// <param name="tap">Its name.</param>
    /// <param name="axes">Its axes.</param>
    /// <param name="sources">The tensors.</param>
    /// <param name="problem">Why it cannot be made; empty when it can.</param>
    /// <returns>The tap; null with a problem.</returns>
    public CandidateTap? Make(string tap, TapAxes axes, Sources sources, out string problem)
    {
        NameMapEntry entry = sources.Entry;
        DumpTensor[] all = [.. sources.Pieces.SelectMany(piece => piece.Ranks)];
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
        if (all.Length == 1 && isAligned && entry is { IsGrouped: false, IsDenseRouting: false, IsUnscaled: false }
            && entry.Tokens != TokenChoice.Last && entry.Take == FusedPiece.Whole
            && entry.Axes is []
            && axes.Width is int width && first.Shape.SequenceEqual(axes.Shape(null, width)))
        {
            return new ViewTap(tap, source, first.ElementType, first.Shape, new StoredView(first));
        }

        List<RowTensor> pieces = [];
        foreach ((NameMapEntry line, IReadOnlyList<DumpTensor> ranks) in sources.Pieces)
        {
            if (Ranks(tap, axes, line, ranks, out problem) is not RowTensor piece)
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

    private static IReadOnlyList<IReadOnlyList<AxisName>> Forms(NameMapEntry entry, TapAxes axes) =>
        entry.Axes is not [] ? entry.Axes
        : axes.Kind == TapKind.Heads ? HeadForms
        : axes.Width == 0 ? NarrowForms
        : RowForms;

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

        if (entry.IsUnscaled)
        {
            tensor = tensor with
            {
                View = new ScaledView(tensor.View, (float)configuration.RoutedScalingFactor),
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
}
