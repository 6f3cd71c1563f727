using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Diagnosis;
using static RingFlash.Cli.Reports.JsonValues;

namespace RingFlash.Cli.Reports;

/// <summary>A diagnosis for machines, schema <c>ringflash-diagnose/1</c>: the records, member for member.</summary>
internal static class DiagnosisReportJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-diagnose/1";

    /// <summary>The schema's name of the catalogue.</summary>
    public const string CatalogueSchema = "ringflash-mistakes/1";

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    public static void Save(string path, DiagnosisReport report) => JsonFile.Save(path, Schema, json =>
    {
        json.WriteString("reference", report.Comparison.Reference);
        json.WriteString("candidate", report.Comparison.Candidate);
        json.WriteString("precision", report.Comparison.Precision);
        json.WriteString("outcome", WordOf(report.Outcome));
        json.WriteString("headline", report.Headline);
        json.WriteNumber("exitCode", report.ExitCode);
        json.WriteStartArray("findings");
        foreach (DiagnosisFinding finding in report.Findings)
        {
            WriteFinding(json, finding);
        }

        json.WriteEndArray();
        Strings(json, "notExplained", report.NotExplained);
        json.WriteStartArray("hints");
        foreach (DiagnosisHint hint in report.Hints)
        {
            json.WriteStartObject();
            WriteMistakes(json, "mistakes", hint.Mistakes);
            Real(json, "distance", hint.Distance);
            Real(json, "referenceDistance", hint.Reference);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        Strings(json, "excluded", report.Excluded);
        Strings(json, "notShown", report.NotShown);
        Strings(json, "notRun", report.NotRun);
        json.WriteNumber("twins", report.TwinsRun);
        json.WriteNumber("pairs", report.PairsRun);
        Strings(json, "notes", [.. report.Comparison.Preflight, .. report.Comparison.Notes, .. report.Notes]);
        json.WriteString("firstFault", report.Comparison.FirstFault?.Id);
        Real(json, "elapsedSeconds", report.Elapsed.TotalSeconds);
    });

    /// <summary>Writes the catalogue.</summary>
    /// <param name="path">The file.</param>
    public static void SaveCatalogue(string path) => JsonFile.Save(path, CatalogueSchema, json =>
    {
        json.WriteStartArray("mistakes");
        foreach (Mistake mistake in MistakeCatalogue.All)
        {
            json.WriteStartObject();
            json.WriteString("id", mistake.Id);
            json.WriteString("sentence", mistake.Sentence);
            json.WriteString("actsIn", DiagnosisReportTable.Words(mistake.Blocks));
            json.WriteString("wrong", mistake.Wrong);
            json.WriteString("right", mistake.Right);
            json.WriteString("seenIn", mistake.SeenIn);
            Strings(json, "ways", [.. mistake.Variants.Select(variant => variant.Value)]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private static string WordOf(DiagnosisOutcome outcome) => outcome switch
    {
        DiagnosisOutcome.NoMistake => "no-mistake",
        DiagnosisOutcome.Explained => "explained",
        DiagnosisOutcome.PartlyExplained => "partly-explained",
        DiagnosisOutcome.NotExplained => "not-explained",
        _ => "not-checked",
    };

    private static void WriteFinding(Utf8JsonWriter json, DiagnosisFinding finding)
    {
        json.WriteStartObject();
        WriteMistakes(json, "mistakes", finding.Mistakes);
        WriteLists(json, "notToldApart", finding.NotToldApart);
        WriteLists(json, "lessLikely", finding.LessLikely);
        json.WriteString("where", finding.Where);
        json.WriteString("notMadeIn", finding.NotMadeIn);
        Strings(json, "explains", finding.Explains);
        Real(json, "overBudget", finding.OverBudget);
        Real(json, "referenceOverBudget", finding.WithoutIt);
        json.WriteEndObject();
    }

    private static void WriteLists(
        Utf8JsonWriter json, string name, IReadOnlyList<IReadOnlyList<NamedMistake>> lists)
    {
        json.WriteStartArray(name);
        foreach (IReadOnlyList<NamedMistake> list in lists)
        {
            json.WriteStartArray();
            foreach (NamedMistake mistake in list)
            {
                WriteMistake(json, mistake);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void WriteMistakes(Utf8JsonWriter json, string name, IReadOnlyList<NamedMistake> mistakes)
    {
        json.WriteStartArray(name);
        foreach (NamedMistake mistake in mistakes)
        {
            WriteMistake(json, mistake);
        }

        json.WriteEndArray();
    }

    private static void WriteMistake(Utf8JsonWriter json, NamedMistake mistake)
    {
        json.WriteStartObject();
        json.WriteString("id", mistake.Mistake.Id);
        json.WriteString("way", mistake.Value);
        json.WriteString("sentence", mistake.Mistake.Sentence);
        json.WriteString("seenIn", mistake.Mistake.SeenIn);
        json.WriteEndObject();
    }
}
