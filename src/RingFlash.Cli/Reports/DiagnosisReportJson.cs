using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
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
    public static void Save(string path, DiagnosisReport report) => Write(path, json =>
    {
        json.WriteString("schema", Schema);
        json.WriteString("reference", report.Comparison.Reference);
        json.WriteString("candidate", report.Comparison.Candidate);
        json.WriteString("precision", report.Comparison.Precision);
        json.WriteString("outcome", WordOf(report.Outcome));
        json.WriteString("headline", report.Headline);
        json.WriteStartArray("findings");
        foreach (DiagnosisFinding finding in report.Findings)
        {
            WriteFinding(json, finding);
        }

        json.WriteEndArray();
        Strings(json, "not_explained", report.NotExplained);
        json.WriteStartArray("hints");
        foreach (DiagnosisHint hint in report.Hints)
        {
            json.WriteStartObject();
            WriteMistakes(json, "mistakes", hint.Mistakes);
            Real(json, "distance", hint.Distance);
            Real(json, "reference_distance", hint.Reference);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        Strings(json, "excluded", report.Excluded);
        Strings(json, "not_shown", report.NotShown);
        Strings(json, "not_run", report.NotRun);
        json.WriteNumber("twins", report.TwinsRun);
        json.WriteNumber("pairs", report.PairsRun);
        Strings(json, "notes", [.. report.Comparison.Preflight, .. report.Comparison.Notes, .. report.Notes]);
        json.WriteString("first_fault", report.Comparison.FirstFault?.Id);
        json.WriteNumber("seconds", report.Elapsed.TotalSeconds);
    });

    /// <summary>Writes the catalogue.</summary>
    /// <param name="path">The file.</param>
    public static void SaveCatalogue(string path) => Write(path, json =>
    {
        json.WriteString("schema", CatalogueSchema);
        json.WriteStartArray("mistakes");
        foreach (Mistake mistake in MistakeCatalogue.All)
        {
            json.WriteStartObject();
            json.WriteString("id", mistake.Id);
            json.WriteString("sentence", mistake.Sentence);
            json.WriteString("acts_in", DiagnosisReportTable.Words(mistake.Blocks));
            json.WriteString("wrong", mistake.Wrong);
            json.WriteString("right", mistake.Right);
            json.WriteString("seen_in", mistake.SeenIn);
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

    private static void Write(string path, System.Action<Utf8JsonWriter> body) => AtomicFile.Write(path, stream =>
    {
        JsonWriterOptions options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        body(json);
        json.WriteEndObject();
    });

    private static void WriteFinding(Utf8JsonWriter json, DiagnosisFinding finding)
    {
        json.WriteStartObject();
        WriteMistakes(json, "mistakes", finding.Mistakes);
        WriteLists(json, "not_told_apart", finding.NotToldApart);
        WriteLists(json, "less_likely", finding.LessLikely);
        json.WriteString("where", finding.Where);
        json.WriteString("not_made_in", finding.NotMadeIn);
        Strings(json, "explains", finding.Explains);
        Real(json, "over_budget", finding.OverBudget);
        Real(json, "reference_over_budget", finding.WithoutIt);
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
        json.WriteString("seen_in", mistake.Mistake.SeenIn);
        json.WriteEndObject();
    }
}
