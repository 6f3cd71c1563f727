// Red here means that the page, the JUnit file or the JSON of a comparison says another thing than the report, cannot
// be read, or lets a name from a dump become markup.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using System.Xml.Linq;
using RingFlash.Cli;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Objective.Theory;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class CompareReportFileTests
{
    private const string Hostile = "<script>alert(1)</script><img src=x onerror=y>&\"']]>\u001b\u0000\uFFFE\uD800\n";

    [Fact]
    public void ThePageIsOneFileThatFetchesNothing()
    {
        XDocument page = Pages.Parse(CompareReportHtml.ToHtml(FakeComparisons.Everything(text => text)));
        AssertHarmless(page);
        Assert.Equal("DIFFERS: layer 1, residual: ResidualAdd", page.Descendants("p").First().Value);
        Assert.Equal(
            [
                "Before any number", "Notes", "The first wrong value", "Errors along the layers", "Tokens by layers",
                "Sizes of errors", "Routers", "Logits", "What was not compared", "Every tap",
            ],
            page.Descendants("h2").Select(heading => heading.Value));
        Assert.Equal(8, page.Descendants(Pages.Svg + "svg").Count(svg => svg.Parent!.Name == "body"));
    }

    [Fact]
    public void TheStripHasACellPerTokenAndLayer()
    {
        XDocument page = Pages.Parse(CompareReportHtml.ToHtml(FakeComparisons.Everything(text => text)));
        XElement[] strips = [.. Pictures(page, "Tokens by layers")];
        Assert.Equal(2, strips.Length);
        string[] isolated = Hints(strips[0]);
        Assert.Equal((FakeComparisons.Layers + 1) * FakeComparisons.Tokens, isolated.Length); // and the final norm
        Assert.Equal("layer 1, 0: 40", isolated[FakeComparisons.Tokens]);
        Assert.Equal("layer 1, 3: 20", isolated[FakeComparisons.Tokens + 3]);
        Assert.Equal(
            [
                "layer 0, 0: 0.4", "layer 0, 1: not compared", "layer 0, 2: 0", "layer 0, 3: 0.2",
                "layer 0, 4: not finite",
            ],
            isolated[..FakeComparisons.Tokens]);
        Assert.Equal(FakeComparisons.Layers * FakeComparisons.Tokens, Hints(strips[1]).Length);
    }

    [Fact]
    public void ThePicturesHoldTheNumbers()
    {
        XDocument page = Pages.Parse(CompareReportHtml.ToHtml(FakeComparisons.Everything(text => text)));
        Assert.Equal(
            ["0: 4,000", "1: 800", "2–3: 120", "4–7: 16", "≥2⁴: 4"],
            Hints(Pictures(page, "Values by error: all taps").Single()));
        Assert.Equal(
            ["0: 1,000", "1: 200", "2–3: 30", "4–7: 4", "≥2⁴: 1"],
            Hints(Pictures(page, "Values by error: the first wrong tap").Single()));
        Assert.Equal(
            ["1: same experts 5", "2: same experts 3", "2: near tie 1", "2: wrong 1"],
            Hints(Pictures(page, "Choice of experts").Single()));
        Assert.Equal(
            ["output, 0: 0.4", "output, 1: 40", "output, 2: 0.4", "model.norm.output, 3: not compared"],
            Hints(Pictures(page, "Taps by layers").Single()));

        XElement errors = Pictures(page, "Error per layer").Single();
        Assert.Equal(2, errors.Descendants(Pages.Svg + "path").Count(path =>
            path.Attribute("fill-opacity") is not null
            && path.Attribute("d")!.Value.Count(letter => letter == 'M') == FakeComparisons.Layers));
        Assert.Equal(2 * FakeComparisons.Layers, errors.Descendants(Pages.Svg + "circle").Count());
        foreach (string number in (string[])["1.23e-02", "2.34e-02", "60 %", "321", "-0.123456789", "1.00e-12"])
        {
            Assert.Contains(page.Descendants("td"), cell => cell.Value == number);
        }
    }

    [Fact]
    public void NamesFromADumpAreText()
    {
        string longName = new('A', 4096);
        ComparisonReport report = FakeComparisons.Everything(text => Hostile + text + longName);
        string html = CompareReportHtml.ToHtml(report);
        AssertHarmless(Pages.Parse(html));
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(new string('A', 601), html, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", html, StringComparison.Ordinal);
        Assert.Contains("\\u001b\\u0000", html, StringComparison.Ordinal);

        XElement junit = Junit(report);
        Assert.All(
            junit.Descendants("testcase"),
            test => Assert.DoesNotContain(test.Attribute("name")!.Value, char.IsControl));
    }

    [Fact]
    public void AnEmptyComparisonSaysSo()
    {
        XDocument page = Pages.Parse(CompareReportHtml.ToHtml(FakeComparisons.Empty()));
        Assert.Contains(
            page.Descendants("p"), paragraph => paragraph.Value == "Nothing was compared. This is not a pass.");
        XElement junit = Junit(FakeComparisons.Empty());
        Assert.Equal(1, (int)junit.Attribute("failures")!);
        Assert.Contains("NOT CHECKED", junit.Descendants("failure").Single().Attribute("message")!.Value);
    }

    [Fact]
    public void JunitHasATestPerTapAndRouterAndGap()
    {
        XElement junit = Junit(FakeComparisons.Everything(text => text));
        Assert.Equal(
            [
                "verdict failure",
                "0/ResidualAdd/model.layers.0.output ",
                "1/ResidualAdd/model.layers.1.output failure",
                "2/ResidualAdd/model.layers.2.output ",
                "-/ResidualAdd/model.norm.output skipped",
                "1/GroupLimitedTopK/model.layers.1.mlp.gate.topk_idx ",
                "2/GroupLimitedTopK/model.layers.2.mlp.gate.topk_idx failure",
                "missing/model.layers.2.mlp.output skipped",
                "double/lm_head.output skipped",
                "not-compared/model.layers.3.output skipped",
            ],
            junit.Descendants("testcase").Select(test =>
                $"{test.Attribute("name")!.Value} {test.Elements().SingleOrDefault()?.Name.LocalName}"));
        Assert.Equal(3, (int)junit.Attribute("failures")!);
        Assert.Equal(4, (int)junit.Attribute("skipped")!);
        string message = junit.Descendants("failure").ElementAt(1).Attribute("message")!.Value;
        Assert.Contains("40.0 times the budget at token 3, [0, 3, 17]: candidate 0.25", message);
        Assert.Contains("reference code: src/RingFlash.Reference/Operators/ResidualAdd/ResidualAdd.cs", message);
    }

    [Fact]
    public void EveryOperatorOfTheFlowHasAPage()
    {
        ModelConfiguration tiny =
            ConfigurationReader.ReadFile(Path.Combine(RepositoryRoot.Path, "golden", "tiny-f32", "config.json"));
        string[] files =
        [
            .. new DataFlow(tiny).Nodes.SelectMany(node => node.Operators).Append(string.Empty).Append("Concatenate")
                .Append("Float8BlockMatrix").Append("Float8E4M3").Append("KeyValueCache").Distinct()
                .Select(OperatorPage.FileOf),
        ];
        Assert.True(files.Length > 12);
        Assert.All(files, file => Assert.True(File.Exists(Path.Combine(RepositoryRoot.Path, file)), file));
    }

    [Fact]
    public async Task TheToolWritesAllThreeAndTheIdsAreThoseOfTheNextRun()
    {
        using TemporaryFolder folder = new();
        string golden = Path.Combine(RepositoryRoot.Path, "golden", "tiny-f32");
        string dump = folder.File("dump.safetensors");
        File.Copy(Path.Combine(golden, "golden.safetensors"), dump);
        string[] names = [], ids = [];
        foreach (string run in (string[])["first", "second"])
        {
            string html = folder.File($"{run}.html"), json = folder.File($"{run}.json");
            string xml = folder.File($"{run}.xml");
            ToolRun tool = await Compare(golden, dump, "--html", html, "--json", json, "--junit", xml);
            Assert.Equal(0, tool.Code);
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(json));
            string headline = document.RootElement.GetProperty("headline").GetString()!;
            XDocument page = Pages.Parse(File.ReadAllText(html));
            AssertHarmless(page);
            Assert.Equal(headline, page.Descendants("p").First().Value);
            string[] inJson =
            [
                .. document.RootElement.GetProperty("isolated").EnumerateArray()
                    .Concat(document.RootElement.GetProperty("routers").EnumerateArray())
                    .Select(finding => finding.GetProperty("id").GetString()!),
            ];
            string[] inXml =
                [.. XDocument.Load(xml).Descendants("testcase").Select(test => test.Attribute("name")!.Value)];
            Assert.Equal(inXml.Length, inXml.Distinct().Count());
            Assert.Subset(inXml.ToHashSet(), inJson.ToHashSet());
            Assert.True(inJson.Length > 50, $"{inJson.Length} ids");
            Assert.Equal(run == "first" ? inXml : names, inXml);
            Assert.Equal(run == "first" ? inJson : ids, inJson);
            (names, ids) = (inXml, inJson);
        }
    }

    [Fact]
    public async Task AValueThatIsNoneIsTheWorstOfItsTapAndBlackInTheStrip()
    {
        using TemporaryFolder folder = new();
        string golden = Path.Combine(RepositoryRoot.Path, "golden", "tiny-f32");
        byte[] dump = File.ReadAllBytes(Path.Combine(golden, "golden.safetensors"));
        int header = (int)BitConverter.ToInt64(dump);
        using (JsonDocument tensors = JsonDocument.Parse(dump.AsMemory(8, header)))
        {
            JsonElement tensor = tensors.RootElement.GetProperty("model.layers.1.output");
            int width = tensor.GetProperty("shape")[2].GetInt32();
            int first = 8 + header + tensor.GetProperty("data_offsets")[0].GetInt32();
            BitConverter.TryWriteBytes(dump.AsSpan(first + (sizeof(float) * ((3 * width) + 7))), float.NaN);
        }

        string path = folder.Write("dump.safetensors", dump);
        string html = folder.File("page.html"), json = folder.File("report.json");
        Assert.Equal(1, (await Compare(golden, path, "--html", html, "--json", json)).Code);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(json));
        JsonElement fault = document.RootElement.GetProperty("firstFault");
        Assert.Equal("model.layers.1.output", fault.GetProperty("tap").GetString());
        Assert.Equal(3, fault.GetProperty("worst").GetProperty("token").GetInt32());
        Assert.Equal("NaN", fault.GetProperty("worst").GetProperty("candidate").GetString());
        string[] hints = Hints(Pictures(Pages.Parse(File.ReadAllText(html)), "Tokens by layers").First());
        Assert.Contains("layer 1, 3: not finite", hints);
        Assert.DoesNotContain("layer 1, 2: not finite", hints);
        Assert.DoesNotContain("layer 0, 3: not finite", hints);
    }

    [Fact]
    public async Task OutputsThatCannotBeAreRefusedBeforeAnyWork()
    {
        using TemporaryFolder folder = new();
        string golden = Path.Combine(RepositoryRoot.Path, "golden", "tiny-f32");
        string dumps = Directory.CreateDirectory(folder.File("dumps")).FullName;
        string dump = Path.Combine(dumps, "dump.safetensors");
        File.WriteAllText(dump, "not a dump");
        string page = folder.File("page.html");
        Assert.Equal(2, (await Compare(golden, dump, "--html", dump)).Code);
        Assert.Equal(2, (await Compare(golden, dumps, "--junit", dump)).Code);
        Assert.Equal(2, (await Compare(golden, dumps, "--html", page, "--json", page)).Code);
        Assert.Equal(2, (await Compare(golden, dumps, "--html", page, "--junit", page)).Code);
        Assert.Equal(5, (await Compare(golden, dumps, "--html", folder.File("none/page.html"))).Code);
        Assert.Equal("not a dump", File.ReadAllText(dump));
        Assert.False(File.Exists(page));
    }

    [Fact]
    public void JsonHoldsEveryMemberOfTheRecords()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("report.json");
        CompareReportJson.Save(path, FakeComparisons.Everything(text => text));
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement root = document.RootElement;
        Assert.StartsWith("ringflash-compare/", root.GetProperty("schema").GetString(), StringComparison.Ordinal);
        AssertMembers<ComparisonReport>(root);
        AssertMembers<FirstFault>(root.GetProperty("firstFault"));
        AssertMembers<TapFinding>(root.GetProperty("isolated")[0]);
        AssertMembers<TapDistance>(root.GetProperty("isolated")[0].GetProperty("distance"));
        AssertMembers<NoiseBand>(root.GetProperty("isolated")[0].GetProperty("band"));
        AssertMembers<DriftPoint>(root.GetProperty("drift")[0]);
        AssertMembers<RouterFinding>(root.GetProperty("routers")[0]);
        AssertMembers<LogitsFinding>(root.GetProperty("logits"));
        AssertMembers<LogitsPosition>(root.GetProperty("logits").GetProperty("worst")[0]);
    }

    [Fact]
    public void ThePageLinksToThisRepositoryOrToNothing()
    {
        string root = RepositoryRoot.Path;
        Assert.Equal("../..", PageText.RepositoryOf(Path.Combine(root, "a", "b", "page.html"), "/"));
        Assert.Equal(".", PageText.RepositoryOf(Path.Combine(root, "page.html"), "/"));
        Assert.Null(PageText.RepositoryOf("/page.html", "/"));

        string html = CompareReportHtml.ToHtml(FakeComparisons.Everything(text => text), repository: "../a b");
        string[] links = [.. Pages.Parse(html).Descendants("a").Select(link => link.Attribute("href")!.Value)];
        Assert.Contains("../a%20b/src/RingFlash.Reference/Operators/ResidualAdd/ResidualAdd.cs", links);
        Assert.All(links, link => Assert.StartsWith("../a%20b/src/", link, StringComparison.Ordinal));
        Assert.Empty(Pages.Parse(CompareReportHtml.ToHtml(FakeComparisons.Everything(text => text))).Descendants("a"));
    }

    private static Task<ToolRun> Compare(params string[] args) => ToolRun.In(
        ToolRun.Surroundings((_, _, _) => throw new InvalidOperationException("no verify here")),
        CancellationToken.None,
        ["compare", .. args]);

    private static IEnumerable<XElement> Pictures(XDocument page, string title) => page.Descendants(Pages.Svg + "svg")
        .Where(svg => svg.Element(Pages.Svg + "title")?.Value.StartsWith(title, StringComparison.Ordinal) == true);

    private static string[] Hints(XElement picture) =>
        [.. picture.Descendants(Pages.Svg + "rect").Elements(Pages.Svg + "title").Select(title => title.Value)];

    private static XElement Junit(ComparisonReport report)
    {
        using MemoryStream stream = new();
        CompareReportJunit.Write(stream, report);
        stream.Position = 0;
        return XDocument.Load(stream).Root!;
    }

    internal static void AssertHarmless(XDocument page)
    {
        Assert.DoesNotContain(
            page.Descendants(),
            element => element.Name.LocalName
                is "script" or "img" or "link" or "iframe" or "object" or "embed" or "image" or "use"
                or "foreignObject");
        Assert.DoesNotContain(
            page.Descendants().Attributes(),
            attribute => attribute.Name.LocalName is "src" or "style" or "srcset"
                || attribute.Name.LocalName.StartsWith("on", StringComparison.OrdinalIgnoreCase)
                || (attribute.Name.LocalName == "href" && attribute.Value.Contains(':', StringComparison.Ordinal)));
        Assert.DoesNotContain("url(", page.Descendants("style").Single().Value, StringComparison.Ordinal);
        Assert.Contains(
            page.Descendants("meta"),
            meta => meta.Attribute("content")?.Value.StartsWith("default-src 'none';", StringComparison.Ordinal)
                is true);
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
