using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace RingFlash.Reference.Pictures;

/// <summary>One upright column.</summary>
/// <param name="Label">Below the column.</param>
/// <param name="Parts">Its parts from the bottom up, at least 0 each.</param>
public sealed record ChartColumn(string Label, IReadOnlyList<double> Parts);

/// <summary>Upright columns of parts as SVG text: histograms, shares. By the rules of <see cref="SvgChart"/>.</summary>
public sealed class SvgColumns
{
    private const int Left = 72;
    private const int Right = 28;
    private const int Top = 36;
    private const int Bottom = 52;
    private const int Height = 260;
    private const int LegendRow = 18;
    private const int LetterWidth = 7;

    /// <summary>Shown above the drawing.</summary>
    public required string Title { get; init; }

    /// <summary>Shown below the columns.</summary>
    public required string XLabel { get; init; }

    /// <summary>Shown beside the vertical axis.</summary>
    public required string YLabel { get; init; }

    /// <summary>The columns, from left to right.</summary>
    public required IReadOnlyList<ChartColumn> Columns { get; init; }

    /// <summary>The parts' names and colours, from the bottom up; the legend leaves out those without a name.</summary>
    public required IReadOnlyList<(string Name, string Colour)> Parts { get; init; }

    /// <summary>
    /// The vertical scale. A logarithmic one is for counts: it starts below 1, so that a single one shows, and its
    /// columns have one part, for the lengths of several would not add up.
    /// </summary>
    public AxisScale YScale { get; init; }

    /// <summary>Writes the picture.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string ToSvg()
    {
        if (YScale == AxisScale.Logarithmic && Parts.Count > 1)
        {
            throw new InvalidOperationException("a logarithmic column has one part");
        }

        bool hasLegend = Parts.Any(part => part.Name.Length > 0);
        double largest = Columns.Select(column => column.Parts.Sum()).Where(double.IsFinite).DefaultIfEmpty(0).Max();
        double low = YScale == AxisScale.Logarithmic ? 0.5 : 0;
        ChartAxis axis = ChartAxis.Fit([low, Math.Max(largest, 1)], YScale, null);
        SvgWriter svg = new(SvgChart.Width, Height + (hasLegend ? LegendRow : 0), Title);
        foreach (double tick in axis.Ticks.Where(tick => tick >= low))
        {
            svg.Line(Left - 4, Up(axis, tick), SvgChart.Width - Right, Up(axis, tick), "#e5e5e5");
            svg.Text(Left - 8, Up(axis, tick) + 4, ChartAxis.TickText(tick), "end");
        }

        WriteColumns(svg, axis);
        svg.Line(Left, Top, Left, Height - Bottom, "#333333");
        svg.Line(Left, Height - Bottom, SvgChart.Width - Right, Height - Bottom, "#333333");
        svg.Text((Left + SvgChart.Width - Right) / 2.0, Height - 12, XLabel, "middle");
        svg.TextUpwards(16, (Top + Height - Bottom) / 2.0, YLabel);
        WriteLegend(svg);
        return svg.Finish();
    }

    private static double Up(ChartAxis axis, double value) =>
        Height - Bottom - (Math.Clamp(axis.Place(value), 0, 1) * (Height - Top - Bottom));

    private void WriteColumns(SvgWriter svg, ChartAxis axis)
    {
        if (Columns.Count == 0)
        {
            svg.Text(SvgChart.Width / 2.0, Height / 2.0, "nothing to draw", "middle");
            return;
        }

        double step = (SvgChart.Width - Left - Right) / (double)Columns.Count;
        double width = Math.Min(40, step * 0.8);
        int longest = Math.Max(1, Columns.Max(column => column.Label.Length));
        int stride = (int)Math.Ceiling(longest * LetterWidth / step);
        for (int index = 0; index < Columns.Count; index++)
        {
            ChartColumn column = Columns[index];
            double middle = Left + ((index + 0.5) * step), sum = 0;
            for (int part = 0; part < column.Parts.Count; part++)
            {
                double value = column.Parts[part];
                if (!(value > 0))
                {
                    continue;
                }

                double bottom = YScale == AxisScale.Logarithmic ? Height - Bottom : Up(axis, sum);
                double top = Up(axis, sum + value);
                string name = Parts[part].Name.Length > 0 ? $" {Parts[part].Name}" : string.Empty;
                svg.Rectangle(
                    middle - (width / 2),
                    top,
                    width,
                    bottom - top,
                    Parts[part].Colour,
                    string.Create(CultureInfo.InvariantCulture, $"{column.Label}:{name} {value:#,0.###}"));
                sum += value;
            }

            if (index % stride == 0)
            {
                svg.Text(middle, Height - Bottom + 16, column.Label, "middle", size: 11);
            }
        }
    }

    private void WriteLegend(SvgWriter svg)
    {
        double x = Left;
        foreach ((string name, string colour) in Parts.Where(part => part.Name.Length > 0))
        {
            svg.Rectangle(x, Height - 4, 12, 10, colour);
            svg.Text(x + 17, Height + 5, name, "start", size: 11);
            x += 40 + (LetterWidth * name.Length);
        }
    }
}
