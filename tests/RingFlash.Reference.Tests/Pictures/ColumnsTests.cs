// Red here: a column is not as high as its number, or a chart draws what is not there.
using System;
using System.Linq;
using System.Xml.Linq;
using RingFlash.Reference.Pictures;
using RingFlash.Reference.Tests.Objective.Theory;
using Xunit;

namespace RingFlash.Reference.Tests.Pictures;

public sealed class ColumnsTests
{
    [Fact]
    public void PartsAreStackedAsHighAsTheyAre()
    {
        XElement[] parts = Parts(Columns(AxisScale.Linear, ("a", [3, 1]), ("b", [0, 4]), ("c", [double.NaN, 0])));
        double[] heights = [.. parts.Select(part => Number(part, "height"))];
        Assert.Equal(3, parts.Length); // what is zero or none is not drawn
        Assert.Equal(3 * heights[1], heights[0], 0.02);
        Assert.Equal(heights[0] + heights[1], heights[2], 0.02);
        Assert.Equal(Number(parts[0], "y"), Number(parts[1], "y") + heights[1], 0.02);
        Assert.Equal(["a: left 3", "a: right 1", "b: right 4"], parts.Select(part => part.Value));
    }

    [Fact]
    public void ALogarithmicColumnOfOneStillShows()
    {
        SvgColumns columns = new()
        {
            Title = "t",
            XLabel = "x",
            YLabel = "y",
            YScale = AxisScale.Logarithmic,
            Parts = [(string.Empty, "#000000")],
            Columns = [new("0", [1]), new("1", [1e6]), new("2", [0])],
        };
        double[] heights = [.. Parts(Pages.Parse(columns.ToSvg())).Select(part => Number(part, "height"))];
        Assert.Equal(2, heights.Length);
        Assert.True(heights[0] > 5 && heights[1] > 5 * heights[0]);
    }

    [Fact]
    public void ALogarithmOfPartsIsRefused() => Assert.Throws<InvalidOperationException>(
        () => Columns(AxisScale.Logarithmic, ("a", [3, 1])));

    [Fact]
    public void ABandIsAColumnOfOnePerPointAndAWholeAxisHasWholeTicks()
    {
        XDocument chart = Pages.Parse(new SvgChart
        {
            Title = "t",
            XLabel = "layer",
            YLabel = "error",
            XScale = AxisScale.Whole,
            YScale = AxisScale.Logarithmic,
            Lines =
            [
                new("line", [(0, 1e-6), (1, 1e-5)]),
                new("band", [(0, 1e-5), (1, 1e-4), (2, 0)]) { IsBand = true },
            ],
        }.ToSvg());
        XElement band = chart.Descendants(Pages.Svg + "path").First();
        Assert.Equal(2, band.Attribute("d")!.Value.Count(letter => letter == 'Z'));
        Assert.Equal("0.2", band.Attribute("fill-opacity")!.Value);
        string[] texts = [.. chart.Descendants(Pages.Svg + "text").Select(text => text.Value)];
        Assert.Contains("0", texts);
        Assert.Contains("1", texts);
        Assert.DoesNotContain("0.5", texts);
    }

    private static XDocument Columns(AxisScale scale, params (string Label, double[] Parts)[] columns) =>
        Pages.Parse(new SvgColumns
        {
            Title = "t",
            XLabel = "x",
            YLabel = "y",
            YScale = scale,
            Parts = [("left", "#111111"), ("right", "#222222")],
            Columns = [.. columns.Select(column => new ChartColumn(column.Label, column.Parts))],
        }.ToSvg());

    private static XElement[] Parts(XDocument picture) =>
        [.. picture.Descendants(Pages.Svg + "rect").Where(rect => rect.Element(Pages.Svg + "title") is not null)];

    private static double Number(XElement element, string name) => double.Parse(element.Attribute(name)!.Value);
}
