using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace RingFlash.Cli.Reports;

/// <summary>A column of a <see cref="ReportTable"/>.</summary>
/// <param name="Header">Its name; may have two lines.</param>
/// <param name="Width">Characters.</param>
/// <param name="Right">Whether it holds numbers.</param>
internal sealed record ReportColumn(string Header, int Width, bool Right = false);

/// <summary>
/// A table of fixed widths: it looks the same for every report and every terminal, so that two of them can be compared
/// line by line.
/// </summary>
internal sealed class ReportTable
{
    private readonly Table _table = new();

    /// <summary>Creates a table.</summary>
    /// <param name="columns">Widths plus one space between two: at most <see cref="ToolContext.PlainWidth"/>.</param>
    public ReportTable(params ReportColumn[] columns)
    {
        // No frame: every one of the 100 columns is needed, and plain '-' survives any encoding.
        _table.Border(TableBorder.None);
        foreach (ReportColumn column in columns)
        {
            TableColumn added = new(new Text(column.Header))
            {
                Width = column.Width,
                Alignment = column.Right ? Justify.Right : Justify.Left,
                Padding = new Padding(0, 0, ReferenceEquals(column, columns[^1]) ? 0 : 1, 0),
            };
            _table.AddColumn(added);
        }

        _table.AddRow(columns.Select(column => new Text(new string('-', column.Width))));
    }

    /// <summary>Adds a row.</summary>
    /// <param name="cells">Texts, with line breaks where the caller wants them, or verdicts.</param>
    public void Add(params object[] cells) => _table.AddRow(cells.Select(Cell));

    /// <summary>Writes the table.</summary>
    /// <param name="console">Where to.</param>
    public void Write(IAnsiConsole console) => console.Write(_table);

    private static IRenderable Cell(object cell) => cell is Verdict verdict
        ? new Text(VerifyReportTable.Word(verdict), VerifyReportTable.StyleOf(verdict))
        : new Text(string.Join('\n', ((string)cell).Split('\n').Select(InvalidInputException.Escape)));
}
