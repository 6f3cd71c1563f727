using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Verification;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>What a report says about one run besides its row.</summary>
internal sealed class VerifyRunDetails
{
    private const double WorthATimeLine = 1;

    private readonly IAnsiConsole _console;
    private readonly ReportText _text;

    /// <summary>Creates the writer.</summary>
    /// <param name="console">Where tables go.</param>
    /// <param name="text">Where lines go.</param>
    public VerifyRunDetails(IAnsiConsole console, ReportText text)
    {
        _console = console;
        _text = text;
    }

    /// <summary>Writes what there is to say; nothing for a run that passed and has no notes.</summary>
    /// <param name="run">The run.</param>
    /// <param name="everyTap">Whether to show every tap.</param>
    public void Write(CaseResult run, bool everyTap)
    {
        bool slow = run.Elapsed.TotalSeconds > WorthATimeLine;
        IReadOnlyList<TapResult> uncheckedTaps = [.. run.Taps.Where(tap => tap.Verdict == Verdict.NotChecked)];
        IReadOnlyList<RoutingResult> odd = [.. run.Routing.Where(IsWorthALine)];
        bool quiet = run.Verdict == Verdict.Passed && !slow && run.NotCompared.Count == 0 && run.Notes.Count == 0
            && uncheckedTaps.Count == 0 && odd.Count == 0
            && run.Taps.All(tap => tap.BehindNearTie == 0 && tap.Note.Length == 0);
        if (quiet && !everyTap)
        {
            return;
        }

        _text.Blank();
        _text.Line(
            $"{run.Case} ({run.Engine}, {VerifyReport.ModeWord(run.Mode)}, {run.Precision}): "
                + VerifyReportTable.Word(run.Verdict),
            VerifyReportTable.StyleOf(run.Verdict));
        WriteReason(run);
        if (everyTap && run.Taps.Count > 0)
        {
            WriteEveryTap(run.Taps);
        }

        WriteFailures(run.Taps);
        WriteRouting(odd);
        WriteLeftOut(run, uncheckedTaps);
        foreach (string note in run.Notes)
        {
            _text.Line($"  note: {note}");
        }

        if (slow)
        {
            double other = Math.Max(0, 1 - run.WeightShare - run.ModelShare - run.CompareShare);
            _text.Line($"  time {NumberText.Time(run.Elapsed)}: weights {NumberText.Share(run.WeightShare)}, "
                + $"model {NumberText.Share(run.ModelShare)}, compare {NumberText.Share(run.CompareShare)}, "
                + $"other {NumberText.Share(other)}");
        }
    }

    private static bool IsWorthALine(RoutingResult router) =>
        router.Verdict != Verdict.Passed || router.NearTies > 0 || router.Wrong > 0 || router.BehindNearTie > 0
        || router.SameOrder != router.Tokens || router.SameGroups != router.Tokens || router.Note.Length > 0;

    private void WriteReason(CaseResult run)
    {
        if (run.NotCheckedReason.Length > 0)
        {
            _text.Line($"  not checked: {run.NotCheckedReason}");
        }
        else if (run.FirstFailure.Length > 0)
        {
            _text.Line($"  first: {run.FirstFailure}");
        }
        else if (run.Compared == 0)
        {
            _text.Line("  nothing was compared");
        }
    }

    private void WriteFailures(IReadOnlyList<TapResult> taps)
    {
        TapResult[] failed = [.. taps.Where(tap => tap.Verdict == Verdict.Failed)];
        if (failed.Length == 0)
        {
            return;
        }

        _text.Line($"  {failed.Length} taps over budget; the second line of a number is its budget");
        ReportTable table = new(
            new("tap", 22),
            new("operator", 15),
            new("max abs", 8, Right: true),
            new("max\n/max|g|", 8, Right: true),
            new("L2", 8, Right: true),
            new("ulps", 8, Right: true),
            new("u·gauge", 8, Right: true),
            new("ours\ngolden", 15, Right: true));
        foreach (TapResult tap in failed)
        {
            table.Add(
                TapName.Wrap(tap.Tap, 22),
                OperatorCell(tap, 15),
                NumberText.Error(tap.MaxAbsolute),
                OverBudget(NumberText.Error(tap.MaxRelative), NumberText.Error(tap.MaxRelativeBudget)),
                OverBudget(NumberText.Error(tap.L2Relative), NumberText.Error(tap.L2Budget)),
                NumberText.Ulps(tap.MaxUlps),
                UnitsCell(tap),
                tap.Worst is { } worst
                    ? $"{NumberText.Value(worst.Ours)}\n{NumberText.Value(worst.Golden)}\n"
                        + TapName.Wrap(worst.Index, 15)
                    : "-");
        }

        table.Write(_console);
    }

    private void WriteEveryTap(IReadOnlyList<TapResult> taps)
    {
        ReportTable table = new(
            new("tap", 22),
            new("operator", 14),
            new("values", 9, Right: true),
            new("max abs", 8, Right: true),
            new("max\n/max|g|", 8, Right: true),
            new("L2", 8, Right: true),
            new("ulps", 8, Right: true),
            new("u·gauge", 8, Right: true),
            new("verdict", 7));
        foreach (TapResult tap in taps)
        {
            table.Add(
                TapName.Wrap(tap.Tap, 22),
                OperatorCell(tap, 14),
                NumberText.Count(tap.Compared),
                NumberText.Error(tap.MaxAbsolute),
                OverBudget(NumberText.Error(tap.MaxRelative), NumberText.Error(tap.MaxRelativeBudget)),
                OverBudget(NumberText.Error(tap.L2Relative), NumberText.Error(tap.L2Budget)),
                NumberText.Ulps(tap.MaxUlps),
                UnitsCell(tap),
                tap.Verdict);
        }

        table.Write(_console);
        _text.Line("  the second line of a number is its budget");
    }

    private static string OverBudget(string value, string budget) => $"{value}\n{budget}";

    private static string UnitsCell(TapResult tap) => (tap.MaxUnits, tap.UnitsBudget) switch
    {
        (null, _) => "-",
        ({ } units, null) => $"{NumberText.Multiple(units)}\n-",
        ({ } units, { } budget) => $"{NumberText.Multiple(units)}\n{NumberText.Multiple(budget)}",
    };

    // A path of several operators has several suspects: how many stand before the one that is named.
    private static string OperatorCell(TapResult tap, int width) => tap.Path.Count > 1
        ? $"{TapName.WrapWords(tap.Operator, width)}\n+{tap.Path.Count - 1} before"
        : TapName.WrapWords(tap.Operator, width);

    private void WriteRouting(IReadOnlyList<RoutingResult> routers)
    {
        foreach (RoutingResult router in routers)
        {
            Style style = router.Verdict == Verdict.Passed ? Style.Plain : VerifyReportTable.StyleOf(router.Verdict);
            string margin = router.SmallestMargin is { } smallest
                ? $", smallest margin {NumberText.Error(smallest)}"
                : string.Empty;
            string note = router.Note.Length > 0 ? $"; {router.Note}" : string.Empty;
            _text.Line(
                $"  router {router.Gate}: {router.Tokens} tokens, same experts {router.SameExperts}, same order "
                    + $"{router.SameOrder}, same groups {router.SameGroups}, near ties {router.NearTies}, wrong "
                    + $"{router.Wrong}, left out {router.BehindNearTie}{margin}, score error "
                    + $"{NumberText.Error(router.ScoreError)}{note}",
                style);
        }
    }

    private void WriteLeftOut(CaseResult run, IReadOnlyList<TapResult> uncheckedTaps)
    {
        long behind = run.Taps.Sum(tap => tap.BehindNearTie);
        if (behind > 0)
        {
            _text.Line($"  {NumberText.Count(behind)} values left out: they lie behind near ties");
        }

        foreach (TapResult tap in uncheckedTaps)
        {
            _text.Line($"  not checked {tap.Tap}: {tap.Note}");
        }

        foreach (TapResult tap in run.Taps.Where(tap => tap.Verdict != Verdict.NotChecked && tap.Note.Length > 0))
        {
            _text.Line($"  {tap.Tap}: {tap.Note}");
        }

        if (run.NotCompared.Count > 0)
        {
            _text.Names($"  not compared ({run.NotCompared.Count}): ", run.NotCompared);
        }
    }
}
