using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>A report for CI: one suite per run, one test per tap and per router.</summary>
internal static class VerifyReportJunit
{
    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    public static void Save(string path, VerifyReport report) =>
        AtomicFile.Write(path, stream => Write(stream, report));

    /// <summary>Writes a report.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="report">The report.</param>
    public static void Write(Stream stream, VerifyReport report) =>
        JunitFile.Write(stream, "ringflash verify", [.. report.Cases.Select(SuiteOf)], report.Elapsed);

    private static JunitSuite SuiteOf(CaseResult run) => new(
        $"{run.Case}.{run.Engine}.{VerifyReport.ModeWord(run.Mode)}",
        TestsOf(run),
        [.. run.NotCompared.Select(tensor => $"not compared: {tensor}"), .. run.Notes],
        run.Elapsed);

    private static IReadOnlyList<JunitTest> TestsOf(CaseResult run)
    {
        if (run.NotCheckedReason.Length > 0)
        {
            return [new JunitTest("case", Verdict.NotChecked, run.NotCheckedReason)];
        }

        List<JunitTest> tests = [.. run.Taps.Select(TestOf), .. run.Routing.Select(TestOf)];

        // A run can fail without a tap that does: a tensor is missing, or nothing was compared. CI must see it red.
        if (run.Verdict == Verdict.Failed && tests.All(test => test.Verdict != Verdict.Failed))
        {
            string why = run.FirstFailure.Length > 0 ? run.FirstFailure : "nothing was compared";
            tests.Add(new JunitTest("case", Verdict.Failed, why));
        }

        return tests;
    }

    private static JunitTest TestOf(TapResult tap)
    {
        string place = tap.Worst is { } worst
            ? $" at {worst.Index}: ours {NumberText.Value(worst.Ours)}, golden {NumberText.Value(worst.Golden)}"
            : string.Empty;
        string units = tap.MaxUnits is { } value
            ? $", u·gauge {NumberText.Multiple(value)}"
                + (tap.UnitsBudget is { } budget ? $" (budget {NumberText.Multiple(budget)})" : string.Empty)
            : string.Empty;
        string line = tap.Verdict == Verdict.Failed
            ? $"{tap.Operator} {NumberText.Multiple(tap.OverBudget)} times its budget{place}; max abs "
                + $"{NumberText.Error(tap.MaxAbsolute)}, max/max|golden| {NumberText.Error(tap.MaxRelative)} (budget "
                + $"{NumberText.Error(tap.MaxRelativeBudget)}), L2 {NumberText.Error(tap.L2Relative)} (budget "
                + $"{NumberText.Error(tap.L2Budget)}), {NumberText.Ulps(tap.MaxUlps)} ulps{units}"
                + (tap.Note.Length > 0 ? $"; {tap.Note}" : string.Empty)
            : tap.Note;
        return new JunitTest(tap.Tap, tap.Verdict, line);
    }

    private static JunitTest TestOf(RoutingResult router) => new(
        router.Gate,
        router.Verdict,
        router.Verdict == Verdict.Failed
            ? $"{router.Wrong} of {router.Tokens} tokens have wrong experts, {router.NearTies} near ties; {router.Note}"
            : router.Note);
}
