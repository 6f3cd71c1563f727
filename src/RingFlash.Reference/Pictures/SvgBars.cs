using System;
using System.Collections.Generic;

namespace RingFlash.Reference.Pictures;

/// <summary>One bar.</summary>
/// <param name="Label">Beside the bar.</param>
/// <param name="Value">Its length, at least 0; NaN and ∞ are written and not drawn.</param>
/// <param name="ValueText">Behind the bar.</param>
public sealed record ChartBar(string Label, double Value, string ValueText)
{
    /// <summary>The number of the colour.</summary>
    public int Colour { get; init; }

    /// <summary>A second value, drawn as a mark across the bar: what was expected.</summary>
    public double? Mark { get; init; }
}

/// <summary>Horizontal bars as SVG text, under the rules of <see cref="SvgChart"/>.</summary>
public sealed class SvgBars
{
    private const int LabelWidth = 330;
    private const int BarSpace = 220;
    private const int Row = 24;
    private const int Top = 36;

    /// <summary>Shown above the drawing.</summary>
    public required string Title { get; init; }

    /// <summary>The bars, from top to bottom.</summary>
    public required IReadOnlyList<ChartBar> Bars { get; init; }

    /// <summary>The value of a bar that fills the space; the largest one when null.</summary>
    public double? FullLength { get; init; }

    /// <summary>Writes the picture.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string ToSvg()
    {
        int height = Top + (Row * Bars.Count) + 12;
        double full = FullLength ?? Largest();
        SvgWriter svg = new(SvgChart.Width, height, Title);
        for (int index = 0; index < Bars.Count; index++)
        {
            ChartBar bar = Bars[index];
            int y = Top + (Row * index);
            double length = Length(bar.Value, full);
            svg.Text(LabelWidth - 8, y + 15, bar.Label, "end");
            svg.Rectangle(LabelWidth, y + 3, length, Row - 8, SvgChart.Colour(bar.Colour));
            double textStart = length;
            if (bar.Mark is double mark)
            {
                double reach = Length(mark, full);
                svg.Line(LabelWidth + reach, y, LabelWidth + reach, y + Row - 2, "#111111", 2);
                textStart = Math.Max(length, reach);
            }

            svg.Text(LabelWidth + textStart + 6, y + 15, bar.ValueText, "start");
        }

        return svg.Finish();
    }

    private static double Length(double value, double full) =>
        value > 0 && full > 0 ? BarSpace * Math.Min(value / full, 1) : 0;

    private double Largest()
    {
        double largest = 0;
        foreach (ChartBar bar in Bars)
        {
            largest = double.IsFinite(bar.Value) ? Math.Max(largest, bar.Value) : largest;
        }

        return largest;
    }
}
