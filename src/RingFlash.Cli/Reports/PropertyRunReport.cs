using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective.Properties;

namespace RingFlash.Cli.Reports;

/// <summary>Verdicts on properties: a table and the counterexamples for people, everything for machines.</summary>
internal static class PropertyRunReport
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-icepop-properties/1";

    /// <summary>Writes the verdict, the table, and a paragraph for each failure.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="colour">Whether colours are wanted.</param>
    /// <param name="run">What was asked for.</param>
    /// <param name="reports">What came out.</param>
    public static void Write(
        TextWriter output, bool colour, PropertyRun run, IReadOnlyList<PropertyReport> reports)
    {
        int failed = reports.Count(report => report.Verdict == PropertyVerdict.Fail);
        int held = reports.Count(report => report.Verdict == PropertyVerdict.Pass);
        int unreached = reports.Count - failed - held;
        output.WriteLine(
            (failed > 0 ? $"FAILED: {failed} of {reports.Count} properties do not hold"
                : held == 0 ? "FAILED: no property was reached"
                : $"{held} properties hold on every case")
            + (unreached > 0 ? $", {unreached} not reached" : string.Empty));
        output.WriteLine($"of: {InvalidInputException.Escape(run.Program ?? "this library")}");
        output.WriteLine();
        ReportTable table = new(
            new ReportColumn("no.", 4),
            new ReportColumn("about", 9),
            new ReportColumn("statement", 62),
            new ReportColumn("cases", 8, true),
            new ReportColumn("verdict", 11));
        foreach (PropertyReport report in reports)
        {
            table.Add(
                report.Property.Number,
                Word(report.Property.Subject),
                report.Property.Statement,
                Cases(report).ToString(CultureInfo.InvariantCulture),
                report.Verdict == PropertyVerdict.Fail ? "FAILED" : Word(report.Verdict));
        }

        table.Write(ReportConsole.Create(output, colour));

        // Not through the console: it would break a line that somebody wants to copy.
        foreach (PropertyReport report in reports.Where(report => report.Failure is not null))
        {
            output.WriteLine();
            output.WriteLine($"{report.Property.Number}: {InvalidInputException.Escape(report.Failure!)}");
            output.WriteLine($"again: {Replay(run, report)}");
        }
    }

    /// <summary>Writes everything.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="run">What was asked for.</param>
    /// <param name="reports">What came out.</param>
    public static void WriteJson(Stream stream, PropertyRun run, IReadOnlyList<PropertyReport> reports)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteString("program", run.Program);
        json.WriteString("seed", string.Create(CultureInfo.InvariantCulture, $"0x{run.Seed:x16}"));
        json.WriteNumber("count", run.Count);
        json.WriteString("tolerance", run.ToleranceWord);
        json.WriteStartArray("properties");
        foreach (PropertyReport report in reports)
        {
            json.WriteStartObject();
            json.WriteString("number", report.Property.Number);
            json.WriteString("subject", Word(report.Property.Subject));
            json.WriteString("statement", report.Property.Statement);
            json.WriteString("verdict", Word(report.Verdict));
            json.WriteNumber("passed", report.Passed);
            json.WriteNumber("not_reached", report.NotApplicable);
            json.WriteStartObject("edges");
            foreach ((string edge, int count) in report.Edges)
            {
                json.WriteNumber(edge, count);
            }

            json.WriteEndObject();
            json.WriteString("counterexample", report.Failure);
            json.WriteString("replay", report.Failure is null ? null : Replay(run, report));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static int Cases(PropertyReport report) => report.Passed + (report.Failure is null ? 0 : 1);

    private static string Word(PropertySubject subject) => subject == PropertySubject.Loss ? "loss" : "operators";

    private static string Word(PropertyVerdict verdict) => verdict switch
    {
        PropertyVerdict.Pass => "holds",
        PropertyVerdict.Fail => "failed",
        _ => "not reached",
    };

    private static string Replay(PropertyRun run, PropertyReport report) =>
        "ringflash icepop properties"
        + (run.Program is null ? string.Empty : $" --program {Quoted(run.Program)}")
        + (run.ToleranceWord == "strict" ? string.Empty : $" --tolerance {run.ToleranceWord}")
        + $" {report.Replay}";

    private static string Quoted(string program) =>
        program.Contains('"') ? $"'{InvalidInputException.Escape(program)}'"
            : $"\"{InvalidInputException.Escape(program)}\"";
}
