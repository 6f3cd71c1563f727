using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Objective.Pictures;
using RingFlash.Reference.Pictures;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>The metrics as one HTML page with inline pictures, which opens offline and runs no script.</summary>
public static class MismatchReport
{
    /// <summary>Writes the page to a file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="metrics">The metrics.</param>
    public static void Save(string path, MismatchMetrics metrics) => AtomicFile.WriteText(path, ToHtml(metrics));

    /// <summary>Writes the page.</summary>
    /// <param name="metrics">The metrics.</param>
    /// <returns>The document.</returns>
    public static string ToHtml(MismatchMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        MismatchInput input = metrics.Input;
        HtmlPage page = new("Engine mismatch");
        page.Paragraph($"Training engine: {input.Train.Source}. Inference engine: {input.Infer.Source}.");
        page.Paragraph(
            Text($"{input.Rollouts} rollouts of up to {input.Train.ResponseLength} tokens, ")
            + Text($"{input.ValidTokens} valid tokens, {input.NonFinite} of them without a finite difference. ")
            + "Δ = log π_train − log π_infer, k = e^Δ.");
        foreach (string warning in input.Warnings)
        {
            page.Warning(warning);
        }

        page.Heading("The 5 % criterion");
        page.Paragraph(metrics.FivePercentText);
        AddBands(page, metrics);
        AddPositions(page, metrics);
        AddRouting(page, metrics.Routing);
        AddMetrics(page, metrics);
        return page.ToHtml();
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("G9", CultureInfo.InvariantCulture);

    private static void AddBands(HtmlPage page, MismatchMetrics metrics)
    {
        page.Heading("What each band would mask");
        page.Picture(new SvgBars
        {
            Title = "Share of valid tokens masked",
            Bars =
            [
                .. metrics.Bands.Select(share => new ChartBar(
                    Text($"[{share.Band.Alpha}, {share.Band.Beta}]  {Short(share.Band.User)}"),
                    share.Share,
                    Text($"{1000 * share.Share:0.###} ‰"))),
            ],
        }.ToSvg());
        page.Table(
            ["used by", "#α", "#β", "#below", "#above", "#not finite", "#masked, ‰"],
            metrics.Bands.Select(share => (IReadOnlyList<string>)
            [
                share.Band.User,
                Number(share.Band.Alpha),
                Number(share.Band.Beta),
                Text($"{share.Low}"),
                Text($"{share.High}"),
                Text($"{share.NonFinite}"),
                Text($"{1000 * share.Share:0.###}"),
            ]));
        page.Paragraph(
            "A band is a parameter; none is right for every run. Below: k < α. Above: k > β. Both ends are kept.");
    }

    private static string Short(string user) => user.Length <= 36 ? user : user[..35] + "…";

    private static void AddPositions(HtmlPage page, MismatchMetrics metrics)
    {
        page.Heading("Gap by position in the response");
        page.Picture(TheoryPictures.GapByPosition(
            "Mean |Δ| by position",
            [.. metrics.GapByPosition.Select(gap => ((gap.First + gap.Last) / 2.0, gap.MeanAbsolute))],
            MismatchMetrics.FivePercentLevel));
        page.Table(
            ["#positions", "#tokens", "#mean |Δ|", "#max |Δ|", "#mean Δ"],
            metrics.GapByPosition.Select(gap => (IReadOnlyList<string>)
            [
                gap.First == gap.Last ? Text($"{gap.First}") : Text($"{gap.First}–{gap.Last}"),
                Text($"{gap.Tokens}"),
                Number(gap.MeanAbsolute),
                Number(gap.LargestAbsolute),
                Number(gap.Mean),
            ]));
    }

    private static void AddRouting(HtmlPage page, RoutingAgreement? routing)
    {
        page.Heading("Routed experts");
        if (routing is null)
        {
            page.Paragraph("Not compared: both files need routed_experts.");
            return;
        }

        page.Paragraph(
            Text($"{routing.SameEverywhere} tokens have the same experts in every layer, ")
            + Text($"mean |Δ| {Number(routing.GapSame)}; ")
            + Text($"{routing.DifferentSomewhere} do not, mean |Δ| {Number(routing.GapDifferent)}; ")
            + Text($"{routing.NotTold} token and layer pairs were not told."));
        page.Picture(new SvgChart
        {
            Title = "Tokens with the same experts",
            XLabel = "layer with a router, from 0",
            YLabel = "share of tokens",
            Lines =
            [
                new("same set", [.. routing.Layers.Select(layer => ((double)layer.Layer, layer.SameSetShare))])
                {
                    HasDots = true,
                },
                new("mean overlap", [.. routing.Layers.Select(layer => ((double)layer.Layer, layer.MeanOverlap))]),
            ],
        }.ToSvg());
        page.Table(
            ["#layer", "#tokens", "#same set", "#same order", "#mean overlap"],
            routing.Layers.Select(layer => (IReadOnlyList<string>)
            [
                Text($"{layer.Layer}"),
                Text($"{layer.Tokens}"),
                Text($"{layer.SameSet}"),
                Text($"{layer.SameOrder}"),
                Number(layer.MeanOverlap),
            ]));
    }

    private static void AddMetrics(HtmlPage page, MismatchMetrics metrics)
    {
        page.Heading(Text($"What the frameworks log, α = {metrics.Options.Alpha}, β = {metrics.Options.Beta}"));
        page.Paragraph(
            "Basis: defined = ours; run = compared with what the framework's own function returned; read = read in its "
            + "source; "
            + "inferred = believed.");
        foreach (IGrouping<string, MismatchMetric> group in metrics.All.GroupBy(metric => metric.Framework))
        {
            page.SubHeading(group.Key);
            page.Table(
                ["name", "#value", "formula", "basis", "note"],
                group.Select(metric => (IReadOnlyList<string>)
                [
                    metric.Name,
                    Number(metric.Value),
                    metric.Formula,
                    MismatchReportJson.BasisName(metric.Basis),
                    metric.Note,
                ]));
        }

        page.Paragraph(
            "Not computable from two files, because they compare with the live policy: slime's ois, ppo_kl and "
            + "pg_clipfrac, "
            + "NeMo-RL's probs_ratio and its relatives.");
    }
}
