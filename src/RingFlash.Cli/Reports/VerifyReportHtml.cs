using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Pictures;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>
/// A verification as one HTML page: the verdict, one row per run, then for each case and engine the errors along the
/// layers, isolated and free in one picture, the routers, and what is over budget.
/// </summary>
internal sealed class VerifyReportHtml
{
    private readonly VerifyReport report;
    private readonly IReadOnlyList<MissingEngine> missing;
    private readonly HtmlPage page;

    private VerifyReportHtml(VerifyReport report, IReadOnlyList<MissingEngine> missing, string? repository)
    {
        this.report = report;
        this.missing = missing;
        page = new HtmlPage("ringflash verify", repository);
    }

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file, full path.</param>
    /// <param name="report">The report.</param>
    /// <param name="missing">Engines that were wanted and are not here.</param>
    /// <param name="currentDirectory">Where the tool was started.</param>
    public static void Save(
        string path, VerifyReport report, IReadOnlyList<MissingEngine> missing, string currentDirectory) =>
        AtomicFile.WriteText(path, ToHtml(report, missing, PageText.RepositoryOf(path, currentDirectory)));

    /// <summary>Writes the page.</summary>
    /// <param name="report">The report.</param>
    /// <param name="missing">Engines that were wanted and are not here.</param>
    /// <param name="repository">Where this repository lies as seen from the page; null for nowhere.</param>
    /// <returns>The document.</returns>
    public static string ToHtml(
        VerifyReport report, IReadOnlyList<MissingEngine> missing, string? repository = null) =>
        new VerifyReportHtml(report, missing, repository).Write();

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private string Write()
    {
        page.Verdict(PageText.Line(report.Headline), report.ExitCode == 0);
        if (report.Cases.Count == 0)
        {
            page.Warning("Nothing was compared. This is not a pass.");
        }
        else
        {
            AddRuns();
        }

        foreach (MissingEngine engine in missing)
        {
            page.Warning(PageText.Line(engine.Line));
        }

        foreach (IGrouping<(string Case, string Engine), CaseResult> group in
            report.Cases.GroupBy(run => (run.Case, run.Engine)))
        {
            AddCase([.. group]);
        }

        page.Paragraph(
            Text($"ringflash {ToolVersion.Text}; {NumberText.Time(report.Elapsed)}, {report.ThreadCount} threads, ")
            + $"peak memory {NumberText.Memory(report.PeakMemoryBytes)}.");
        return page.ToHtml();
    }

    private void AddRuns() => page.Table(
        ["case", "engine", "mode", "precision", "#values", "#worst ÷ budget", "worst tap", "verdict"],
        report.Cases.Select(run =>
        {
            TapResult? worst = run.Taps.Where(tap => tap.Verdict != Verdict.NotChecked).MaxBy(Over);
            return (IReadOnlyList<string>)
            [
                PageText.Name(run.Case),
                run.Engine,
                VerifyReport.ModeWord(run.Mode),
                run.Precision,
                NumberText.Count(run.Compared),
                worst is null ? "–" : NumberText.Multiple(worst.OverBudget),
                worst is null ? "–" : PageText.Name(worst.Tap),
                PageText.Word(run.Verdict),
            ];
        }));

    private void AddCase(IReadOnlyList<CaseResult> runs)
    {
        page.Heading(PageText.Name($"{runs[0].Case} ({runs[0].Engine}, {runs[0].Precision})"));
        foreach (CaseResult run in runs)
        {
            string word = $"{VerifyReport.ModeWord(run.Mode)}: {PageText.Word(run.Verdict)}";
            string why = run.NotCheckedReason.Length > 0 ? $"; {run.NotCheckedReason}"
                : run.FirstFailure.Length > 0 ? $"; {run.FirstFailure}"
                : run.Compared == 0 ? "; nothing was compared"
                : string.Empty;
            page.Paragraph(PageText.Line(word + why));
        }

        AddPictures(runs);
        TapResult[] failed = [.. runs.SelectMany(run => run.Taps).Where(tap => tap.Verdict == Verdict.Failed)];
        if (failed.Length > 0)
        {
            AddFailures(failed);
        }

        string[] notCompared =
        [
            .. runs.SelectMany(run => run.NotCompared).Distinct().Select(PageText.Name),
            .. runs.SelectMany(run => run.Taps).Where(tap => tap.Verdict == Verdict.NotChecked)
                .Select(tap => PageText.Line($"{tap.Tap}: {tap.Note}")),
        ];
        if (notCompared.Length > 0)
        {
            page.SubHeading(Text($"Not compared ({notCompared.Length})"));
            page.List(notCompared);
        }

        string[] notes = [.. runs.SelectMany(run => run.Notes).Distinct().Select(PageText.Line)];
        if (notes.Length > 0)
        {
            page.SubHeading("Notes");
            page.List(notes);
        }
    }

    // Tables and single products have no layers to draw along.
    private void AddPictures(IReadOnlyList<CaseResult> runs)
    {
        if (!runs.SelectMany(run => run.Taps).Any(tap => LayerPictures.LayerOf(tap.Tap) is not null))
        {
            return;
        }

        LayerPictures pictures = new(runs.SelectMany(run => run.Taps).Select(tap => tap.Tap));
        LayerPoint[] isolated = PointsOf(runs, VerifyMode.Isolated), free = PointsOf(runs, VerifyMode.Free);
        page.Picture(pictures.Errors("Error per layer, isolated and free", "budget", isolated, free));
        foreach ((string mode, LayerPoint[] points) in new[] { ("isolated", isolated), ("free", free) })
        {
            if (points.Length > 0)
            {
                page.Picture(pictures.Taps($"Taps by layers: {mode} error ÷ budget", points));
            }
        }

        foreach (CaseResult run in runs.Where(run => run.Routing.Count > 0))
        {
            RouterPoint[] routers = [.. run.Routing.Select(PointOf)];
            string mode = VerifyReport.ModeWord(run.Mode);
            page.Picture(LayerPictures.Routers($"Choice of experts per layer, {mode}", routers));
            page.Picture(LayerPictures.Margins($"Margins of the choice, {mode}", "largest score error", routers));
        }
    }

    private void AddFailures(TapResult[] failed)
    {
        page.SubHeading(Text($"Over budget ({failed.Length})"));
        page.Table(
            [
                "tap", "operator", "#error ÷ budget", "#max |ours − golden|", "#L2", "#its budget", "#ulps", "element",
                "#ours", "#golden", "note", "/reference",
            ],
            failed.Select(tap => (IReadOnlyList<string>)
            [
                PageText.Name(tap.Tap),
                PageText.Name(tap.Operator),
                NumberText.Multiple(tap.OverBudget),
                NumberText.Error(tap.MaxAbsolute),
                NumberText.Error(tap.L2Relative),
                NumberText.Error(tap.L2Budget),
                NumberText.Ulps(tap.MaxUlps),
                PageText.Name(tap.Worst?.Index ?? "–"),
                tap.Worst is { } ours ? NumberText.Value(ours.Ours) : "–",
                tap.Worst is { } golden ? NumberText.Value(golden.Golden) : "–",
                PageText.Line(tap.Note),
                OperatorPage.FileOf(tap.Operator),
            ]));
    }

    private static LayerPoint[] PointsOf(IReadOnlyList<CaseResult> runs, VerifyMode mode) =>
    [
        .. runs.Where(run => run.Mode == mode).SelectMany(run => run.Taps).Select(tap => new LayerPoint(
            tap.Tap,
            tap.L2Relative,
            tap.L2Budget,
            tap.Verdict == Verdict.NotChecked ? null : tap.OverBudget)),
    ];

    private static RouterPoint PointOf(RoutingResult router) => new(
        LayerPictures.LayerOf(router.Gate) ?? -1,
        router.SameExperts,
        router.NearTies,
        router.Wrong,
        router.BehindNearTie,
        router.SmallestMargin,
        router.ScoreError);

    private static double Over(TapResult tap) =>
        double.IsNaN(tap.OverBudget) ? double.PositiveInfinity : tap.OverBudget;
}
