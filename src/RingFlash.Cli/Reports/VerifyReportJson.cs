using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Verification;
using static RingFlash.Cli.Reports.JsonValues;

namespace RingFlash.Cli.Reports;

/// <summary>
/// A report for machines, schema <c>ringflash-verify/1</c>: the records, member for member, with durations in seconds.
/// JSON has no NaN and no infinity; they are the strings <c>"NaN"</c>, <c>"Infinity"</c>, <c>"-Infinity"</c>.
/// </summary>
/// <remarks>Written member by member, so that renaming a record's member cannot change the schema unnoticed.</remarks>
internal static class VerifyReportJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-verify/1";

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    /// <param name="missing">Engines that were wanted and are not here.</param>
    public static void Save(string path, VerifyReport report, IReadOnlyList<MissingEngine> missing) =>
        AtomicFile.Write(path, stream => Write(stream, report, missing));

    /// <summary>Writes a report.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="report">The report.</param>
    /// <param name="missing">Engines that were wanted and are not here.</param>
    public static void Write(Stream stream, VerifyReport report, IReadOnlyList<MissingEngine> missing) =>
        JsonFile.Write(stream, Schema, json => WriteReport(json, report, missing));

    private static void WriteReport(Utf8JsonWriter json, VerifyReport report, IReadOnlyList<MissingEngine> missing)
    {
        json.WriteString("headline", report.Headline);
        json.WriteNumber("exitCode", report.ExitCode);
        json.WriteNumber("passed", report.Passed);
        json.WriteNumber("failed", report.Failed);
        json.WriteNumber("notChecked", report.NotChecked);
        Real(json, "elapsedSeconds", report.Elapsed.TotalSeconds);
        json.WriteNumber("peakMemoryBytes", report.PeakMemoryBytes);
        json.WriteNumber("threadCount", report.ThreadCount);
        json.WriteStartArray("enginesNotAvailable");
        foreach (MissingEngine engine in missing)
        {
            json.WriteStartObject();
            json.WriteString("engine", engine.Engine);
            json.WriteString("reason", engine.Reason);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("cases");
        foreach (CaseResult run in report.Cases)
        {
            WriteCase(json, run);
        }

        json.WriteEndArray();
    }

    private static void WriteCase(Utf8JsonWriter json, CaseResult run)
    {
        json.WriteStartObject();
        json.WriteString("case", run.Case);
        json.WriteString("folder", run.Folder);
        json.WriteString("kind", run.Kind);
        json.WriteString("engine", run.Engine);
        json.WriteString("mode", VerifyReport.ModeWord(run.Mode));
        json.WriteString("precision", run.Precision);
        json.WriteString("verdict", Word(run.Verdict));
        json.WriteString("firstFailure", run.FirstFailure);
        json.WriteString("notCheckedReason", run.NotCheckedReason);
        json.WriteNumber("compared", run.Compared);
        Real(json, "elapsedSeconds", run.Elapsed.TotalSeconds);
        Real(json, "weightShare", run.WeightShare);
        Real(json, "modelShare", run.ModelShare);
        Real(json, "compareShare", run.CompareShare);
        Strings(json, "notCompared", run.NotCompared);
        Strings(json, "notes", run.Notes);
        json.WriteStartArray("taps");
        foreach (TapResult tap in run.Taps)
        {
            WriteTap(json, tap);
        }

        json.WriteEndArray();
        json.WriteStartArray("routing");
        foreach (RoutingResult router in run.Routing)
        {
            WriteRouting(json, router);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteTap(Utf8JsonWriter json, TapResult tap)
    {
        json.WriteStartObject();
        json.WriteString("tap", tap.Tap);
        json.WriteString("operator", tap.Operator);
        Strings(json, "path", tap.Path);
        json.WriteString("verdict", Word(tap.Verdict));
        json.WriteNumber("compared", tap.Compared);
        json.WriteNumber("behindNearTie", tap.BehindNearTie);
        Real(json, "maxAbsolute", tap.MaxAbsolute);
        Real(json, "maxRelative", tap.MaxRelative);
        Real(json, "l2Relative", tap.L2Relative);
        json.WriteNumber("maxUlps", tap.MaxUlps);
        Real(json, "maxUnits", tap.MaxUnits);
        Real(json, "maxRelativeBudget", tap.MaxRelativeBudget);
        Real(json, "l2Budget", tap.L2Budget);
        Real(json, "unitsBudget", tap.UnitsBudget);
        Real(json, "overBudget", tap.OverBudget);
        if (tap.Worst is { } worst)
        {
            json.WriteStartObject("worst");
            json.WriteString("index", worst.Index);
            json.WriteNumber("token", worst.Token);
            Real(json, "ours", worst.Ours);
            Real(json, "golden", worst.Golden);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("worst");
        }

        json.WriteString("note", tap.Note);
        json.WriteEndObject();
    }

    private static void WriteRouting(Utf8JsonWriter json, RoutingResult router)
    {
        json.WriteStartObject();
        json.WriteString("gate", router.Gate);
        json.WriteString("verdict", Word(router.Verdict));
        json.WriteNumber("tokens", router.Tokens);
        json.WriteNumber("sameExperts", router.SameExperts);
        json.WriteNumber("sameOrder", router.SameOrder);
        json.WriteNumber("sameGroups", router.SameGroups);
        json.WriteNumber("nearTies", router.NearTies);
        json.WriteNumber("wrong", router.Wrong);
        json.WriteNumber("behindNearTie", router.BehindNearTie);
        Real(json, "smallestMargin", router.SmallestMargin);
        Real(json, "scoreError", router.ScoreError);
        json.WriteString("note", router.Note);
        json.WriteEndObject();
    }
}
