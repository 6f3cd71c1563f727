using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Pictures;
using RingFlash.Reference.Tokenization;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>A comparison as one HTML page: the verdict, the pictures that it rests on, then every number.</summary>
internal sealed partial class CompareReportHtml
{
    private readonly ComparisonReport report;
    private readonly ComparePictures pictures;
    private readonly ModelTokenizer? tokenizer;
    private readonly HtmlPage page;

    private CompareReportHtml(ComparisonReport report, ModelTokenizer? tokenizer, string? repository)
    {
        this.report = report;
        this.tokenizer = tokenizer;
        pictures = new ComparePictures(report);
        page = new HtmlPage("ringflash compare", repository);
    }

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file, full path.</param>
    /// <param name="report">The report.</param>
    /// <param name="tokenizer">Shows ids as text; null for ids alone.</param>
    /// <param name="currentDirectory">Where the tool was started.</param>
    public static void Save(
        string path, ComparisonReport report, ModelTokenizer? tokenizer, string currentDirectory) =>
        AtomicFile.WriteText(path, ToHtml(report, tokenizer, PageText.RepositoryOf(path, currentDirectory)));

    /// <summary>Writes the page.</summary>
    /// <param name="report">The report.</param>
    /// <param name="tokenizer">Shows ids as text; null for ids alone.</param>
    /// <param name="repository">Where this repository lies as seen from the page; null for nowhere.</param>
    /// <returns>The document.</returns>
    public static string ToHtml(
        ComparisonReport report, ModelTokenizer? tokenizer = null, string? repository = null) =>
        new CompareReportHtml(report, tokenizer, repository).Write();

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private string Write()
    {
        page.Verdict(PageText.Line(report.Headline), report.Outcome == ComparisonOutcome.Agrees);
        AddSummary();
        AddFault();
        AddErrors();
        AddTokens();
        AddHistograms();
        AddRouters();
        AddLogits();
        AddGaps();
        AddTaps();
        page.Paragraph(Text($"ringflash {ToolVersion.Text}; {NumberText.Time(report.Elapsed)}."));
        return page.ToHtml();
    }

    private void AddSummary()
    {
        TapFinding[] compared = [.. report.Isolated.Where(finding => finding.Verdict != Verdict.NotChecked)];
        page.Table(
            ["", ""],
            [
                ["reference", PageText.Name(report.Reference)],
                ["candidate", PageText.Name(report.Candidate)],
                ["precision", PageText.Line($"{report.Precision}: {report.PrecisionReason}")],
                [
                    "compared",
                    Text($"{NumberText.Count(compared.Sum(finding => finding.Distance.Compared))} values in ")
                        + Text($"{compared.Length} taps, {compared.Count(IsFailed)} of them over budget; ")
                        + Text($"{report.Routers.Sum(router => router.Tokens)} choices of experts"),
                ],
                [
                    "not compared",
                    Text($"{report.Missing.Count} taps missing, {report.NotCompared.Count} not compared, ")
                        + Text($"{report.Unmapped.Count} names unmapped, {report.Doubles.Count} claimed twice; ")
                        + Text($"{report.NotDumped.Count} kinds of taps in no layer"),
                ],
            ]);
        if (compared.Length == 0 && report.Routers.Count == 0)
        {
            page.Warning("Nothing was compared. This is not a pass.");
        }

        if (report.Preflight.Count > 0)
        {
            page.Heading("Before any number");
            page.List(report.Preflight.Select(PageText.Line));
        }

        if (report.Notes.Count > 0)
        {
            page.Heading("Notes");
            page.List(report.Notes.Select(PageText.Line));
        }
    }

    private void AddFault()
    {
        if (report.FirstFault is not { } fault)
        {
            return;
        }

        page.Heading("The first wrong value");
        List<IReadOnlyList<string>> rows =
        [
            ["id", PageText.Name(fault.Id)],
            ["layer", fault.Layer is int layer ? Text($"{layer}") : "outside the layers"],
            ["block", string.Join(" or ", fault.Blocks)],
            ["operator", string.Join(" or ", fault.Operators)],
            ["tap", PageText.Name(fault.Tap)],
            ["computed from", string.Join(", ", fault.Inputs.Select(PageText.Name))],
        ];
        if (fault.Worst is { } worst)
        {
            string token = worst.Token >= 0 ? Text($" of token {worst.Token}") : string.Empty;
            rows.Add(["element", PageText.Name(worst.Index) + token]);
            rows.Add(["candidate", NumberText.Value(worst.Candidate)]);
            rows.Add(["reference", NumberText.Value(worst.Reference)]);
        }

        rows.Add(["error ÷ budget", NumberText.Multiple(fault.OverBudget)]);
        if (fault.Recognised.Length > 0)
        {
            rows.Add(["looks", PageText.Line(fault.Recognised)]);
        }

        page.Table(["", ""], rows);
        page.Files("Read what it ought to compute:", fault.SourceFile);
        string[] others =
            [.. fault.Operators.Select(OperatorPage.FileOf).Distinct().Where(file => file != fault.SourceFile)];
        if (others.Length > 0)
        {
            page.Files("On the way there:", others);
        }
    }

    private void AddErrors()
    {
        page.Heading("Errors along the layers");
        page.Picture(pictures.Errors());
        page.Paragraph(
            "Isolated: each tap is computed from the candidate's own nearest values, so the line shows what the "
            + "operators in between did and nothing that happened before; of each layer, the tap nearest to leaving "
            + "its band. Free: the reference's own run from the token ids; of each layer, the last tap: drift, never a "
            + "verdict. The bands are how far legal ways to compute the same lie apart; the dashed line is what is "
            + "allowed to a whole tap. A dot on the lower edge: equal to the bit; on the upper edge: not finite.");
        if (report.Variants.Count > 0)
        {
            page.Paragraph("The bands were computed with:");
            page.List(report.Variants.Select(PageText.Line));
        }

        page.Picture(pictures.Taps());
    }

    private void AddTokens()
    {
        if (report.Isolated.All(finding => finding.TokenErrors.Count == 0))
        {
            return;
        }

        page.Heading("Tokens by layers");
        page.Picture(pictures.IsolatedTokens());
        page.Paragraph(
            "The worst tap of each layer, ‖error‖₂/‖reference‖₂ of the token, in units of its budget. Blue is "
            + "within; a row of colour is an operator that is wrong for every token, a column a token that went "
            + "another way.");
        if (report.Drift.Any(point => point.TokenErrors.Count > 0))
        {
            page.Picture(pictures.FreeTokens());
            page.Paragraph("The same of the free run, in units of the noise band of its worst token: drift.");
        }
    }

    private void AddHistograms()
    {
        if (report.Isolated.All(finding => finding.UlpHistogram.Count == 0))
        {
            return;
        }

        page.Heading("Sizes of errors");
        page.Picture(pictures.Histogram("Values by error: all taps", report.Isolated));
        TapFinding? faulty = report.Isolated.FirstOrDefault(finding => finding.Tap == report.FirstFault?.Tap);
        if (faulty is { UlpHistogram.Count: > 0 })
        {
            page.Picture(pictures.Histogram("Values by error: the first wrong tap", [faulty]));
        }

        page.Paragraph(
            "In units in the last place of the type that the candidate stored. A right program has a hump at few ulps "
            + "with a thin tail of values near zero; a wrong one has its hump far to the right.");
    }

    private void AddGaps()
    {
        (string Title, IReadOnlyList<string> Names)[] gaps =
        [
            ("Missing: other layers have it", report.Missing),
            ("Not compared", report.NotCompared),
            ("Claimed by several tensors", report.Doubles),
            ("Unmapped names", report.Unmapped),
            ("In no layer of the dump", report.NotDumped),
        ];
        if (gaps.All(gap => gap.Names.Count == 0))
        {
            return;
        }

        page.Heading("What was not compared");
        foreach ((string title, IReadOnlyList<string> names) in gaps.Where(gap => gap.Names.Count > 0))
        {
            page.SubHeading(Text($"{title} ({names.Count})"));
            page.List(names.Select(PageText.Name));
        }
    }

    private void AddTaps()
    {
        page.Heading("Every tap");
        if (report.Isolated.Count == 0)
        {
            page.Paragraph("None was compared.");
            return;
        }

        page.Paragraph(
            "L2: ‖c − r‖₂/‖r‖₂, c the candidate's values and r the reference's, in float64; band: the same of legal "
            + "variants. SNR: −20·log₁₀(L2) decibels. Cosine: ⟨c, r⟩/(‖c‖₂·‖r‖₂). Error ÷ budget: the largest of "
            + "three, whole tap, worst token and worst element, each by its own budget; above 1 fails. The reference's "
            + "code lies in src/RingFlash.Reference/Operators/.");
        page.Table(
            [
                "id", "#values", "#L2", "#band", "#max |c − r|", "#ulps", "#SNR", "#cosine", "#error ÷ budget",
                "verdict", "note", "/reference",
            ],
            report.Isolated.Select(finding => (IReadOnlyList<string>)
            [
                PageText.Name(finding.Id),
                NumberText.Count(finding.Distance.Compared),
                NumberText.Error(finding.Distance.L2Relative),
                NumberText.Error(finding.Band.L2Relative),
                NumberText.Error(finding.Distance.MaxAbsolute),
                NumberText.Ulps(finding.Distance.MaxUlps),
                double.IsFinite(finding.Distance.SignalToNoise) ? Text($"{finding.Distance.SignalToNoise:0}") : "–",
                Text($"{finding.Distance.Cosine:0.######}"),
                finding.Verdict == Verdict.NotChecked ? "–" : NumberText.Multiple(finding.OverBudget),
                PageText.Word(finding.Verdict),
                NoteOf(finding),
                OperatorPage.FileOf(finding.Operators.LastOrDefault() ?? string.Empty),
            ]));
    }

    private static string NoteOf(TapFinding finding) => PageText.Line(string.Join("; ", new[]
    {
        finding.Recognised,
        finding.Note,
        finding.TokensLeftOut > 0 ? Text($"{finding.TokensLeftOut} tokens left out") : string.Empty,
    }.Where(part => part.Length > 0)));

    private static bool IsFailed(TapFinding finding) => finding.Verdict == Verdict.Failed;
}
