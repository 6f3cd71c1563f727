using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace RingFlash.Reference.Pictures;

/// <summary>One row of cells.</summary>
/// <param name="Label">Beside the row.</param>
/// <param name="Values">One per column, in units of what is allowed, at least 0, ∞ for what is worse than any number;
/// NaN where something was not compared, null where there is nothing.</param>
public sealed record HeatRow(string Label, IReadOnlyList<double?> Values);

/// <summary>
/// A table drawn as colours: how many times what is allowed each cell is. Six shades that get darker as it gets worse,
/// so it reads in grey too; the step from blue to orange is at 1. Under the rules of <see cref="SvgChart"/>.
/// </summary>
/// <remarks>More columns than fit become cells of several neighbours, as many in each, that show their worst.</remarks>
public sealed class SvgHeatStrip
{
    /// <summary>The most cells in a row.</summary>
    public const int MostCells = 128;

    private const int Top = 34;
    private const int Right = 16;
    private const int RowHeight = 13;
    private const int LegendHeight = 34;
    private const int LongestLabel = 36;
    private const double WidestCell = 40;
    private const double TickRoom = 30;
    private const string Missing = "#ffffff";
    private const string MissingMark = "#9a9a9a";

    private static readonly (double Limit, string Colour, string Text)[] Shades =
    [
        (0, "#e2f1e3", "equal"),
        (0.25, "#d6e6f4", "≤ ¼"),
        (1, "#a9cbe8", "≤ 1"),
        (4, "#f59e42", "1 … 4"),
        (16, "#d1480b", "4 … 16"),
        (double.MaxValue, "#8b0f14", "> 16"),
        (double.PositiveInfinity, "#000000", "not finite"),
    ];

    /// <summary>Shown above the drawing.</summary>
    public required string Title { get; init; }

    /// <summary>What the columns are, shown below them; they are numbered.</summary>
    public required string XLabel { get; init; }

    /// <summary>The number of the first column.</summary>
    public int FirstColumn { get; init; }

    /// <summary>The rows, from top to bottom, of one length.</summary>
    public required IReadOnlyList<HeatRow> Rows { get; init; }

    /// <summary>How many columns one cell stands for.</summary>
    /// <param name="columns">The columns.</param>
    /// <returns>1 as long as they fit.</returns>
    public static int ColumnsPerCell(int columns) => Math.Max(1, (columns + MostCells - 1) / MostCells);

    /// <summary>Writes the picture.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string ToSvg()
    {
        int columns = Rows.Count == 0 ? 0 : Rows.Max(row => row.Values.Count);
        int perCell = ColumnsPerCell(columns), cells = (columns + perCell - 1) / perCell;
        int longest = Rows.Count == 0 ? 0 : Math.Min(LongestLabel, Rows.Max(row => row.Label.Length));
        int left = 24 + (int)(6.4 * longest);
        double width = cells == 0 ? 0 : Math.Min(WidestCell, (double)(SvgChart.Width - left - Right) / cells);
        int bottom = Top + (RowHeight * Rows.Count);
        SvgWriter svg = new(SvgChart.Width, bottom + 40 + LegendHeight, Title);
        if (cells == 0)
        {
            svg.Text(SvgChart.Width / 2.0, bottom + 20, "nothing to draw", "middle");
            return svg.Finish();
        }

        for (int row = 0; row < Rows.Count; row++)
        {
            int y = Top + (RowHeight * row);
            svg.Text(left - 6, y + 10, Shorten(Rows[row].Label), "end", size: 11);
            for (int cell = 0; cell < cells; cell++)
            {
                WriteCell(svg, Rows[row], left + (cell * width), y, width, cell * perCell, perCell);
            }
        }

        int stride = NiceStride(TickRoom / width * perCell);
        for (int cell = 0; cell < cells; cell++)
        {
            // The cell that holds a multiple of the stride.
            int first = FirstColumn + (cell * perCell), column = (first + stride - 1) / stride * stride;
            if (column < first + perCell && first >= 0)
            {
                string number = column.ToString(CultureInfo.InvariantCulture);
                svg.Text(left + ((cell + 0.5) * width), bottom + 14, number, "middle", size: 11);
            }
        }

        string label = perCell == 1
            ? XLabel
            : string.Create(CultureInfo.InvariantCulture, $"{XLabel}; a cell shows the worst of {perCell}");
        svg.Text(left + (cells * width / 2), bottom + 30, label, "middle");
        WriteLegend(svg, bottom + 44);
        return svg.Finish();
    }

    // 1, 2 or 5 times a power of ten.
    private static int NiceStride(double least)
    {
        for (int power = 1; ; power *= 10)
        {
            foreach (int stride in (ReadOnlySpan<int>)[power, 2 * power, 5 * power])
            {
                if (stride >= least || stride >= 500_000_000)
                {
                    return stride;
                }
            }
        }
    }

    private static string Shorten(string label) =>
        label.Length <= LongestLabel ? label : $"{label[..17]}…{label[^18..]}";

    private void WriteCell(SvgWriter svg, HeatRow row, double x, int y, double width, int first, int count)
    {
        int last = Math.Min(first + count, row.Values.Count) - 1;
        double[] values =
            [.. row.Values.Skip(first).Take(count).Where(value => value is not null).Select(value => value!.Value)];
        if (values.Length == 0)
        {
            return;
        }

        double worst = values.Where(value => !double.IsNaN(value)).DefaultIfEmpty(double.NaN).Max();
        string columns = last > first
            ? string.Create(CultureInfo.InvariantCulture, $"{FirstColumn + first} … {FirstColumn + last}")
            : string.Create(CultureInfo.InvariantCulture, $"{FirstColumn + first}");
        string text = double.IsNaN(worst) ? "not compared"
            : double.IsPositiveInfinity(worst) ? "not finite"
            : worst.ToString(worst >= 1e5 ? "0.##e+0" : "0.##", CultureInfo.InvariantCulture);
        string fill = double.IsNaN(worst) ? Missing : Shades.First(one => worst <= one.Limit).Colour;

        // A little apart, so that cells can be counted; but a cell of two pixels needs them both.
        double gap = width > 4 ? 1 : 0;
        svg.Rectangle(x, y, width - gap, RowHeight - 1, fill, $"{row.Label}, {columns}: {text}");
        if (double.IsNaN(worst))
        {
            svg.Line(x + (width * 0.3), y + 6, x + (width * 0.7), y + 6, MissingMark);
        }
    }

    private static void WriteLegend(SvgWriter svg, int y)
    {
        double x = 24;
        const double step = (SvgChart.Width - 56) / 8.0;
        foreach ((double _, string colour, string text) in Shades)
        {
            svg.Rectangle(x - 1, y + 3, 14, 12, MissingMark);
            svg.Rectangle(x, y + 4, 12, 10, colour);
            svg.Text(x + 17, y + 13, text, "start", size: 11);
            x += step;
        }

        svg.Line(x + 2, y + 9, x + 10, y + 9, MissingMark);
        svg.Text(x + 15, y + 13, "not compared", "start", size: 11);
    }
}
