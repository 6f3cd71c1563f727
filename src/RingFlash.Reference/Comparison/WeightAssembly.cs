using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Dumps;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Makes a weight of the checkpoint of the tensors that hold it: joins ranks, takes a half of gate-up, one expert of a
/// stack, and brings the heads of a fused projection into our order. All of it concerns rows; a vector has rows of one
/// element.
/// </summary>
/// <param name="configuration">The model.</param>
/// <param name="held">Where sources of small pieces are held.</param>
internal sealed class WeightAssembly(ModelConfiguration configuration, HeldTensor held)
{
    /// <summary>Makes the weight.</summary>
    /// <param name="expected">Name and axes in the checkpoint.</param>
    /// <param name="sources">The tensors.</param>
    /// <param name="expert">Which expert of a stack is wanted; null when the tensor is no stack.</param>
    /// <returns>The weight; in its own axes where they do not become the checkpoint's, for others to name.</returns>
    public ViewTap Make(TensorInfo expected, TapAssembly.Sources sources, int? expert)
    {
        Matrix[] pieces = [.. sources.Pieces.Select(piece => Ranks(piece.Entry, piece.Ranks, expert))];
        Matrix whole = pieces.Length == 1 ? pieces[0] : Join(pieces);
        DumpTensor[] all = [.. sources.Pieces.SelectMany(piece => piece.Ranks)];
        string source = string.Join(", ", all.Select(tensor => $"{tensor.Name} ({tensor.Place})"));
        if (sources.Entry.IsTransposed)
        {
            whole = new Matrix(
                new GatheredView(
                    whole.View,
                    held,
                    GatheredView.Axis(whole.Columns, 1),
                    GatheredView.Axis(whole.Rows, whole.Columns)),
                whole.Columns,
                whole.Rows);
        }

        IReadOnlyList<long> shape = expected.Shape.Count == 1 && whole.Columns == 1
            ? [whole.Rows]
            : [whole.Rows, whole.Columns];
        return new ViewTap(expected.Name, source, whole.View.ElementType, shape, whole.View);
    }

    private static Matrix Join(IReadOnlyList<Matrix> parts) => new(
        new JoinedView([.. parts.Select(part => (part.View, part.View.Length))], 1),
        parts.Sum(part => part.Rows),
        parts[0].Columns);

    private Matrix Ranks(NameMapEntry entry, IReadOnlyList<DumpTensor> ranks, int? expert)
    {
        bool joinsColumns = entry.Parts == RankParts.Inputs;
        Matrix[] parts = [.. ranks.Select(Of)];
        if (expert is int wanted)
        {
            // A stack [experts, rows, columns]; the experts of a rank follow those of the one before.
            int perRank = configuration.ExpertCount / (entry.Parts == RankParts.Experts ? ranks.Count : 1);
            DumpTensor[] holders = entry.Parts == RankParts.Experts ? [ranks[wanted / perRank]] : [.. ranks];
            parts = [.. holders.Select(tensor => OfStack(tensor, wanted % perRank))];
        }

        bool isFused = entry.TargetName.Contains("query_key_value", StringComparison.Ordinal)
            && entry.Piece == FusedPiece.Whole;
        bool splits = parts.Length > 1 && !joinsColumns;
        Matrix joined = parts.Length == 1 ? parts[0]
            : joinsColumns ? new Matrix(
                new JoinedView([.. parts.Select(part => (part.View, part.Columns))], 1),
                parts[0].Rows,
                parts.Sum(part => part.Columns))
            : Join(parts);
        if (isFused)
        {
            FusedHeads fused = new(configuration, parts.Length);
            long unit = joined.Rows / Math.Max(1, fused.StoredCount(splits));
            return unit == configuration.HeadDimension && joined.Rows % fused.StoredCount(splits) == 0
                ? joined.Units(fused.Order(entry.IsGrouped, splits, entry.Take), unit, held)
                : joined;
        }

        if (entry.Take is not (FusedPiece.Gate or FusedPiece.Up))
        {
            return joined;
        }

        // Every rank has the rows of its gate half and then those of its up half.
        int first = entry.Take == FusedPiece.Gate ? 0 : 1;
        long half = joined.Rows / (2 * (splits ? parts.Length : 1));
        return joined.Rows % 2 != 0
            ? joined
            : joined.Units(
                [.. Enumerable.Range(0, splits ? parts.Length : 1).Select(rank => (2L * rank) + first)], half, held);
    }

    private static Matrix Of(DumpTensor tensor)
    {
        long rows = tensor.Shape.Count == 0 ? 1 : tensor.Shape[0];
        StoredView view = new(tensor);
        return new Matrix(view, rows, rows == 0 ? 0 : view.Length / rows);
    }

    private Matrix OfStack(DumpTensor tensor, int expert)
    {
        StoredView view = new(tensor);
        if (tensor.Shape.Count != 3 || expert >= tensor.Shape[0])
        {
            return Of(tensor);
        }

        long rows = tensor.Shape[1], columns = tensor.Shape[2];
        return new Matrix(
            new GatheredView(view, held, [expert * rows * columns], GatheredView.Axis(rows * columns, 1)),
            rows,
            columns);
    }

    private readonly record struct Matrix(TensorView View, long Rows, long Columns)
    {
        // Rows in another order, or some of them, by units of several.
        public Matrix Units(long[] units, long unit, HeldTensor held)
        {
            bool inOrder = units.LongLength * unit == Rows && FusedHeads.IsInOrder(units, units.LongLength);
            return inOrder ? this : new Matrix(
                new GatheredView(
                    View,
                    held,
                    Array.ConvertAll(units, Offset(unit * Columns)),
                    GatheredView.Axis(unit * Columns, 1)),
                units.LongLength * unit,
                Columns);
        }

        private static Converter<long, long> Offset(long step) => index => index * step;
    }
}
