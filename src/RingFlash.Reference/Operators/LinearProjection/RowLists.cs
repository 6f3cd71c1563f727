using ILGPU;

namespace RingFlash.Reference.Operators;

/// <summary>Which rows of x meet which slot of W: all rows in order, or lists sorted by expert.</summary>
/// <param name="XRows">The row of x of each entry; empty for the entry's own number.</param>
/// <param name="YRows">The row of y of each entry; empty for the entry's own number.</param>
/// <param name="Offsets">[experts + 1], where each expert's entries begin; empty for one list of all.</param>
/// <param name="Table">[experts], the slot of each expert; empty for slot 0.</param>
/// <param name="MostRows">The most entries that a list can have.</param>
/// <param name="Experts">The lists.</param>
internal readonly record struct RowLists(
    ArrayView<int> XRows,
    ArrayView<int> YRows,
    ArrayView<int> Offsets,
    ArrayView<int> Table,
    int MostRows,
    int Experts)
{
    /// <summary>Rows of x, one after the other.</summary>
    /// <param name="rows">The rows.</param>
    /// <returns>One list.</returns>
    public static RowLists Plain(int rows) => new(default, default, default, default, rows, 1);

    /// <summary>The slot of a list.</summary>
    /// <param name="expert">The list.</param>
    /// <returns>−1 if the expert is not on the device.</returns>
    public int SlotOf(int expert) => Table.Length == 0 ? 0 : Table[expert];

    /// <summary>The first entry of a list.</summary>
    /// <param name="expert">The list.</param>
    /// <returns>The entry.</returns>
    public int BeginOf(int expert) => Offsets.Length == 0 ? 0 : Offsets[expert];

    /// <summary>The entry behind a list.</summary>
    /// <param name="expert">The list.</param>
    /// <returns>The entry.</returns>
    public int EndOf(int expert) => Offsets.Length == 0 ? MostRows : Offsets[expert + 1];

    /// <summary>The row of x.</summary>
    /// <param name="entry">The entry.</param>
    /// <returns>The row.</returns>
    public int XRowOf(int entry) => XRows.Length == 0 ? entry : XRows[entry];

    /// <summary>The row of y.</summary>
    /// <param name="entry">The entry.</param>
    /// <returns>The row.</returns>
    public int YRowOf(int entry) => YRows.Length == 0 ? entry : YRows[entry];
}
