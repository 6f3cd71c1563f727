using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Pictures;

namespace RingFlash.Cli.Reports;

/// <summary>One tap in a picture.</summary>
/// <param name="Tap">Its name.</param>
/// <param name="Error">‖error‖₂/‖reference‖₂.</param>
/// <param name="Band">The same of what is allowed, or of noise.</param>
/// <param name="OverBudget">The worst error divided by its budget; null where nothing was compared.</param>
internal sealed record LayerPoint(string Tap, double Error, double Band, double? OverBudget)
{
    /// <summary>What is allowed, where that is not the band.</summary>
    public double Budget { get; init; }
}

/// <summary>One router in a picture.</summary>
/// <param name="Layer">Its layer.</param>
/// <param name="Same">Tokens with the reference's set of experts.</param>
/// <param name="NearTies">Tokens whose other set is a near tie.</param>
/// <param name="Wrong">Tokens with a wrong set.</param>
/// <param name="LeftOut">Tokens that were not judged.</param>
/// <param name="Margin">The smallest margin; null when it is not known.</param>
/// <param name="Noise">The noise of the scores.</param>
internal sealed record RouterPoint(
    int Layer, int Same, int NearTies, int Wrong, int LeftOut, double? Margin, double Noise);

/// <summary>The pictures of errors along the layers of a model; the reports of verify and compare share them.</summary>
internal sealed class LayerPictures
{
    private const string LayerPrefix = "model.layers.";

    private readonly int layers;

    /// <summary>Prepares for a model.</summary>
    /// <param name="taps">Every tap of the report: the last layer is that of the largest number.</param>
    public LayerPictures(IEnumerable<string> taps) =>
        layers = taps.Select(LayerOf).DefaultIfEmpty(null).Max() + 1 ?? 0;

    private string LayerAxis => string.Create(
        CultureInfo.InvariantCulture, $"layer (−1 embedding, {layers} final norm, {layers + 1} logits)");

    /// <summary>The layer in a tap's name.</summary>
    /// <param name="tap">The name.</param>
    /// <returns>The number; null when it has none, or one that no model has.</returns>
    public static int? LayerOf(string tap) =>
        tap.StartsWith(LayerPrefix, StringComparison.Ordinal)
        && int.TryParse(
            tap[LayerPrefix.Length..].Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
        && layer < 10_000
            ? layer
            : null;

    /// <summary>Where a tap lies along the model: −1 before the layers, then the layers, then final norm and
    /// logits.</summary>
    /// <param name="tap">The name.</param>
    /// <returns>The place.</returns>
    public int PlaceOf(string tap) => LayerOf(tap)
        ?? (tap.StartsWith("model.norm", StringComparison.Ordinal) ? layers
            : tap.StartsWith("model.", StringComparison.Ordinal) ? -1
            : layers + 1);

    /// <summary>The name of a place.</summary>
    /// <param name="place">The place.</param>
    /// <returns>E.g. <c>layer 3</c>.</returns>
    public string NameOf(int place) => place < 0 ? "embedding"
        : place == layers ? "final norm"
        : place > layers ? "logits"
        : string.Create(CultureInfo.InvariantCulture, $"layer {place}");

    /// <summary>Both curves with their bands on one logarithmic axis.</summary>
    /// <param name="title">The title.</param>
    /// <param name="bandName">What the bands are.</param>
    /// <param name="isolated">The taps on given inputs: of each layer, the one nearest to leaving its band is
    /// drawn.</param>
    /// <param name="free">The taps of the free run: of each layer, the last one is drawn.</param>
    /// <returns>One <c>svg</c> element.</returns>
    public string Errors(
        string title, string bandName, IReadOnlyList<LayerPoint> isolated, IReadOnlyList<LayerPoint> free)
    {
        LayerPoint[] alone = [.. ByPlace(isolated).Select(group => group.MaxBy(Excess)!)];
        LayerPoint[] drift = [.. ByPlace(free).Select(group => group.Last())];
        double[] drawn =
        [
            .. alone.Concat(drift).SelectMany(point => new[] { point.Error, point.Band, point.Budget })
                .Where(value => double.IsFinite(value) && value > 0),
        ];

        // Whole decades, as the axis has them: an edge is a place of its own.
        double low = drawn.Length == 0 ? 1e-9 : Math.Pow(10, Math.Floor(Math.Log10(Math.Max(drawn.Min() / 2, 1e-12))));
        double high = drawn.Length == 0 ? 1 : Math.Pow(10, Math.Ceiling(Math.Log10(Math.Min(drawn.Max() * 2, 1e12))));
        return new SvgChart
        {
            Title = title,
            XLabel = LayerAxis,
            YLabel = "‖error‖₂ / ‖reference‖₂",
            XScale = AxisScale.Whole,
            YScale = AxisScale.Logarithmic,
            YRange = (low, high),
            Lines =
            [
                .. Curve("isolated", bandName, alone, low, high),
                .. Curve("free", bandName, drift, low, high),
                new(
                    alone.Any(point => point.Budget > 0) ? "isolated: budget" : string.Empty,
                    [.. alone.Select(point => ((double)PlaceOf(point.Tap), point.Budget))]) { IsDashed = true },
            ],
        }.ToSvg();
    }

    /// <summary>Every kind of tap in every layer, in units of its budget.</summary>
    /// <param name="title">The title.</param>
    /// <param name="points">The taps.</param>
    /// <returns>One <c>svg</c> element.</returns>
    public string Taps(string title, IReadOnlyList<LayerPoint> points)
    {
        (string Kind, int Place, double Over)[] cells =
        [
            .. points.Select(point => (
                KindOf(point.Tap),
                PlaceOf(point.Tap),
                point.OverBudget is not double over ? double.NaN
                    : double.IsNaN(over) ? double.PositiveInfinity
                    : over)),
        ];
        int first = cells.Length == 0 ? 0 : cells.Min(cell => cell.Place);
        int count = cells.Length == 0 ? 0 : cells.Max(cell => cell.Place) - first + 1;
        return new SvgHeatStrip
        {
            Title = title,
            XLabel = LayerAxis,
            FirstColumn = first,
            Rows =
            [
                .. cells.GroupBy(cell => cell.Kind).Select(kind => new HeatRow(
                    PageText.Name(kind.Key),
                    [
                        .. Enumerable.Range(first, count).Select(place => Worst(
                            kind.Where(cell => cell.Place == place).Select(cell => (double?)cell.Over))),
                    ])),
            ],
        }.ToSvg();
    }

    /// <summary>Every token in every layer, in units of what is allowed for a token.</summary>
    /// <param name="title">The title.</param>
    /// <param name="taps">Per tap its name and its tokens' multiples; NaN for a token that was left out.</param>
    /// <returns>One <c>svg</c> element.</returns>
    public string Tokens(string title, IEnumerable<(string Tap, IReadOnlyList<double> Tokens)> taps)
    {
        IGrouping<int, IReadOnlyList<double>>[] rows =
        [
            .. taps.Where(tap => tap.Tokens.Count > 0)
                .GroupBy(tap => PlaceOf(tap.Tap), tap => tap.Tokens)
                .OrderBy(group => group.Key),
        ];
        int tokens = rows.SelectMany(row => row).Select(values => values.Count).DefaultIfEmpty(0).Max();
        return new SvgHeatStrip
        {
            Title = title,
            XLabel = "token",
            Rows =
            [
                .. rows.Select(row => new HeatRow(
                    NameOf(row.Key),
                    [
                        .. Enumerable.Range(0, tokens).Select(token => Worst(
                            row.Where(values => token < values.Count).Select(values => (double?)values[token]))),
                    ])),
            ],
        }.ToSvg();
    }

    /// <summary>What became of the tokens of each router.</summary>
    /// <param name="title">The title.</param>
    /// <param name="routers">The routers.</param>
    /// <returns>One <c>svg</c> element.</returns>
    public static string Routers(string title, IReadOnlyList<RouterPoint> routers) => new SvgColumns
    {
        Title = title,
        XLabel = "layer",
        YLabel = "tokens",
        Parts =
        [
            ("same experts", "#a9cbe8"), ("near tie", "#f5d547"), ("wrong", "#8b0f14"), ("left out", "#d0d0d0"),
        ],
        Columns =
        [
            .. routers.Select(router => new ChartColumn(
                router.Layer.ToString(CultureInfo.InvariantCulture),
                [router.Same, router.NearTies, router.Wrong, router.LeftOut])),
        ],
    }.ToSvg();

    /// <summary>How far each router's closest choice is from noise.</summary>
    /// <param name="title">The title.</param>
    /// <param name="noiseName">What moves the scores.</param>
    /// <param name="routers">The routers.</param>
    /// <returns>One <c>svg</c> element.</returns>
    public static string Margins(string title, string noiseName, IReadOnlyList<RouterPoint> routers) => new SvgChart
    {
        Title = title,
        XLabel = "layer",
        YLabel = "biased score",
        XScale = AxisScale.Whole,
        YScale = AxisScale.Logarithmic,
        Lines =
        [
            new(
                "smallest margin",
                [.. routers.Where(router => router.Margin is not null).Select(router => (
                    (double)router.Layer, router.Margin!.Value))]) { HasDots = true },
            new(noiseName, [.. routers.Select(router => ((double)router.Layer, router.Noise))]) { HasDots = true },
        ],
    }.ToSvg();

    private IEnumerable<IGrouping<int, LayerPoint>> ByPlace(IReadOnlyList<LayerPoint> points) => points
        .Where(point => point.OverBudget is not null).GroupBy(point => PlaceOf(point.Tap)).OrderBy(group => group.Key);

    private IEnumerable<ChartLine> Curve(
        string name, string bandName, IReadOnlyList<LayerPoint> points, double low, double high) =>
    [
        new(name, [.. points.Select(point => ((double)PlaceOf(point.Tap), Within(point.Error, low, high)))])
        {
            HasDots = true,
        },
        new($"{name}: {bandName}", [.. points.Select(point => ((double)PlaceOf(point.Tap), point.Band))])
        {
            IsBand = true,
        },
    ];

    // A logarithmic axis has no place for "equal to the bit" and for "not finite": the lower and the upper edge.
    private static double Within(double error, double low, double high) =>
        double.IsNaN(error) ? high : Math.Clamp(error, low, high);

    private static double Excess(LayerPoint point) =>
        point.Error == 0 ? 0 : double.IsNaN(point.Error) ? double.PositiveInfinity : point.Error / point.Band;

    private static string KindOf(string tap) => LayerOf(tap) is null
        ? tap
        : tap[(tap.IndexOf('.', LayerPrefix.Length) + 1)..];

    // What was not compared counts only where nothing else is.
    private static double? Worst(IEnumerable<double?> values)
    {
        double?[] all = [.. values];
        return all.Where(value => !double.IsNaN(value!.Value)).Max() ?? (all.Length > 0 ? double.NaN : null);
    }
}
