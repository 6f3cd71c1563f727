using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Xml;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>A report for CI: one suite per run, one test per tap and per router.</summary>
internal static class VerifyReportJunit
{
    private enum Outcome
    {
        Passed,
        Failed,
        Skipped,
    }

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    public static void Save(string path, VerifyReport report) =>
        AtomicFile.Write(path, stream => Write(stream, report));

    /// <summary>Writes a report.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="report">The report.</param>
    public static void Write(Stream stream, VerifyReport report)
    {
        (CaseResult Run, IReadOnlyList<Test> Tests)[] suites = [.. report.Cases.Select(run => (run, TestsOf(run)))];
        XmlWriterSettings settings = new() { Indent = true, Encoding = new UTF8Encoding(false), CloseOutput = false };
        using XmlWriter xml = XmlWriter.Create(stream, settings);
        xml.WriteStartElement("testsuites");
        xml.WriteAttributeString("name", "ringflash verify");
        WriteTotals(xml, [.. suites.SelectMany(suite => suite.Tests)], report.Elapsed);
        foreach ((CaseResult run, IReadOnlyList<Test> tests) in suites)
        {
            WriteSuite(xml, run, tests);
        }

        xml.WriteEndElement();
    }

    /// <summary>Makes any text fit for XML, which has no way to write most control characters.</summary>
    /// <param name="text">Any text.</param>
    /// <returns>The text with what XML forbids, and line breaks, in the form <c>\u001b</c>.</returns>
    public static string Clean(string text)
    {
        StringBuilder clean = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            char character = text[i];
            if (i + 1 < text.Length && char.IsSurrogatePair(character, text[i + 1]))
            {
                clean.Append(character).Append(text[++i]);
            }
            else if (char.IsControl(character) || !XmlConvert.IsXmlChar(character))
            {
                clean.Append("\\u").Append(((int)character).ToString("x4", CultureInfo.InvariantCulture));
            }
            else
            {
                clean.Append(character);
            }
        }

        return clean.ToString();
    }

    private static IReadOnlyList<Test> TestsOf(CaseResult run)
    {
        if (run.NotCheckedReason.Length > 0)
        {
            return [new Test("case", Outcome.Skipped, run.NotCheckedReason)];
        }

        List<Test> tests = [.. run.Taps.Select(TestOf), .. run.Routing.Select(TestOf)];

        // A run can fail without a tap that does: a tensor is missing, or nothing was compared. CI must see it red.
        if (run.Verdict == Verdict.Failed && tests.All(test => test.Outcome != Outcome.Failed))
        {
            string why = run.FirstFailure.Length > 0 ? run.FirstFailure : "nothing was compared";
            tests.Add(new Test("case", Outcome.Failed, why));
        }

        return tests;
    }

    private static Test TestOf(TapResult tap)
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
        return new Test(tap.Tap, OutcomeOf(tap.Verdict), line);
    }

    private static Test TestOf(RoutingResult router) => new(
        router.Gate,
        OutcomeOf(router.Verdict),
        router.Verdict == Verdict.Failed
            ? $"{router.Wrong} of {router.Tokens} tokens have wrong experts, {router.NearTies} near ties; {router.Note}"
            : router.Note);

    private static Outcome OutcomeOf(Verdict verdict) => verdict switch
    {
        Verdict.Passed => Outcome.Passed,
        Verdict.Failed => Outcome.Failed,
        _ => Outcome.Skipped,
    };

    private static void WriteSuite(XmlWriter xml, CaseResult run, IReadOnlyList<Test> tests)
    {
        string name = Clean($"{run.Case}.{run.Engine}.{VerifyReport.ModeWord(run.Mode)}");
        xml.WriteStartElement("testsuite");
        xml.WriteAttributeString("name", name);
        WriteTotals(xml, tests, run.Elapsed);
        foreach (Test test in tests)
        {
            xml.WriteStartElement("testcase");
            xml.WriteAttributeString("classname", name);
            xml.WriteAttributeString("name", Clean(test.Name));
            xml.WriteAttributeString("time", "0");
            if (test.Outcome != Outcome.Passed)
            {
                xml.WriteStartElement(test.Outcome == Outcome.Failed ? "failure" : "skipped");
                xml.WriteAttributeString("message", Clean(test.Message));
                xml.WriteEndElement();
            }

            xml.WriteEndElement();
        }

        string[] remarks = [.. run.NotCompared.Select(tensor => $"not compared: {tensor}"), .. run.Notes];
        if (remarks.Length > 0)
        {
            xml.WriteElementString("system-out", string.Join('\n', remarks.Select(Clean)));
        }

        xml.WriteEndElement();
    }

    private static void WriteTotals(XmlWriter xml, IReadOnlyList<Test> tests, TimeSpan elapsed)
    {
        xml.WriteAttributeString("tests", Text(tests.Count));
        xml.WriteAttributeString("failures", Text(tests.Count(test => test.Outcome == Outcome.Failed)));
        xml.WriteAttributeString("errors", "0");
        xml.WriteAttributeString("skipped", Text(tests.Count(test => test.Outcome == Outcome.Skipped)));
        xml.WriteAttributeString("time", elapsed.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture));
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    private sealed record Test(string Name, Outcome Outcome, string Message);
}
