// Red here: the mismatch page or its JSON cannot be opened, or a file name can inject markup into it.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Xml.Linq;
using RingFlash.Reference.Objective.Mismatch;
using RingFlash.Reference.Tests.Objective.Theory;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Mismatch;

public sealed class MismatchReportTests
{
    private static MismatchMetrics Sample()
    {
        LogProbabilityData train = MismatchCases.Data("<script>alert(1)</script>&\u0001", 1, [-1, -1000, -3], "111");
        LogProbabilityData infer = MismatchCases.Data("b\"c", 1, [-1.5, -1, -2], "111");
        return MismatchMetrics.Compute(MismatchInput.Create(
            train with { RoutedExperts = new(2, 1, [1, 2, 3, 4, -1, -1]) },
            infer with { RoutedExperts = new(2, 1, [1, 2, 3, 5, 1, 1]) }));
    }

    [Fact]
    public void ThePageIsWellFormedAndCarriesEveryMetric()
    {
        MismatchMetrics metrics = Sample();
        string html = MismatchReport.ToHtml(metrics);
        XDocument page = Pages.Parse(html);
        Assert.Empty(page.Descendants("script"));
        string text = page.Root!.Value;
        Assert.All(metrics.All, metric => Assert.Contains(metric.Name, text, StringComparison.Ordinal));
        Assert.Contains("an observation", text, StringComparison.Ordinal);
        Assert.Equal(html, MismatchReport.ToHtml(Sample()));
    }

    [Fact]
    public void TheJsonHoldsTheSameNumbersAndNaNAsText()
    {
        MismatchMetrics metrics = MismatchMetrics.Compute(MismatchInput.Create(
            MismatchCases.Data("a", 2, [-1, 5], "10"), MismatchCases.Data("b", 2, [-801, 5], "10")));
        using MemoryStream stream = new();
        MismatchReportJson.Write(stream, metrics);
        using JsonDocument document = JsonDocument.Parse(stream.ToArray());
        JsonElement root = document.RootElement;
        Assert.Equal("ringflash-mismatch/1", root.GetProperty("schema").GetString());
        JsonElement[] written = [.. root.GetProperty("metrics").EnumerateArray()];
        Assert.Equal(metrics.All.Count, written.Length);
        foreach ((MismatchMetric metric, JsonElement element) in metrics.All.Zip(written))
        {
            Assert.Equal(metric.Name, element.GetProperty("name").GetString());
            Assert.Equal(metric.Value, MismatchCases.Number(element.GetProperty("value")));
        }

        JsonElement Value(string name) =>
            written.Single(element => element.GetProperty("name").GetString() == name).GetProperty("value");
        Assert.Equal("NaN", Value("training/rollout_actor_probs_pearson_corr").GetString());
        Assert.Equal("Infinity", Value("tis").GetString());
        Assert.Equal(JsonValueKind.Null, root.GetProperty("routing").ValueKind);
        Assert.True(root.GetProperty("five_percent").GetProperty("above").GetBoolean());
    }
}
