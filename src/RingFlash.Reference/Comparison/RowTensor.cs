using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// A tensor of a candidate brought to [tokens, heads · width], whatever its axes were: the form in which parts are
/// joined, heads reordered and tokens aligned.
/// </summary>
/// <param name="View">The numbers.</param>
/// <param name="Batch">Its b; null when all tokens lie one after another.</param>
/// <param name="Tokens">Its t, or n.</param>
/// <param name="Width">Values of one token.</param>
internal sealed record RowTensor(TensorView View, long? Batch, long Tokens, long Width)
{
    /// <summary>b · t, or n.</summary>
    public long RowCount => (Batch ?? 1) * Tokens;

    /// <summary>Reads the axes of a tensor.</summary>
    /// <param name="view">The numbers.</param>
    /// <param name="shape">The axes' lengths.</param>
    /// <param name="forms">What axes these may be, of different rank.</param>
    /// <param name="heads">The heads that it should have; 1 for a tensor without.</param>
    /// <param name="held">Where sources of small pieces are held.</param>
    /// <returns>The tensor; null when no form has its rank and heads.</returns>
    public static RowTensor? Of(
        TensorView view,
        IReadOnlyList<long> shape,
        IReadOnlyList<IReadOnlyList<AxisName>> forms,
        int heads,
        HeldTensor held)
    {
        IReadOnlyList<AxisName>? form = forms.FirstOrDefault(candidate => candidate.Count == shape.Count);
        if (form is null)
        {
            return null;
        }

        // Row-major steps of the axes that are there; an axis that is not has length 1.
        long step = 1;
        Dictionary<AxisName, (long Length, long Step)> axes = [];
        for (int axis = shape.Count - 1; axis >= 0; axis--)
        {
            if (form[axis] == AxisName.One && shape[axis] != 1)
            {
                return null;
            }

            axes[form[axis]] = (shape[axis], step);
            step *= shape[axis];
        }

        if (axes.Remove(AxisName.RowsAndHeads, out (long Length, long Step) both))
        {
            if (both.Length % heads != 0)
            {
                return null;
            }

            axes[AxisName.Rows] = (both.Length / heads, both.Step * heads);
            axes[AxisName.Heads] = (heads, both.Step);
        }

        if (axes.TryGetValue(AxisName.Heads, out (long Length, long Step) given) && given.Length != heads)
        {
            return null;
        }

        (long Length, long Step) Axis(AxisName name) => axes.GetValueOrDefault(name, (1, 0));
        bool isFlat = axes.ContainsKey(AxisName.Rows);
        (long Length, long Step)[] order =
        [
            isFlat ? (1, 0) : Axis(AxisName.Batch), Axis(isFlat ? AxisName.Rows : AxisName.Tokens),
            Axis(AxisName.Heads), Axis(AxisName.Width),
        ];
        bool inOrder = true;
        long expected = view.Length;
        foreach ((long length, long axisStep) in order.Where(axis => axis.Length != 1))
        {
            expected /= Math.Max(length, 1);
            inOrder &= axisStep == expected;
        }

        TensorView rows = inOrder
            ? view
            : new GatheredView(
                view, held, [.. order.Select(axis => GatheredView.Axis(axis.Length, axis.Step))]);
        return new RowTensor(
            rows, isFlat ? null : order[0].Length, order[1].Length, order[2].Length * order[3].Length);
    }

    /// <summary>Puts channels in another order, or takes some of them.</summary>
    /// <param name="units">For each unit of the result, the unit of this tensor.</param>
    /// <param name="unit">Channels of a unit.</param>
    /// <param name="held">Where sources of small pieces are held.</param>
    /// <returns>The tensor.</returns>
    public RowTensor Channels(IReadOnlyList<long> units, long unit, HeldTensor held) => this with
    {
        View = new GatheredView(
            View,
            held,
            GatheredView.Axis(RowCount, Width),
            [.. units.Select(index => index * unit)],
            GatheredView.Axis(unit, 1)),
        Width = units.Count * unit,
    };

    /// <summary>Joins tensors along their channels.</summary>
    /// <param name="parts">The tensors, of the same tokens.</param>
    /// <returns>The tensor; null when their tokens differ.</returns>
    public static RowTensor? Join(IReadOnlyList<RowTensor> parts) =>
        parts.Count == 1 ? parts[0]
        : HaveSameRows(parts) ? parts[0] with
        {
            View = new JoinedView([.. parts.Select(part => (part.View, part.Width))], inner: 1),
            Width = parts.Sum(part => part.Width),
        }
        : null;

    /// <summary>Adds tensors.</summary>
    /// <param name="terms">The tensors.</param>
    /// <returns>The tensor; null when their axes differ.</returns>
    public static RowTensor? Sum(IReadOnlyList<RowTensor> terms) =>
        terms.Count == 1 ? terms[0]
        : HaveSameRows(terms) && terms.All(term => term.Width == terms[0].Width)
            ? terms[0] with { View = new SummedView([.. terms.Select(term => term.View)]) }
            : null;

    private static bool HaveSameRows(IReadOnlyList<RowTensor> tensors) =>
        tensors.All(tensor => tensor.Batch == tensors[0].Batch && tensor.Tokens == tensors[0].Tokens);
}

/// <summary>A tap of a candidate that is read through a view.</summary>
internal sealed record ViewTap(
    string Name, string Source, ElementType ElementType, IReadOnlyList<long> Shape, TensorView View)
    : CandidateTap(Name, Source, ElementType, Shape)
{
    /// <inheritdoc/>
    public override void ReadSingle(long first, Span<float> destination) => View.Read(first, destination);

    /// <inheritdoc/>
    public override long[] ReadInt64()
    {
        long[] values = new long[View.Length];
        View.Read<long>(0, values);
        return values;
    }
}
