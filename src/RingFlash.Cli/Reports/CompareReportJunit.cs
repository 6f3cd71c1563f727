using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>
/// A comparison for CI: one suite, one test per compared tap and router under its id <c>layer/operator/tap</c>, one per
/// gap, and one, <c>verdict</c>, that is red whenever the exit code is not 0. Names do not depend on paths or numbers.
/// </summary>
internal static class CompareReportJunit
{
    private const string Suite = "ringflash.compare";

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    public static void Save(string path, ComparisonReport report) =>
        AtomicFile.Write(path, stream => Write(stream, report));

    /// <summary>Writes a report.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="report">The report.</param>
    public static void Write(Stream stream, ComparisonReport report)
    {
        HashSet<string> compared = [.. report.Isolated.Select(finding => finding.Tap)];
        JunitTest[] tests =
        [
            new("verdict", report.ExitCode == 0 ? Verdict.Passed : Verdict.Failed, report.Headline),
            .. report.Isolated.Select(TestOf),
            .. report.Routers.Select(TestOf),
            .. report.Missing.Select(tap => new JunitTest(
                $"missing/{tap}", Verdict.NotChecked, "missing: the dump has it for other layers")),
            .. report.Doubles.Select(tap => new JunitTest(
                $"double/{tap}", Verdict.NotChecked, "several tensors of the dump claim this tap")),
            .. report.NotCompared.Select(line => line.Split(": ", 2)).Where(parts => !compared.Contains(parts[0]))
                .Select(parts => new JunitTest($"not-compared/{parts[0]}", Verdict.NotChecked, parts[^1])),
        ];
        string[] remarks =
        [
            $"reference: {report.Reference}",
            $"candidate: {report.Candidate}",
            $"precision: {report.Precision}: {report.PrecisionReason}",
            .. report.Preflight,
            .. report.Unmapped.Select(name => $"unmapped: {name}"),
            .. report.NotDumped.Select(kind => $"in no layer of the dump: {kind}"),
            .. report.Notes,
        ];
        JunitFile.Write(
            stream, "ringflash compare", [new JunitSuite(Suite, tests, remarks, report.Elapsed)], report.Elapsed);
    }

    private static JunitTest TestOf(TapFinding finding)
    {
        string token = finding.Worst is { Token: >= 0 } one
            ? string.Create(CultureInfo.InvariantCulture, $" token {one.Token},")
            : string.Empty;
        string place = finding.Worst is { } worst
            ? $" at{token} {worst.Index}: candidate {NumberText.Value(worst.Candidate)}, reference "
                + NumberText.Value(worst.Reference)
            : string.Empty;
        string looks = finding.Recognised.Length > 0 ? $"; {finding.Recognised}" : string.Empty;
        string line = finding.Verdict == Verdict.Failed
            ? $"{string.Join(" or ", finding.Operators)} {NumberText.Multiple(finding.OverBudget)} times the budget"
                + $"{place}; L2 {NumberText.Error(finding.Distance.L2Relative)} (noise "
                + $"{NumberText.Error(finding.Band.L2Relative)}), max abs "
                + $"{NumberText.Error(finding.Distance.MaxAbsolute)}, {NumberText.Ulps(finding.Distance.MaxUlps)} ulps"
                + $"{looks}; reference code: {OperatorPage.FileOf(finding.Operators.LastOrDefault() ?? string.Empty)}"
            : finding.Note;
        return new JunitTest(finding.Id, finding.Verdict, line);
    }

    private static JunitTest TestOf(RouterFinding router) => new(
        router.Id,
        router.Verdict,
        router.Verdict == Verdict.Failed
            ? $"{router.Wrong} of {router.Tokens} tokens have wrong experts, {router.NearTies} near ties; "
                + $"{router.Note}; reference code: {OperatorPage.FileOf("GroupLimitedTopK")}"
            : router.Note);
}
