using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Diagnosis;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>A diagnosis for people: one line first, then a row per mistake, then what is excluded.</summary>
internal sealed class DiagnosisReportTable
{
    private readonly IAnsiConsole _console;
    private readonly ReportText _text;

    /// <summary>Creates the writer.</summary>
    /// <param name="console">Where to write, of <see cref="ReportConsole"/>.</param>
    public DiagnosisReportTable(IAnsiConsole console)
    {
        _console = console;
        _text = new ReportText(console);
    }

    /// <summary>Where a mistake acts, in words.</summary>
    /// <param name="blocks">The blocks.</param>
    /// <returns>The words, comma between.</returns>
    public static string Words(ModelBlocks blocks) => string.Join(
        ", ",
        Enum.GetValues<ModelBlocks>()
            .Where(block => block is not (ModelBlocks.None or ModelBlocks.Layer) && (blocks & block) != 0)
            .Select(block => block switch
            {
                ModelBlocks.FeedForward => "MLP",
                ModelBlocks.LayerOutput => "residual",
                ModelBlocks.FinalNorm => "final norm",
                ModelBlocks.MultiToken => "MTP",
                _ => block.ToString().ToLowerInvariant(),
            }));

    /// <summary>Writes a report.</summary>
    /// <param name="report">The report.</param>
    public void Write(DiagnosisReport report)
    {
        WriteHeadline(report);
        _text.Line($"candidate {report.Comparison.Candidate} against {report.Comparison.Reference}; "
            + $"{report.Comparison.Precision}: {report.Comparison.PrecisionReason}");
        foreach (string note in report.Comparison.Preflight.Concat(report.Comparison.Notes).Concat(report.Notes))
        {
            _text.Line(note);
        }

        if (report.Findings.Count > 0)
        {
            _text.Blank();
            WriteFindings(report);
        }

        if (report.Hints.Count > 0)
        {
            _text.Blank();
            _text.Line("nearest without fitting (a hint, no finding):");
            foreach (DiagnosisHint hint in report.Hints)
            {
                string left = NumberText.Error(hint.Distance), before = NumberText.Error(hint.Reference);
                _text.Line($"  {Names(hint.Mistakes)}: leaves an error of {left}, the reference of {before}");
            }
        }

        _text.Blank();
        Names("not explained: ", report.NotExplained);
        Names(
            FormattableString.Invariant($"excluded ({report.Excluded.Count}): "),
            report.Excluded);
        Names(
            FormattableString.Invariant($"neither found nor excluded, no tap shows them ({report.NotShown.Count}): "),
            report.NotShown);
        Names(FormattableString.Invariant($"not looked at, no place to act ({report.NotRun.Count}): "), report.NotRun);
        _text.Line(FormattableString.Invariant(
            $"{report.TwinsRun} twins were run, {report.PairsRun} of them with two mistakes, ")
            + $"in {NumberText.Time(report.Elapsed)}");
    }

    /// <summary>Writes the catalogue.</summary>
    public void WriteCatalogue()
    {
        ReportTable table = new(
            new("id", 27),
            new("your output equals the reference with …", 43),
            new("acts in", 22),
            new("ways", 4, Right: true));
        foreach (Mistake mistake in MistakeCatalogue.All)
        {
            table.Add(
                mistake.Id,
                mistake.Sentence,
                Words(mistake.Blocks),
                mistake.Variants.Count.ToString(CultureInfo.InvariantCulture));
        }

        table.Write(_console);
        _text.Blank();
        int ways = MistakeCatalogue.All.Sum(mistake => mistake.Variants.Count);
        _text.Line(FormattableString.Invariant($"{MistakeCatalogue.All.Count} mistakes in {ways} ways; what each ")
            + "computes, what is right and where it was seen: --json, or the page of the folder Diagnosis");
        _text.Line("make one on purpose: ringflash capture MODEL --ids 1,2,3 --mistake ID --out DIR");
    }

    private static string Names(IEnumerable<NamedMistake> mistakes) =>
        string.Join(" + ", mistakes.Select(mistake => mistake.Name));

    private void WriteHeadline(DiagnosisReport report)
    {
        Style style = VerifyReportTable.StyleOf(report.Outcome switch
        {
            DiagnosisOutcome.NoMistake => Verdict.Passed,
            DiagnosisOutcome.NotChecked => Verdict.NotChecked,
            _ => Verdict.Failed,
        });
        string line = report.Outcome == DiagnosisOutcome.NoMistake
            ? report.Headline
            : $"{WordOf(report.Outcome)}: {report.Headline}";
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        _console.Write(new Text(line[..colon], style));
        _console.Profile.Out.Writer.WriteLine(InvalidInputException.Escape(line[colon..]));
        _console.Profile.Out.Writer.WriteLine();
    }

    /// <summary>The word for an outcome.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <returns>The word.</returns>
    public static string WordOf(DiagnosisOutcome outcome) => outcome switch
    {
        DiagnosisOutcome.NoMistake => "no mistake",
        DiagnosisOutcome.Explained => "FOUND",
        DiagnosisOutcome.PartlyExplained => "PARTLY FOUND",
        DiagnosisOutcome.NotExplained => "NOT FOUND",
        _ => "NOT CHECKED",
    };

    private void WriteFindings(DiagnosisReport report)
    {
        ReportTable table = new(
            new("mistake", 38),
            new("where", 18),
            new("not in", 12),
            new("taps", 4, Right: true),
            new("reference\n/budget", 10, Right: true),
            new("twin\n/budget", 8, Right: true));
        foreach (DiagnosisFinding finding in report.Findings)
        {
            table.Add(
                TapName.Wrap(Names(finding.Mistakes), 38),
                finding.Where,
                finding.NotMadeIn.Length == 0 ? "-" : finding.NotMadeIn,
                finding.Explains.Count.ToString(CultureInfo.InvariantCulture),
                double.IsInfinity(finding.WithoutIt) ? "∞" : NumberText.Multiple(finding.WithoutIt),
                NumberText.Multiple(finding.OverBudget));
        }

        table.Write(_console);
        foreach (DiagnosisFinding finding in report.Findings)
        {
            _text.Blank();
            foreach (NamedMistake mistake in finding.Mistakes)
            {
                _text.Line($"{mistake.Name}: {mistake.Mistake.Wrong}; right is: {mistake.Mistake.Right}");
            }

            foreach (IReadOnlyList<NamedMistake> others in finding.NotToldApart)
            {
                _text.Line($"cannot be told apart by these taps: {Names(others)}");
            }

            foreach (IReadOnlyList<NamedMistake> others in finding.LessLikely)
            {
                _text.Line($"fits too, but not as well: {Names(others)}");
            }
        }
    }

    private void Names(string head, IReadOnlyList<string> names)
    {
        if (names.Count > 0)
        {
            _text.Names(head, names);
        }
    }
}
