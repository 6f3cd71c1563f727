using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Pictures;

namespace RingFlash.Reference.Benchmarks;

/// <summary>
/// Operations a second against operations a byte, both logarithmic: the slope on the left is the read bandwidth, the
/// level on the right the multiply-add rate, and every operator is a dot below them. One drawing per model.
/// </summary>
public static class RooflinePicture
{
    private const int Width = 1000;
    private const int Height = 640;
    private const int Left = 70;
    private const int Right = 40;
    private const int Top = 60;
    private const int Bottom = 50;
    private const int LabelSize = 9;
    private const double LabelWidth = 5.2; // of a character, on average
    private const string Grid = "#e5e5e5";
    private const string Roof = "#111111";
    private const string Leader = "#b0b0b0";

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">What was measured.</param>
    public static void Save(string path, BenchmarkReport report) => AtomicFile.Write(
        path, stream => stream.Write(Encoding.UTF8.GetBytes(ToSvg(report) + "\n")));

    /// <summary>Draws.</summary>
    /// <param name="report">What was measured; cases that were not timed have no dot.</param>
    /// <returns>One <c>svg</c> element.</returns>
    public static string ToSvg(BenchmarkReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        IGrouping<string, BenchmarkResult>[] shapes =
            [.. report.Results.Where(result => result.Refusal is null).GroupBy(result => result.Case.Shape)];
        SvgWriter svg = new(Width, Height * Math.Max(1, shapes.Length), string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Machine.Processor}, {report.CeilingOfRounds.Threads} threads, {report.Machine.Date:yyyy-MM-dd}"));
        for (int index = 0; index < shapes.Length; index++)
        {
            new Drawing(svg, index * Height, report.CeilingOfRounds, [.. shapes[index]]).Write(shapes[index].Key);
        }

        return svg.Finish();
    }

    /// <summary>One model.</summary>
    private sealed class Drawing
    {
        private readonly SvgWriter svg;
        private readonly int offset;
        private readonly Ceiling ceiling;
        private readonly IReadOnlyList<BenchmarkResult> results;
        private readonly ChartAxis horizontal;
        private readonly ChartAxis vertical;
        private readonly List<(double X, double Y, double Width)> labels = [];

        public Drawing(SvgWriter svg, int offset, Ceiling ceiling, IReadOnlyList<BenchmarkResult> results)
        {
            this.svg = svg;
            this.offset = offset;
            this.ceiling = ceiling;
            this.results = results;
            double ridge = ceiling.OperationsPerSecond / ceiling.ReadBytesPerSecond;
            horizontal = ChartAxis.Fit(results.Select(Intensity).Append(4 * ridge), AxisScale.Logarithmic, null);
            vertical = ChartAxis.Fit(
                results.Select(Speed).Append(ceiling.OperationsPerSecond / 1e9), AxisScale.Logarithmic, null);
        }

        public void Write(string shape)
        {
            WriteAxes(shape);
            WriteRoofs();
            string[] operators = [.. results.Select(result => result.Case.Operator).Distinct()];
            BenchmarkResult[] fromTop = [.. results.OrderByDescending(Speed)];
            foreach (BenchmarkResult result in fromTop)
            {
                // The dots are known to the labels before the first label is placed.
                labels.Add((Across(Intensity(result)) - 3, Up(Speed(result)), 6));
            }

            foreach (BenchmarkResult result in fromTop)
            {
                string colour = SvgChart.Colour(Array.IndexOf(operators, result.Case.Operator));
                WriteDot(result, colour);
            }
        }

        private static double Intensity(BenchmarkResult result) => result.Case.Operations / result.Case.Bytes;

        private static double Speed(BenchmarkResult result) => result.OperationsPerSecond / 1e9;

        private double Across(double value) => Left + (horizontal.Place(value) * (Width - Left - Right));

        private double Up(double value) =>
            offset + Height - Bottom - (vertical.Place(value) * (Height - Top - Bottom));

        private void WriteAxes(string shape)
        {
            foreach (double tick in horizontal.Ticks)
            {
                svg.Line(Across(tick), offset + Top, Across(tick), offset + Height - Bottom, Grid);
                svg.Text(Across(tick), offset + Height - Bottom + 17, ChartAxis.TickText(tick), "middle");
            }

            foreach (double tick in vertical.Ticks)
            {
                svg.Line(Left, Up(tick), Width - Right, Up(tick), Grid);
                svg.Text(Left - 6, Up(tick) + 4, ChartAxis.TickText(tick), "end");
            }

            svg.Text(Width / 2.0, offset + Top - 16, shape, "middle", size: 14);
            svg.Text(
                (Left + Width - Right) / 2.0,
                offset + Height - 12,
                "operations a byte that must move (a fused multiply-add is two)",
                "middle");
            svg.TextUpwards(16, offset + ((Top + Height - Bottom) / 2.0), "GFLOP/s");
        }

        private void WriteRoofs()
        {
            double low = horizontal.Ticks[0], high = horizontal.Ticks[^1];
            double bandwidth = ceiling.ReadBytesPerSecond / 1e9, peak = ceiling.OperationsPerSecond / 1e9;
            double ridge = peak / bandwidth, lowest = Math.Max(low, vertical.Ticks[0] / bandwidth);
            svg.Line(Across(lowest), Up(lowest * bandwidth), Across(ridge), Up(peak), Roof, 2);
            svg.Line(Across(ridge), Up(peak), Across(high), Up(peak), Roof, 2);
            svg.Text(
                Across(lowest) + 8,
                Up(lowest * bandwidth) - 8,
                string.Create(CultureInfo.InvariantCulture, $"reads {bandwidth:F1} GB/s"),
                "start");
            labels.Add((Across(lowest) + 8, Up(lowest * bandwidth) - 11, 100));
            labels.Add((Across(high) - 130, Up(peak) - 9, 130));
            svg.Text(
                Across(high),
                Up(peak) - 6,
                string.Create(CultureInfo.InvariantCulture, $"FMA {peak:F0} GFLOP/s"),
                "end");
        }

        private void WriteDot(BenchmarkResult result, string colour)
        {
            double x = Across(Intensity(result)), y = Up(Speed(result));
            string text = $"{result.Case.Operator} {result.Case.Size}";
            double width = text.Length * LabelWidth;
            (double labelX, double labelY) = Place(x, y, width);
            if (Math.Abs(labelY - y) > LabelSize || Math.Abs(labelX - x) > width + LabelSize)
            {
                svg.Line(x, y, labelX < x ? labelX + width : labelX, labelY, Leader);
            }

            svg.Dot(x, y, colour);
            svg.Text(labelX, labelY + 3, text, "start", colour, LabelSize);
            labels.Add((labelX, labelY, width));
        }

        /// <summary>The nearest place beside the dot where no other label is: right or left, then further down and
        /// up.</summary>
        private (double X, double Y) Place(double x, double y, double width)
        {
            for (int step = 0; step < 60; step++)
            {
                double shift = (step + 1) / 2 * (step % 2 == 0 ? -LabelSize : LabelSize);
                foreach (double start in new[] { x + 5, x - 5 - width })
                {
                    if (start >= Left && start + width <= Width
                        && y + shift > offset + Top && y + shift < offset + Height - Bottom
                        && labels.TrueForAll(other => Math.Abs(other.Y - y - shift) >= LabelSize
                            || start + width < other.X || other.X + other.Width < start))
                    {
                        return (start, y + shift);
                    }
                }
            }

            return (x + 5, y);
        }
    }
}
