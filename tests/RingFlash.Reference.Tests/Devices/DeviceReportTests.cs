// Red here: the report that a person with a card runs does not come to its end, or shows figures that no GPU gave.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Devices;
using RingFlash.Reference.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Devices;

public sealed class DeviceReportTests : IDisposable
{
    private readonly string json = Path.GetTempFileName();

    [Fact]
    public void TheSameCodeRunsOnTheCpuAcceleratorAndKeepsNoTime()
    {
        (int code, string text, JsonElement report) = Run(rehearse: true);
        Assert.True(code == 0, text);
        Assert.EndsWith("no time kept\n", text, StringComparison.Ordinal);
        Assert.False(report.GetProperty("ranOnGpu").GetBoolean());
        JsonElement[] sections = [.. report.GetProperty("sections").EnumerateArray()];
        Assert.All(sections, section => Assert.True(section.GetProperty("passed").GetBoolean()));
        Assert.Equal(
            [
                "ceilings", "goldens within budget", "bits of vector512 on the goldens", "kernels", "model, bf16",
                "model, FP8",
            ],
            sections.Select(section => section.GetProperty("name").GetString()));
        JsonElement[] measurements =
            [.. sections.SelectMany(section => section.GetProperty("measurements").EnumerateArray())];
        Assert.True(measurements.Length > 20, $"{measurements.Length} measurements");
        foreach (string figure in new[] { "seconds", "lowerQuartile", "upperQuartile", "ofFloor", "rate" })
        {
            Assert.All(
                measurements,
                measured => Assert.Equal(JsonValueKind.Null, measured.GetProperty(figure).ValueKind));
        }
    }

    [Fact]
    public void WithoutACardItSaysWhyAndLeavesNoFigure()
    {
        Assert.SkipUnless(KernelHost.WhyNoCuda() is not null, "there is a card");
        (int code, string text, JsonElement report) = Run(rehearse: false);
        Assert.Equal(5, code);
        Assert.Contains($"not run on a GPU: {KernelHost.WhyNoCuda()}", text, StringComparison.Ordinal);
        Assert.Empty(report.GetProperty("sections").EnumerateArray());
    }

    [Fact]
    public void AFolderThatIsNotThereIsWrongUsage() =>
        Assert.Equal(2, new DeviceReport(new ReportOptions { Golden = "/nowhere" }, new StringWriter()).Run());

    [Theory]
    [InlineData("--golden")]
    [InlineData("--figures x")]
    [InlineData("x")]
    public void WordsThatAreNotKnownAreRefused(string words) => Assert.Null(ReportOptions.Parse(words.Split(' ')));

    public void Dispose() => File.Delete(json);

    private (int Code, string Text, JsonElement Report) Run(bool rehearse)
    {
        StringWriter output = new();
        ReportOptions options = new() { IsRehearsal = rehearse, Golden = RepositoryRoot.Golden, Json = json };
        int code = new DeviceReport(options, output).Run();
        return (code, output.ToString(), JsonDocument.Parse(File.ReadAllText(json)).RootElement);
    }
}
