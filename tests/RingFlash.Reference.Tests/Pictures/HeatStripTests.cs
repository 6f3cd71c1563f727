// Red here: a heat strip has another number of cells than values, or a cell has the colour of another value.
using System;
using System.Linq;
using System.Xml.Linq;
using FsCheck.Xunit;
using RingFlash.Reference.Pictures;
using RingFlash.Reference.Tests.Objective.Theory;
using Xunit;

namespace RingFlash.Reference.Tests.Pictures;

public sealed class HeatStripTests
{
    [Fact]
    public void EveryShadeIsOneRange()
    {
        double?[] values = [0, 1e-9, 0.25, 0.26, 1, 1.001, 4, 4.1, 16, 17, 1e308, double.PositiveInfinity, double.NaN];
        XElement[] cells = Cells(Strip(("row", values)));
        string[] colours = [.. cells.Select(cell => cell.Attribute("fill")!.Value)];
        Assert.Equal(values.Length, cells.Length);
        int[] shade = [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7];
        Assert.Equal(8, colours.Distinct().Count());
        Assert.Equal(shade, colours.Select(colour => Array.IndexOf([.. colours.Distinct()], colour)));
    }

    [Fact]
    public void WhatIsNotThereHasNoCell() => Assert.Equal(
        ["a, 0: 0.5", "b, 2: not compared"],
        Cells(Strip(("a", [0.5, null, null]), ("b", [null, null, double.NaN]))).Select(Hint));

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(128, 1, 128)]
    [InlineData(129, 2, 65)]
    [InlineData(4096, 32, 128)]
    public void ManyColumnsShareCellsThatShowTheirWorst(int columns, int perCell, int cells)
    {
        double?[] values =
            [.. Enumerable.Range(0, columns).Select(column => (double?)(column == columns / 2 ? 9 : 0.1))];
        XDocument strip = Strip(("row", values));
        string[] hints = [.. Cells(strip).Select(Hint)];
        Assert.Equal(perCell, SvgHeatStrip.ColumnsPerCell(columns));
        Assert.Equal(cells, hints.Length);
        Assert.EndsWith(": 9", hints[columns / 2 / perCell], StringComparison.Ordinal);
        Assert.Single(hints, hint => hint.EndsWith(": 9", StringComparison.Ordinal));
        Assert.Equal(
            perCell > 1,
            strip.Descendants(Pages.Svg + "text")
                .Any(text => text.Value.Contains("worst of", StringComparison.Ordinal)));
    }

    [Property(Replay = "(20251125,20251129)", MaxTest = 300)]
    public void AnyValuesAndAnyLabelGiveWellFormedXmlInsideTheFrame(string? label, double[] values, bool hasGap)
    {
        double?[] row = [.. values.Select(value => (double?)Math.Abs(value)), hasGap ? null : 1];
        XDocument strip = Strip((label ?? string.Empty, row));
        Assert.Equal(row.Count(value => value is not null), Cells(strip).Length);
        double width = double.Parse(strip.Root!.Attribute("width")!.Value);
        Assert.All(Cells(strip), cell => Assert.InRange(
            double.Parse(cell.Attribute("x")!.Value) + double.Parse(cell.Attribute("width")!.Value), 0, width));
    }

    [Fact]
    public void AStripOfNothingSaysSo() => Assert.Contains(
        Strip().Descendants(Pages.Svg + "text"), text => text.Value == "nothing to draw");

    private static XDocument Strip(params (string Label, double?[] Values)[] rows) => Pages.Parse(new SvgHeatStrip
    {
        Title = "t",
        XLabel = "token",
        Rows = [.. rows.Select(row => new HeatRow(row.Label, row.Values))],
    }.ToSvg());

    private static XElement[] Cells(XDocument strip) =>
        [.. strip.Descendants(Pages.Svg + "rect").Where(rect => rect.Element(Pages.Svg + "title") is not null)];

    private static string Hint(XElement cell) => cell.Element(Pages.Svg + "title")!.Value;
}
