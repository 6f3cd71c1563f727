// Red here: a picture or the theory page is not well-formed, runs a script, or draws something that is not there.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Xml;
using System.Xml.Linq;
using FsCheck.Xunit;
using RingFlash.Reference.Objective.Pictures;
using RingFlash.Reference.Objective.Theory;
using RingFlash.Reference.Pictures;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Theory;

public sealed class PictureTests
{
    [Fact]
    public void EveryRelativeHasAPicture()
    {
        string[] names = [.. WeightCurves.All.Select(curve => curve.Name)];
        Assert.Equal(
            [
                "GRPO", "importance sampling", "IcePop", "TIS", "two-sided clamp", "MIS, token", "MIS, sequence",
                "geometric mask", "veto", "binary mask", "GSPO", "CISPO", "DPPO", "IPO", "KPop",
            ],
            names);
        Assert.All(WeightCurves.All, curve =>
            Assert.NotEmpty(Pages.Parse(curve.ToSvg()).Descendants(Pages.Svg + "path")));
        Assert.Equal(7, Pages.Parse(WeightCurves.Overview()).Descendants(Pages.Svg + "path").Count());
    }

    [Theory]
    [InlineData("IcePop", -0.7, 0)]
    [InlineData("IcePop", -0.69, 0.501576)]
    [InlineData("IcePop", 1.6, 4.953032)]
    [InlineData("IcePop", 1.61, 0)]
    [InlineData("TIS", 1.6, 2)]
    [InlineData("two-sided clamp", -2, 0.5)]
    [InlineData("binary mask", 1.6, 1)]
    [InlineData("MIS, token", 0.7, 0)]
    [InlineData("CISPO", 2, 1.2)]
    public void WeightsAreThoseOfTheTable(string name, double x, double expected) => Assert.Equal(
        expected, WeightCurves.All.Single(curve => curve.Name == name).Lines[0].Weight(x), 1e-6);

    [Fact]
    public void SignsAndProbabilitiesHaveTheirOwnLines()
    {
        WeightLine[] divergence = [.. WeightCurves.All.Single(curve => curve.Name == "DPPO").Lines];
        Assert.Equal((0.0, 1.0), (divergence[0].Weight(0.5), divergence[1].Weight(0.5)));
        Assert.Equal((1.0, 0.0), (divergence[0].Weight(-1), divergence[1].Weight(-1)));
        WeightLine[] kpop = [.. WeightCurves.All.Single(curve => curve.Name == "KPop").Lines];
        Assert.Equal((0.0, 1.0), (kpop[0].Weight(-1), kpop[2].Weight(-1))); // q = 0.9 is dropped where q = 0.1 is kept
        Assert.Equal(double.NaN, kpop[0].Weight(1)); // 0.9·e is no probability
    }

    [Fact]
    public void AJumpInterruptsTheLine()
    {
        string path = Pages.Parse(WeightCurves.All.Single(curve => curve.Name == "IcePop").ToSvg())
            .Descendants(Pages.Svg + "path").Single().Attribute("d")!.Value;
        Assert.Equal(3, path.Count(letter => letter == 'M'));
    }

    [Property(Replay = "(20251125,20251127)", MaxTest = 1000)]
    public void AnyNumbersAndAnyTextGiveWellFormedXml(string? title, double[] numbers, bool logarithmic)
    {
        SvgChart chart = new()
        {
            Title = title ?? string.Empty,
            XLabel = "<&>\"'",
            YLabel = title ?? string.Empty,
            XScale = logarithmic ? AxisScale.Logarithmic : AxisScale.Linear,
            YScale = logarithmic ? AxisScale.Logarithmic : AxisScale.Linear,
            Lines = [new(title ?? string.Empty, [.. numbers.Select((y, x) => (x * 1e3, y))]) { HasDots = true }],
        };
        string svg = chart.ToSvg();
        XElement root = Pages.Parse(svg).Root!;
        Assert.Equal(svg, chart.ToSvg());
        foreach (XAttribute attribute in root.Descendants().Attributes()
            .Where(candidate => candidate.Name.LocalName is "x1" or "y" or "cy"))
        {
            double value = double.Parse(attribute.Value, CultureInfo.InvariantCulture);
            Assert.True(Math.Abs(value) < 1e4, attribute.ToString());
        }

        Assert.InRange(root.Descendants(Pages.Svg + "text").Count(), 3, 80);
    }

    [Fact]
    public void BarsAreAsLongAsTheirValues()
    {
        XDocument bars = Pages.Parse(new SvgBars
        {
            Title = "t",
            Bars = [new("a", 2, "2"), new("b", 1, "1"), new("c", double.NaN, "NaN")],
        }.ToSvg());
        string[] widths =
            [.. bars.Descendants(Pages.Svg + "rect").Skip(1).Select(rect => rect.Attribute("width")!.Value)];
        Assert.Equal(["220", "110", "0"], widths);
    }

    [Fact]
    public void TheTheoryPageIsOneFileWithoutScript()
    {
        string html = TheoryReport.ToHtml(seeds: 1, steps: 20);
        XDocument page = Pages.Parse(html);
        Assert.Empty(page.Descendants("script"));
        Assert.DoesNotContain(
            page.Descendants().Attributes().Select(attribute => attribute.Name.LocalName),
            name => name is "src" or "href" || name.StartsWith("on", StringComparison.Ordinal));
        Assert.True(page.Descendants(Pages.Svg + "svg").Count() > 20);
        Assert.Contains("198.86", html, StringComparison.Ordinal);
        Assert.Equal(6, page.Root!.Value.Split("not show").Length - 1); // five sections and the introduction
        Assert.Throws<ArgumentException>(() => new HtmlPage("t").Table(["a", "b"], [["1"]]));
    }
}

/// <summary>Pages and pictures as a strict XML parser sees them.</summary>
internal static class Pages
{
    public static XNamespace Svg { get; } = "http://www.w3.org/2000/svg";

    public static XDocument Parse(string text)
    {
        using XmlReader reader = XmlReader.Create(
            new StringReader(text), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null });
        return XDocument.Load(reader);
    }
}
