using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>
/// A report for people. The first line says what is wrong; then one row per run; then what there is to say about a run;
/// then the totals.
/// </summary>
internal sealed class VerifyReportTable
{
    private readonly IAnsiConsole _console;
    private readonly ReportText _text;

    /// <summary>Creates the writer.</summary>
    /// <param name="console">Where to write, of <see cref="ReportConsole"/>.</param>
    public VerifyReportTable(IAnsiConsole console)
    {
        _console = console;
        _text = new ReportText(console);
    }

    /// <summary>Writes a report.</summary>
    /// <param name="report">The report.</param>
    /// <param name="missing">Engines that were wanted and are not here.</param>
    /// <param name="everyTap">Whether to show every tap of every run.</param>
    public void Write(VerifyReport report, IReadOnlyList<MissingEngine> missing, bool everyTap)
    {
        WriteHeadline(report.Headline);
        if (report.Cases.Count > 0)
        {
            WriteRuns(report.Cases);
        }

        VerifyRunDetails details = new(_console, _text);
        foreach (CaseResult run in report.Cases)
        {
            details.Write(run, everyTap);
        }

        WriteTotals(report, missing);
    }

    /// <summary>The word for a verdict.</summary>
    /// <param name="verdict">The verdict.</param>
    /// <returns><c>PASSED</c>, <c>FAILED</c> or <c>NOT CHECKED</c>.</returns>
    public static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Passed => "PASSED",
        Verdict.Failed => "FAILED",
        _ => "NOT CHECKED",
    };

    /// <summary>The colour of a verdict.</summary>
    /// <param name="verdict">The verdict.</param>
    /// <returns>The style.</returns>
    public static Style StyleOf(Verdict verdict) => verdict switch
    {
        Verdict.Passed => new Style(Color.Green),
        Verdict.Failed => new Style(Color.Red),
        _ => new Style(Color.Yellow),
    };

    // Never wrapped: a script may read the first line, and a person's terminal wraps by itself.
    private void WriteHeadline(string headline)
    {
        string line = InvalidInputException.Escape(headline);
        foreach (Verdict verdict in Enum.GetValues<Verdict>())
        {
            string word = Word(verdict);
            if (line.StartsWith(word, StringComparison.Ordinal))
            {
                _console.Write(new Text(word, StyleOf(verdict)));
                line = line[word.Length..];
                break;
            }
        }

        _console.Profile.Out.Writer.WriteLine(line);
        _console.Profile.Out.Writer.WriteLine();
    }

    private void WriteRuns(IReadOnlyList<CaseResult> runs)
    {
        ReportTable table = new(
            new("case", 16),
            new("engine", 9),
            new("mode", 8),
            new("values", 10, Right: true),
            new("taps", 4, Right: true),
            new("worst\n/budget", 7, Right: true),
            new("worst tap", 15),
            new("ok/near\n/wrong", 8),
            new("time", 7, Right: true),
            new("verdict", 7));
        foreach (CaseResult run in runs)
        {
            TapResult? worst = Worst(run.Taps);
            table.Add(
                TapName.Wrap(run.Case, 16),
                run.Engine,
                VerifyReport.ModeWord(run.Mode),
                NumberText.Count(run.Compared),
                NumberText.Count(run.Taps.Count(tap => tap.Compared > 0)),
                worst is null ? "-" : NumberText.Multiple(worst.OverBudget),
                worst is null ? "-" : TapName.Wrap(TapName.Shorten(worst.Tap), 15),
                RoutingCell(run.Routing),
                NumberText.Time(run.Elapsed),
                run.Verdict);
        }

        table.Write(_console);
        _text.Line("worst/budget: largest error divided by its budget, above 1 fails; "
            + "ok/near/wrong: routed tokens with the reference's experts, near ties, errors");
    }

    // NaN sorts below every number, but a tap whose error is NaN is the worst there can be.
    private static TapResult? Worst(IReadOnlyList<TapResult> taps) =>
        taps.Where(tap => tap.Compared > 0 || tap.Verdict == Verdict.Failed)
            .MaxBy(tap => double.IsNaN(tap.OverBudget) ? double.PositiveInfinity : tap.OverBudget);

    private static string RoutingCell(IReadOnlyList<RoutingResult> routing) => routing.Count == 0
        ? "-"
        : TapName.Wrap(
            $"{routing.Sum(router => router.SameExperts)}/{routing.Sum(router => router.NearTies)}"
                + $"/{routing.Sum(router => router.Wrong)}",
            8);

    private void WriteTotals(VerifyReport report, IReadOnlyList<MissingEngine> missing)
    {
        if (report.Cases.Count > 0)
        {
            _text.Blank();
        }

        foreach (MissingEngine engine in missing)
        {
            _text.Line(engine.Line, StyleOf(Verdict.NotChecked));
        }

        long values = report.Cases.Sum(run => run.Compared);
        int nearTies = report.Cases.Sum(run => run.Routing.Sum(router => router.NearTies));
        long behind = report.Cases.Sum(run => run.Taps.Sum(tap => tap.BehindNearTie));
        int notCompared = report.Cases.Sum(run => run.NotCompared.Count);
        _text.Line($"{report.Cases.Count} runs: {report.Passed} passed, {report.Failed} failed, "
            + $"{report.NotChecked} not checked");
        _text.Line($"{NumberText.Count(values)} values compared; near ties {nearTies}, values left out behind them "
            + $"{NumberText.Count(behind)}; tensors not compared {notCompared}");
        _text.Line($"elapsed {NumberText.Time(report.Elapsed)}, threads {report.ThreadCount}, "
            + $"peak memory {NumberText.Memory(report.PeakMemoryBytes)}");
    }
}
