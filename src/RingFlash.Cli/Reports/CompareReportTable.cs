using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;
using RingFlash.Reference.Verification;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>
/// A comparison for people. The first line says what is wrong; then what could not be compared; then one row per layer;
/// then the logits.
/// </summary>
internal sealed class CompareReportTable
{
    private const int MostFailures = 12;

    private readonly IAnsiConsole _console;
    private readonly ReportText _text;
    private readonly ModelTokenizer? _tokenizer;

    /// <summary>Creates the writer.</summary>
    /// <param name="console">Where to write, of <see cref="ReportConsole"/>.</param>
    /// <param name="tokenizer">Shows ids as text; null for ids alone.</param>
    public CompareReportTable(IAnsiConsole console, ModelTokenizer? tokenizer)
    {
        _console = console;
        _text = new ReportText(console);
        _tokenizer = tokenizer;
    }

    /// <summary>Writes a report.</summary>
    /// <param name="report">The report.</param>
    /// <param name="everyTap">Whether to show every tap.</param>
    public void Write(ComparisonReport report, bool everyTap)
    {
        WriteHeadline(report);
        WriteWhatIsNot(report);
        if (report.Isolated.Count > 0 || report.Drift.Count > 0)
        {
            WriteLayers(report);
        }

        TapFinding[] shown =
        [
            .. report.Isolated.Where(finding => everyTap || finding.Verdict == Verdict.Failed)
                .Take(everyTap ? int.MaxValue : MostFailures),
        ];
        if (shown.Length > 0)
        {
            _text.Blank();
            WriteTaps(shown);
        }

        foreach (RouterFinding router in report.Routers.Where(router => router.Note.Length > 0).Take(3))
        {
            _text.Line($"layer {router.Layer}: {router.Note}");
        }

        if (report.Logits is { } logits)
        {
            _text.Blank();
            WriteLogits(logits);
        }

        WriteTotals(report);
    }

    private static Style StyleOf(ComparisonOutcome outcome) => VerifyReportTable.StyleOf(outcome switch
    {
        ComparisonOutcome.Agrees => Verdict.Passed,
        ComparisonOutcome.Differs => Verdict.Failed,
        _ => Verdict.NotChecked,
    });

    private static string Percent(double share) =>
        string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.#} %");

    // Never wrapped: a script may read the first line, and a person's terminal wraps by itself.
    private void WriteHeadline(ComparisonReport report)
    {
        string line = InvalidInputException.Escape(report.Headline);
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        _console.Write(new Text(line[..colon], StyleOf(report.Outcome)));
        _console.Profile.Out.Writer.WriteLine(line[colon..]);
        _console.Profile.Out.Writer.WriteLine();
    }

    private void WriteWhatIsNot(ComparisonReport report)
    {
        _text.Line($"candidate {report.Candidate} against {report.Reference}; {report.Precision}: "
            + report.PrecisionReason);
        foreach (string line in report.Preflight.Concat(report.Notes))
        {
            _text.Line(line);
        }

        Names("missing: ", report.Missing);
        Names("claimed twice, not used: ", report.Doubles);
        Names("unknown names: ", report.Unmapped);
        foreach (IGrouping<string, string> reason in report.NotCompared.GroupBy(line => line.Split(": ", 2)[^1]))
        {
            Names($"not compared, {reason.Key}: ", [.. reason.Select(line => line.Split(": ", 2)[0])]);
        }

        Names("kinds not in the dump: ", report.NotDumped);
        _text.Blank();
    }

    private void Names(string head, IReadOnlyList<string> names)
    {
        if (names.Count > 0)
        {
            _text.Names(head, names);
        }
    }

    private void WriteLayers(ComparisonReport report)
    {
        ReportTable table = new(
            new("part", 10),
            new("isolated\n/budget", 8, Right: true),
            new("worst tap", 16),
            new("drift\nL2", 8, Right: true),
            new("noise\nband", 8, Right: true),
            new("cosine", 9, Right: true),
            new("SNR\ndB", 6, Right: true),
            new("experts ok\n/near/wrong", 12),
            new("verdict", 11));
        foreach (string part in Parts(report))
        {
            TapFinding[] findings = [.. report.Isolated.Where(finding => PartOf(finding.Layer, finding.Tap) == part)];
            DriftPoint? drift = report.Drift.LastOrDefault(point => PartOf(point.Layer, point.Tap) == part);
            RouterFinding? router =
                report.Routers.FirstOrDefault(finding => PartOf(finding.Layer, finding.Id) == part);
            TapFinding? worst = findings.Where(finding => finding.Verdict != Verdict.NotChecked)
                .MaxBy(finding => finding.OverBudget);
            Verdict verdict = findings.Any(finding => finding.Verdict == Verdict.Failed)
                || router?.Verdict == Verdict.Failed ? Verdict.Failed
                : worst is null && router is null ? Verdict.NotChecked
                : Verdict.Passed;
            table.Add(
                part,
                worst is null ? "-" : NumberText.Multiple(worst.OverBudget),
                worst is null ? "-" : TapName.Wrap(TapName.Shorten(worst.Tap), 16),
                drift is null ? "-" : NumberText.Error(drift.Distance.L2Relative),
                drift is null ? "-" : NumberText.Error(drift.Band.L2Relative),
                drift is null ? "-" : drift.Distance.Cosine.ToString("0.000000", CultureInfo.InvariantCulture),
                drift is null ? "-" : Decibels(drift.Distance.SignalToNoise),
                router is null ? "-" : $"{router.SameExperts}/{router.NearTies}/{router.Wrong}",
                verdict);
        }

        table.Write(_console);
        _text.Line("isolated/budget: the error of operators on the candidate's own inputs, above 1 fails; drift: the "
            + "last tap of the part against the reference's own run, ‖error‖₂/‖reference‖₂, and the same of correct "
            + "computations; SNR = −20·log₁₀(drift)");
    }

    private static string Decibels(double value) => double.IsFinite(value)
        ? value.ToString("0.0", CultureInfo.InvariantCulture)
        : double.IsPositiveInfinity(value) ? "exact" : NumberText.NonFinite(value);

    private static IEnumerable<string> Parts(ComparisonReport report) => report.Isolated
        .Select(finding => (finding.Layer, finding.Tap))
        .Concat(report.Drift.Select(point => (point.Layer, point.Tap)))
        .Concat(report.Routers.Select(router => ((int?)router.Layer, router.Id)))
        .Select(at => (Part: PartOf(at.Item1, at.Item2), Order: OrderOf(at.Item1, at.Item2)))
        .Distinct()
        .OrderBy(at => at.Order)
        .Select(at => at.Part);

    private static int OrderOf(int? layer, string tap) =>
        layer ?? (tap is DataFlow.FinalNorm or DataFlow.Logits ? int.MaxValue : -1);

    private static string PartOf(int? layer, string tap) => layer is int number
        ? string.Create(CultureInfo.InvariantCulture, $"layer {number}")
        : tap is DataFlow.FinalNorm or DataFlow.Logits ? "head" : "embedding";

    private void WriteTaps(IReadOnlyList<TapFinding> findings)
    {
        ReportTable table = new(
            new("tap", 18),
            new("worst\n/budget", 8, Right: true),
            new("L2", 8, Right: true),
            new("band", 8, Right: true),
            new("ulps", 8, Right: true),
            new("token", 5, Right: true),
            new("candidate", 11, Right: true),
            new("reference", 11, Right: true),
            new("looks like", 14));
        foreach (TapFinding finding in findings)
        {
            table.Add(
                TapName.Wrap(TapName.Shorten(finding.Tap), 18),
                NumberText.Multiple(finding.OverBudget),
                NumberText.Error(finding.Distance.L2Relative),
                NumberText.Error(finding.Band.L2Relative),
                NumberText.Ulps(finding.Distance.MaxUlps),
                finding.Worst is null ? "-" : finding.Worst.Token.ToString(CultureInfo.InvariantCulture),
                finding.Worst is null ? "-" : NumberText.Value(finding.Worst.Candidate),
                finding.Worst is null ? "-" : NumberText.Value(finding.Worst.Reference),
                TapName.Wrap(finding.Recognised.Length > 0 ? finding.Recognised : finding.Note, 14));
        }

        table.Write(_console);
    }

    private void WriteLogits(LogitsFinding logits)
    {
        _text.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"logits of {logits.Positions} positions: KL(reference‖candidate) {logits.ReferenceToCandidate:G3} nats "
            + $"(correct computations up to {logits.NoiseReferenceToCandidate:G3}), KL(candidate‖reference) "
            + $"{logits.CandidateToReference:G3}; same best token {Percent(logits.SameBest)} (correct computations "
            + $"{Percent(logits.NoiseSameBest)}), best five {Percent(logits.BestFiveAgreement)}; worst rank of the "
            + $"reference's best {logits.WorstRank}; NLL difference {logits.LikelihoodDifference ?? 0:G3}"));
        ReportTable table = new(
            new("token", 6, Right: true),
            new("fed", 22),
            new("KL, nats", 9, Right: true),
            new("reference's best", 24),
            new("candidate's best", 24),
            new("rank", 6, Right: true));
        foreach (LogitsPosition position in logits.Worst)
        {
            table.Add(
                position.Token.ToString(CultureInfo.InvariantCulture),
                Token(position.Id, 22),
                NumberText.Error(position.ReferenceToCandidate),
                Token(position.ReferenceBest, 24),
                Token(position.CandidateBest, 24),
                position.Rank.ToString(CultureInfo.InvariantCulture));
        }

        table.Write(_console);
    }

    private string Token(long id, int width) => TapName.Wrap(TokenLabel.Of(id, _tokenizer), width);

    private void WriteTotals(ComparisonReport report)
    {
        _text.Blank();
        long values = report.Isolated.Sum(finding => finding.Distance.Compared);
        int failed = report.Isolated.Count(finding => finding.Verdict == Verdict.Failed);
        _text.Line($"{report.Isolated.Count} taps, {NumberText.Count(values)} values on the candidate's own inputs, "
            + $"{failed} over budget; elapsed {NumberText.Time(report.Elapsed)}");
        Names("correct computations: ", report.Variants);
    }
}
