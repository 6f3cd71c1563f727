using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Pictures;

namespace RingFlash.Reference.Benchmarks;

/// <summary>One small chart per curve, both axes logarithmic; the expected slope is drawn beside the measured
/// points.</summary>
public static class GrowthPicture
{
    private const int Columns = 3;
    private const int PanelWidth = 400;
    private const int Heading = 36;

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">What was measured.</param>
    public static void Save(string path, GrowthReport report) => AtomicFile.Write(
        path, stream => stream.Write(Encoding.UTF8.GetBytes(ToSvg(report) + "\n")));

    /// <summary>Draws.</summary>
    /// <param name="report">What was measured.</param>
    /// <returns>One <c>svg</c> element.</returns>
    public static string ToSvg(GrowthReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        SvgChart[] charts = [.. report.Curves.Where(curve => curve.Refusal is null).Select(Chart)];
        int panelHeight = charts.Length == 0 ? 0 : charts.Max(chart => chart.TotalHeight) * PanelWidth / SvgChart.Width;
        int rows = (charts.Length + Columns - 1) / Columns;
        SvgWriter svg = new(Columns * PanelWidth, Heading + (rows * panelHeight), string.Create(
            CultureInfo.InvariantCulture,
            $"How costs grow: {report.Machine.Processor}, {report.ThreadCount} threads, "
            + $"{report.Machine.Date:yyyy-MM-dd}"));
        for (int index = 0; index < charts.Length; index++)
        {
            svg.Picture(
                index % Columns * PanelWidth,
                Heading + (index / Columns * panelHeight),
                PanelWidth,
                panelHeight,
                charts[index]);
        }

        return svg.Finish();
    }

    private static SvgChart Chart(GrowthCurve curve)
    {
        (double x, double y) = curve.Middle;
        double Expected(double size) => Math.Exp(y + (curve.ExpectedExponent * (Math.Log(size) - x)));
        IReadOnlyList<(double X, double Y)> expected =
            [.. curve.Points.Select(point => (point.Size, Expected(point.Size)))];
        return new SvgChart
        {
            Title = $"{curve.Cost} against {curve.Against}",
            XLabel = curve.Against,
            YLabel = curve.IsMemory ? "bytes" : "seconds",
            XScale = AxisScale.Logarithmic,
            YScale = AxisScale.Logarithmic,
            Lines =
            [
                new(string.Create(CultureInfo.InvariantCulture, $"measured, exponent {curve.FittedExponent:F2}"),
                    curve.Points) { HasDots = true },
                new(string.Create(CultureInfo.InvariantCulture, $"expected, exponent {curve.ExpectedExponent:0.##}"),
                    expected) { IsDashed = true },
            ],
        };
    }
}
