using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace RingFlash.Reference.Pictures;

/// <summary>How numbers are laid out along an axis.</summary>
public enum AxisScale
{
    /// <summary>Equal distances are equal differences.</summary>
    Linear,

    /// <summary>The same for things that are counted, such as layers: ticks at whole numbers only, and room for half
    /// a step at both ends.</summary>
    Whole,

    /// <summary>Equal distances are equal ratios; numbers that are not above zero are not drawn.</summary>
    Logarithmic,
}

/// <summary>One line of a chart.</summary>
/// <param name="Name">The legend's text; the legend leaves out a line without a name.</param>
/// <param name="Points">The points, in drawing order; a point that is not finite interrupts the line, so a jump is
/// drawn as one.</param>
public sealed record ChartLine(string Name, IReadOnlyList<(double X, double Y)> Points)
{
    /// <summary>Whether the line is drawn dashed: bounds and thresholds, not data.</summary>
    public bool IsDashed { get; init; }

    /// <summary>Whether the line is drawn three times as wide, to show beneath others.</summary>
    public bool IsBroad { get; init; }

    /// <summary>Whether each point gets a dot.</summary>
    public bool HasDots { get; init; }

    /// <summary>
    /// Whether it is no line but the area below it, one column of width 1 per point: what noise may reach. Drawn in the
    /// colour of the line before it.
    /// </summary>
    public bool IsBand { get; init; }
}

/// <summary>
/// A line chart as SVG text: axes with ticks and numbers, legend, no script, no style sheet, no font but the reader's.
/// Read on white; lines differ in colour and in dash, so it can be printed in grey.
/// </summary>
/// <remarks>
/// The text is a pure function of the input: numbers are written with two decimals by invariant rules and nothing
/// depends on
/// time, culture or machine, so a picture can be compared as text. All text is escaped.
/// </remarks>
public sealed class SvgChart
{
    internal const int Width = 640;
    internal const int Height = 360;
    private const int Left = 72;
    private const int Right = 28;
    private const int Top = 36;
    private const int Bottom = 52;
    private const int LegendRow = 16;
    private const string Grid = "#e5e5e5";
    private const string Frame = "#333333";

    private static readonly string[] Colours =
        ["#0b5fa5", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be123c", "#0e7490", "#525252"];

    private static readonly string[] Dashes = ["", "9 3", "2 3", "9 3 2 3", "14 4", "5 2", "2 6", "12 3 2 3 2 3"];

    /// <summary>Shown above the drawing.</summary>
    public required string Title { get; init; }

    /// <summary>Shown below the horizontal axis.</summary>
    public required string XLabel { get; init; }

    /// <summary>Shown beside the vertical axis.</summary>
    public required string YLabel { get; init; }

    /// <summary>The lines; each has the colour of its place.</summary>
    public required IReadOnlyList<ChartLine> Lines { get; init; }

    /// <summary>The vertical scale.</summary>
    public AxisScale YScale { get; init; }

    /// <summary>The horizontal scale.</summary>
    public AxisScale XScale { get; init; }

    /// <summary>The vertical range; from the data when null. What lies outside is cut off.</summary>
    public (double Low, double High)? YRange { get; init; }

    /// <summary>The drawing and the legend below it.</summary>
    internal int TotalHeight => Height + (LegendRow * ((Lines.Count(line => line.Name.Length > 0) + 1) / 2));

    /// <summary>Writes the picture.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string ToSvg()
    {
        List<(double X, double Y)> drawn = [.. Lines.SelectMany(line => line.Points).Where(IsDrawn)];
        ChartAxis horizontal = ChartAxis.Fit(drawn.Select(point => point.X), XScale, null);
        ChartAxis vertical = ChartAxis.Fit(drawn.Select(point => point.Y), YScale, YRange);
        SvgWriter svg = new(Width, TotalHeight, Title);
        WriteAxes(svg, horizontal, vertical);
        if (drawn.Count == 0)
        {
            svg.Text(Width / 2.0, Height / 2.0, "nothing to draw", "middle");
        }

        // Two more on each side: a line along the edge would lose half of its width.
        svg.OpenFrame(Left - 2, Top - 2, Width - Left - Right + 4, Height - Top - Bottom + 4);
        foreach (int index in Enumerable.Range(0, Lines.Count).Where(index => Lines[index].IsBand))
        {
            WriteBand(svg, index, horizontal, vertical);
        }

        foreach (int index in Enumerable.Range(0, Lines.Count).Where(index => !Lines[index].IsBand))
        {
            WriteLine(svg, index, horizontal, vertical);
        }

        svg.Close();
        WriteLegend(svg);
        return svg.Finish();
    }

    internal static string Colour(int index) => Colours[index % Colours.Length];

    private bool IsDrawn((double X, double Y) point) =>
        double.IsFinite(point.X) && double.IsFinite(point.Y)
        && (XScale != AxisScale.Logarithmic || point.X > 0) && (YScale != AxisScale.Logarithmic || point.Y > 0);

    private static double Across(ChartAxis axis, double value) => Left + (axis.Place(value) * (Width - Left - Right));

    private static double Up(ChartAxis axis, double value) =>
        Height - Bottom - (axis.Place(value) * (Height - Top - Bottom));

    private void WriteAxes(SvgWriter svg, ChartAxis horizontal, ChartAxis vertical)
    {
        foreach (double tick in horizontal.Ticks)
        {
            double x = Across(horizontal, tick);
            svg.Line(x, Top, x, Height - Bottom + 4, Grid);
            svg.Text(x, Height - Bottom + 17, ChartAxis.TickText(tick), "middle");
        }

        foreach (double tick in vertical.Ticks)
        {
            double y = Up(vertical, tick);
            svg.Line(Left - 4, y, Width - Right, y, Grid);
            svg.Text(Left - 8, y + 4, ChartAxis.TickText(tick), "end");
        }

        svg.Line(Left, Top, Left, Height - Bottom, Frame);
        svg.Line(Left, Height - Bottom, Width - Right, Height - Bottom, Frame);
        svg.Text((Left + Width - Right) / 2.0, Height - 12, XLabel, "middle");
        svg.TextUpwards(16, (Top + Height - Bottom) / 2.0, YLabel);
    }

    private string BandColour(int index) => Colour(Math.Max(0, index - 1));

    private void WriteBand(SvgWriter svg, int index, ChartAxis horizontal, ChartAxis vertical)
    {
        StringBuilder path = new();
        foreach ((double X, double Y) point in Lines[index].Points.Where(IsDrawn))
        {
            double left = Across(horizontal, point.X - 0.5), right = Across(horizontal, point.X + 0.5);
            double y = Up(vertical, point.Y), bottom = Height - Bottom;
            path.Append(
                CultureInfo.InvariantCulture,
                $"M {left:0.##} {bottom} L {left:0.##} {y:0.##} L {right:0.##} {y:0.##} L {right:0.##} {bottom} Z ");
        }

        if (path.Length > 0)
        {
            svg.Area(path.ToString().TrimEnd(), BandColour(index));
        }
    }

    private void WriteLine(SvgWriter svg, int index, ChartAxis horizontal, ChartAxis vertical)
    {
        ChartLine line = Lines[index];
        StringBuilder path = new();
        bool isOpen = false;
        foreach ((double X, double Y) point in line.Points)
        {
            if (!IsDrawn(point))
            {
                isOpen = false;
                continue;
            }

            double x = Across(horizontal, point.X), y = Up(vertical, point.Y);
            path.Append(CultureInfo.InvariantCulture, $"{(isOpen ? "L" : "M")} {x:0.##} {y:0.##} ");
            isOpen = true;
            if (line.HasDots)
            {
                svg.Dot(x, y, Colour(index));
            }
        }

        if (path.Length > 0)
        {
            svg.Path(path.ToString().TrimEnd(), Colour(index), Thickness(line), Dash(index));
        }
    }

    private void WriteLegend(SvgWriter svg)
    {
        int place = 0;
        for (int index = 0; index < Lines.Count; index++)
        {
            if (Lines[index].Name.Length == 0)
            {
                continue;
            }

            double x = Left + (place % 2 * ((Width - Left - Right) / 2.0));
            double y = Height + 4 + (LegendRow * (place / 2));
            if (Lines[index].IsBand)
            {
                svg.Area(
                    string.Create(CultureInfo.InvariantCulture, $"M {x} {y - 5} h 28 v 10 h -28 Z"), BandColour(index));
            }
            else
            {
                svg.Line(x, y, x + 28, y, Colour(index), Thickness(Lines[index]), Dash(index));
            }

            svg.Text(x + 34, y + 4, Lines[index].Name, "start");
            place++;
        }
    }

    private static int Thickness(ChartLine line) => line.IsDashed ? 1 : line.IsBroad ? 6 : 2;

    private string Dash(int index) => Lines[index].IsDashed ? "4 4" : Dashes[index % Dashes.Length];
}
