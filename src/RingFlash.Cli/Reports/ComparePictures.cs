using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Pictures;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>The pictures of a comparison.</summary>
internal sealed class ComparePictures
{
    private readonly ComparisonReport report;
    private readonly LayerPictures layers;

    /// <summary>Prepares.</summary>
    /// <param name="report">The report.</param>
    public ComparePictures(ComparisonReport report)
    {
        this.report = report;
        layers = new LayerPictures(
            [.. report.Isolated.Select(finding => finding.Tap), .. report.Drift.Select(point => point.Tap)]);
    }

    /// <summary>Isolated and free error per layer.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string Errors() => layers.Errors(
        "Error per layer, isolated and free",
        "noise of legal variants",
        [.. report.Isolated.Select(PointOf)],
        [
            .. report.Drift.Select(point =>
                new LayerPoint(point.Tap, point.Distance.L2Relative, point.Band.L2Relative, 0)),
        ]);

    /// <summary>Taps by layers.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string Taps() =>
        layers.Taps("Taps by layers: isolated error ÷ budget", [.. report.Isolated.Select(PointOf)]);

    /// <summary>Tokens by layers, isolated.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string IsolatedTokens() => layers.Tokens(
        "Tokens by layers: isolated error ÷ budget",
        report.Isolated.Select(finding => (finding.Tap, Multiples(finding.TokenErrors, finding.Budget.TokenRelative))));

    /// <summary>Tokens by layers, free.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string FreeTokens() => layers.Tokens(
        "Tokens by layers: error of the free run ÷ noise",
        report.Drift.Select(point => (point.Tap, Multiples(point.TokenErrors, point.Band.TokenRelative))));

    /// <summary>How many values are how far off.</summary>
    /// <param name="title">The title.</param>
    /// <param name="findings">The taps to add up.</param>
    /// <returns>One <c>svg</c> element.</returns>
    public string Histogram(string title, IReadOnlyList<TapFinding> findings)
    {
        int bins = report.Isolated.Max(finding => finding.UlpHistogram.Count);
        return new SvgColumns
        {
            Title = title,
            XLabel = "ulps",
            YLabel = "values",
            YScale = AxisScale.Logarithmic,
            Parts = [(string.Empty, "#0b5fa5")],
            Columns =
            [
                .. Enumerable.Range(0, bins).Select(bin => new ChartColumn(
                    BinName(bin, bins),
                    [findings.Sum(one => bin < one.UlpHistogram.Count ? (double)one.UlpHistogram[bin] : 0)])),
            ],
        }.ToSvg();
    }

    /// <summary>Router agreement.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string Routers() => LayerPictures.Routers("Choice of experts per layer", RouterPoints());

    /// <summary>Router margins.</summary>
    /// <returns>One <c>svg</c> element.</returns>
    public string Margins() => LayerPictures.Margins(
        "Margin of the choice and noise of the scores", "largest noise of a score", RouterPoints());

    private static LayerPoint PointOf(TapFinding finding) => new(
        finding.Tap,
        finding.Distance.L2Relative,
        finding.Band.L2Relative,
        finding.Verdict == Verdict.NotChecked ? null : finding.OverBudget)
    {
        Budget = finding.Budget.L2Relative,
    };

    private static IReadOnlyList<double> Multiples(IReadOnlyList<double> errors, double allowed) =>
        [.. errors.Select(error => error == 0 ? 0 : error / allowed)];

    // 0, 1, 2–3, 4–7, …, the last bin is open; large borders are powers of two by name.
    private static string BinName(int bin, int bins) => bin switch
    {
        0 => "0",
        1 => "1",
        _ when bin == bins - 1 => $"≥2{Raised(bin - 1)}",
        < 6 => string.Create(CultureInfo.InvariantCulture, $"{1 << (bin - 1)}–{(1 << bin) - 1}"),
        _ => $"2{Raised(bin - 1)}",
    };

    private static string Raised(int power) => string.Concat(
        power.ToString(CultureInfo.InvariantCulture).Select(digit => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit - '0']));

    private IReadOnlyList<RouterPoint> RouterPoints() =>
    [
        .. report.Routers.Select(router => new RouterPoint(
            router.Layer,
            router.SameExperts,
            router.NearTies,
            router.Wrong,
            Math.Max(0, router.Tokens - router.SameExperts - router.NearTies - router.Wrong),
            router.SmallestMargin,
            router.ScoreNoise)),
    ];
}
