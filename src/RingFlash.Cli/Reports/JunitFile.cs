using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Xml;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>One test of a suite.</summary>
/// <param name="Name">Its name: the same in every run, so that CI can keep a history.</param>
/// <param name="Verdict">What became of it; what was not checked is skipped.</param>
/// <param name="Message">Why it failed or was skipped.</param>
internal sealed record JunitTest(string Name, Verdict Verdict, string Message);

/// <summary>Tests that belong together.</summary>
/// <param name="Name">The suite's name and its tests' class name.</param>
/// <param name="Tests">The tests.</param>
/// <param name="Remarks">Lines beside them.</param>
/// <param name="Elapsed">The time of all.</param>
internal sealed record JunitSuite(
    string Name, IReadOnlyList<JunitTest> Tests, IReadOnlyList<string> Remarks, TimeSpan Elapsed);

/// <summary>JUnit's XML, as CI systems read it.</summary>
internal static class JunitFile
{
    /// <summary>Writes the document.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="name">The name of the whole.</param>
    /// <param name="suites">The suites.</param>
    /// <param name="elapsed">The time of the whole.</param>
    public static void Write(Stream stream, string name, IReadOnlyList<JunitSuite> suites, TimeSpan elapsed)
    {
        XmlWriterSettings settings = new() { Indent = true, Encoding = new UTF8Encoding(false), CloseOutput = false };
        using XmlWriter xml = XmlWriter.Create(stream, settings);
        xml.WriteStartElement("testsuites");
        xml.WriteAttributeString("name", name);
        WriteTotals(xml, [.. suites.SelectMany(suite => suite.Tests)], elapsed);
        foreach (JunitSuite suite in suites)
        {
            WriteSuite(xml, suite);
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

    private static void WriteSuite(XmlWriter xml, JunitSuite suite)
    {
        string name = Clean(suite.Name);
        xml.WriteStartElement("testsuite");
        xml.WriteAttributeString("name", name);
        WriteTotals(xml, suite.Tests, suite.Elapsed);
        foreach (JunitTest test in suite.Tests)
        {
            xml.WriteStartElement("testcase");
            xml.WriteAttributeString("classname", name);
            xml.WriteAttributeString("name", Clean(test.Name));
            xml.WriteAttributeString("time", "0");
            if (test.Verdict != Verdict.Passed)
            {
                xml.WriteStartElement(test.Verdict == Verdict.Failed ? "failure" : "skipped");
                xml.WriteAttributeString("message", Clean(test.Message));
                xml.WriteEndElement();
            }

            xml.WriteEndElement();
        }

        if (suite.Remarks.Count > 0)
        {
            xml.WriteElementString("system-out", string.Join('\n', suite.Remarks.Select(Clean)));
        }

        xml.WriteEndElement();
    }

    private static void WriteTotals(XmlWriter xml, IReadOnlyList<JunitTest> tests, TimeSpan elapsed)
    {
        xml.WriteAttributeString("tests", Text(tests.Count));
        xml.WriteAttributeString("failures", Text(tests.Count(test => test.Verdict == Verdict.Failed)));
        xml.WriteAttributeString("errors", "0");
        xml.WriteAttributeString("skipped", Text(tests.Count(test => test.Verdict == Verdict.NotChecked)));
        xml.WriteAttributeString("time", elapsed.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture));
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
