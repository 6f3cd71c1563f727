// Red here means that a machine reads another verdict than a person, cannot read the file, or that writing a report
// destroyed something.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using System.Threading.Tasks;
using System.Xml.Linq;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Objective.Theory;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class VerifyReportFileTests
{
    [Fact]
    public async Task JsonHoldsEveryMemberOfTheRecords()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("report.json");
        ToolRun run = await ToolRun.With(FakeReports.Everything(), "verify", "--engine", "all", "--json", path);
        Assert.Equal(1, run.Code);

        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement root = document.RootElement;
        Assert.Equal("ringflash-verify/1", root.GetProperty("schema").GetString());
        JsonElement missing = root.GetProperty("enginesNotAvailable");
        Assert.Equal(KernelHost.WhyNoCuda() is null ? 0 : 1, missing.GetArrayLength());
        Assert.All(missing.EnumerateArray(), engine => Assert.Equal("cuda", engine.GetProperty("engine").GetString()));
        Assert.Equal(FakeReports.Everything().Headline, root.GetProperty("headline").GetString());
        JsonElement failed = root.GetProperty("cases")[2];
        JsonElement tap = failed.GetProperty("taps")[1];
        AssertMembers<VerifyReport>(root);
        AssertMembers<CaseResult>(failed);
        AssertMembers<TapResult>(tap);
        AssertMembers<WorstElement>(tap.GetProperty("worst"));
        AssertMembers<RoutingResult>(failed.GetProperty("routing")[0]);
    }

    [Fact]
    public async Task JsonCarriesNaNInfinityAndExactNumbers()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("report.json");
        await ToolRun.With(FakeReports.Everything(), "verify", "--json", path);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement taps = document.RootElement.GetProperty("cases")[2].GetProperty("taps");
        JsonElement bad = taps[2];
        Assert.Equal("NaN", bad.GetProperty("maxAbsolute").GetString());
        Assert.Equal("Infinity", bad.GetProperty("maxRelative").GetString());
        Assert.Equal("NaN", bad.GetProperty("worst").GetProperty("ours").GetString());
        Assert.Equal(long.MaxValue, bad.GetProperty("maxUlps").GetInt64());
        Assert.Equal(JsonValueKind.Null, bad.GetProperty("maxUnits").ValueKind);
        Assert.Equal("failed", taps[1].GetProperty("verdict").GetString());
        Assert.Equal("not-checked", taps[3].GetProperty("verdict").GetString());
        Assert.Equal(4.76837158e-7, taps[1].GetProperty("maxAbsolute").GetDouble());
    }

    [Fact]
    public async Task JunitCountsAreThoseOfTheReport()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("report.xml");
        ToolRun run = await ToolRun.With(FakeReports.Everything(), "verify", "--junit", path);
        Assert.Equal(1, run.Code);

        XElement root = XDocument.Load(path).Root!;
        Assert.Equal("testsuites", root.Name.LocalName);
        Assert.Equal(5, root.Elements("testsuite").Count());
        AssertCounts(root, 16, 3, 2);
        XElement suite = root.Elements("testsuite").ElementAt(2);
        AssertCounts(suite, 6, 3, 1);
        XElement failed = suite.Elements("testcase").ElementAt(1);
        Assert.Equal("tiny-padded-f32.vector512.isolated", failed.Attribute("classname")!.Value);
        Assert.Equal("model.layers.1.post_attention_layernorm.output", failed.Attribute("name")!.Value);
        Assert.Contains("37.5 times its budget", Message(failed, "failure"), StringComparison.Ordinal);
        Assert.Contains(
            "not compared: model.rotary_emb.cos", suite.Element("system-out")!.Value, StringComparison.Ordinal);
        XElement notChecked = root.Elements("testsuite").ElementAt(4).Element("testcase")!;
        Assert.Contains("training cases", Message(notChecked, "skipped"), StringComparison.Ordinal);
    }

    [Fact]
    public void JunitIsRedForARunThatComparedNothing()
    {
        CaseResult run = FakeReports.PassedRun("x", "scalar", VerifyMode.Free) with { Taps = [], Routing = [] };
        AssertCounts(Junit(FakeReports.Report(run)), 1, 1, 0);
    }

    [Fact]
    public void HostileTextSurvivesBothFormats()
    {
        string hostile = "a\u001b\u0000\uFFFE\uD800<&\"]]>\n\U0001F600";
        CaseResult run = FakeReports.PassedRun(hostile, "scalar", VerifyMode.Free) with { Notes = [hostile] };
        XElement root = Junit(FakeReports.Report(run));
        string name = root.Element("testsuite")!.Attribute("name")!.Value;
        Assert.Equal("a\\u001b\\u0000\\ufffe\\ud800<&\"]]>\\u000a\U0001F600.scalar.free", name);

        using MemoryStream stream = new();
        VerifyReportJson.Write(stream, FakeReports.Report(run), []);
        using JsonDocument document = JsonDocument.Parse(stream.ToArray());
        string? parsed = document.RootElement.GetProperty("cases")[0].GetProperty("case").GetString();
        Assert.StartsWith("a\u001b\u0000", parsed, StringComparison.Ordinal);

        CompareReportFileTests.AssertHarmless(Pages.Parse(VerifyReportHtml.ToHtml(FakeReports.Report(run), [])));
    }

    [Theory]
    [InlineData("--html")]
    [InlineData("--json")]
    [InlineData("--junit")]
    public async Task AnOutputThatCannotBeWrittenIsFiveBeforeAnyWork(string option)
    {
        using TemporaryFolder folder = new();
        string readOnly = folder.Write("old", "old");
        File.SetAttributes(readOnly, FileAttributes.ReadOnly);
        foreach (string path in (string[])[folder.Path, folder.File("none/report"), readOnly, "/dev/null"])
        {
            ToolRun run = await ToolRun.With(_ => throw new InvalidOperationException("ran"), "verify", option, path);
            Assert.Equal(5, run.Code);
            Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        }

        Assert.Equal("old", File.ReadAllText(readOnly));
        File.SetAttributes(readOnly, FileAttributes.Normal);
    }

    [Theory]
    [InlineData("case.json")]
    [InlineData("config.json")]
    [InlineData("golden.safetensors")]
    public async Task AnOutputThatIsAnInputIsTwo(string name)
    {
        using TemporaryFolder folder = new();
        folder.Write("case.json", "golden");
        folder.Write(name, "golden");
        ToolRun run = await ToolRun.With(FakeReports.Passing(), "verify", folder.Path, "--json", folder.File(name));
        Assert.Equal(2, run.Code);
        Assert.Equal("golden", File.ReadAllText(folder.File(name)));

        ToolRun both = await ToolRun.With(
            FakeReports.Passing(), "verify", folder.Path, "--json", folder.File("r"), "--junit", folder.File("r"));
        Assert.Equal(2, both.Code);
        ToolRun pages = await ToolRun.With(
            FakeReports.Passing(), "verify", folder.Path, "--html", folder.File("r"), "--junit", folder.File("r"));
        Assert.Equal(2, pages.Code);
    }

    [Fact]
    public async Task ThePageHasAPicturePerCaseAndEngine()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("report.html");
        ToolRun run = await ToolRun.With(FakeReports.Everything(), "verify", "--html", path);
        Assert.Equal(1, run.Code);
        XDocument page = Pages.Parse(File.ReadAllText(path));
        CompareReportFileTests.AssertHarmless(page);
        Assert.Equal(FakeReports.Everything().Headline, page.Descendants("p").First().Value);
        string[] titles =
        [
            .. page.Root!.Element("body")!.Elements(Pages.Svg + "svg").Select(svg =>
                svg.Element(Pages.Svg + "title")!.Value),
        ];
        Assert.Equal(3, titles.Count(title => title == "Error per layer, isolated and free"));
        Assert.Equal(4, titles.Count(title => title.StartsWith("Choice of experts", StringComparison.Ordinal)));
        Assert.Contains(
            page.Descendants(Pages.Svg + "title"), hint => hint.Value == "mlp.shared_experts.output, 3: not finite");
        Assert.Contains(
            page.Descendants(Pages.Svg + "title"),
            hint => hint.Value == "post_attention_layernorm.output, 1: 37.5");
        Assert.Contains(page.Descendants("td"), cell => cell.Value == "RmsNorm.cs");
        Assert.Contains(page.Descendants("li"), item => item.Value == "model.rotary_emb.cos");
        Assert.Contains(page.Descendants("p"), text => text.Value.Contains("training cases", StringComparison.Ordinal));
    }

    [Fact]
    public void APageOfNothingSaysSo()
    {
        XDocument page = Pages.Parse(VerifyReportHtml.ToHtml(FakeReports.Empty(), []));
        Assert.Contains(page.Descendants("p"), text => text.Value == "Nothing was compared. This is not a pass.");
        Assert.Empty(page.Descendants(Pages.Svg + "svg"));
    }

    [Fact]
    public async Task AnOldReportIsReplaced()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("report.json", "old");
        await ToolRun.With(FakeReports.Passing(), "verify", "--json", path);
        Assert.StartsWith("{", File.ReadAllText(path), StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void AFullDiskKeepsTheOldFile()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("report.json", "old");
        EnvironmentException error = Assert.Throws<EnvironmentException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("new"u8);
            throw new IOException("no space", unchecked((int)0x80070070));
        }));
        Assert.Contains("disk is full", error.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    private static XElement Junit(VerifyReport report)
    {
        using MemoryStream stream = new();
        VerifyReportJunit.Write(stream, report);
        stream.Position = 0;
        return XDocument.Load(stream).Root!;
    }

    private static string Message(XElement test, string outcome) =>
        test.Element(outcome)!.Attribute("message")!.Value;

    private static void AssertCounts(XElement element, int tests, int failures, int skipped)
    {
        Assert.Equal(tests, (int)element.Attribute("tests")!);
        Assert.Equal(failures, (int)element.Attribute("failures")!);
        Assert.Equal(skipped, (int)element.Attribute("skipped")!);
        Assert.Equal(tests, element.DescendantsAndSelf("testcase").Count());
        Assert.Equal(failures, element.Descendants("failure").Count());
        Assert.Equal(skipped, element.Descendants("skipped").Count());
    }

    private static void AssertMembers<TRecord>(JsonElement element)
    {
        HashSet<string> names = [.. element.EnumerateObject().Select(member => member.Name)];
        foreach (PropertyInfo property in typeof(TRecord).GetProperties())
        {
            string name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
            Assert.Contains(name == "elapsed" ? "elapsedSeconds" : name, names);
        }
    }
}
