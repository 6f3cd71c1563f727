// Red here means that other languages load cases that are wrong, are not the same for the same seed, or cannot be read.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class IcePopCasesTests : IDisposable
{
    private readonly TemporaryFolder _temporary = new();

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public async Task FreshCasesAreEqualToWhatTheyExpectInBothPrecisions()
    {
        string folder = _temporary.File("cases");
        ToolRun run = await IcePop("cases", "--out", folder, "--seed", "11", "--count", "60", "--edge");
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.StartsWith("120 cases written", run.Output, StringComparison.Ordinal);
        foreach (string precision in new[] { "float64", "float32" })
        {
            ToolRun eval = await IcePop("eval", folder, "--precision", precision);
            Assert.Equal(ExitCodes.WithinBudget, eval.Code);
            Assert.Contains("; 120 equal", eval.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task TheyHaveTheKeysOfTheGoldenCasesAndSayWhoseTheyAre()
    {
        string folder = _temporary.File("cases");
        await IcePop("cases", "--out", folder, "--seed", "1", "--count", "4");
        using JsonDocument golden = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(RepositoryRoot.Golden, "icepop", "case_029_kl_reference_online.json")));
        using JsonDocument fresh = JsonDocument.Parse(File.ReadAllBytes(Files(folder)[3]));
        Assert.Equal(0.05, fresh.RootElement.GetProperty("config").GetProperty("kl_coef").GetDouble());
        Assert.Contains("not by another program", fresh.RootElement.GetProperty("provenance").GetString());
        foreach (string part in new[] { "", "config", "inputs", "reference_f64", "reference_f32" })
        {
            JsonElement expected = part.Length == 0 ? golden.RootElement : golden.RootElement.GetProperty(part);
            JsonElement actual = part.Length == 0 ? fresh.RootElement : fresh.RootElement.GetProperty(part);
            Assert.Empty(expected.EnumerateObject().Select(property => property.Name)
                .Except(actual.EnumerateObject().Select(property => property.Name)).Except(["split"]));
        }
    }

    [Fact]
    public async Task ASeedGivesTheSameBytesAndAnotherSeedOthers()
    {
        string first = _temporary.File("first"), again = _temporary.File("again"), other = _temporary.File("other");
        await IcePop("cases", "--out", first, "--seed", "5", "--count", "3", "--edge");
        await IcePop("cases", "--out", again, "--seed", "5", "--count", "3", "--edge");
        await IcePop("cases", "--out", other, "--seed", "500", "--count", "3", "--edge");
        Assert.Equal(6, Files(first).Length);
        Assert.Equal(Files(first).Select(Path.GetFileName), Files(again).Select(Path.GetFileName));
        Assert.Equal(Files(first).Select(File.ReadAllText), Files(again).Select(File.ReadAllText));
        Assert.Empty(Files(first).Select(File.ReadAllText).Intersect(Files(other).Select(File.ReadAllText)));
    }

    [Fact]
    public async Task EdgeCasesHoldEdgesAndOthersDoNot()
    {
        string folder = _temporary.File("cases");
        await IcePop("cases", "--out", folder, "--count", "40", "--edge");
        IcePopCaseFile[] cases = [.. Files(folder).Select(IcePopCaseFile.Read)];
        Assert.All(cases.Take(40), file => Assert.DoesNotContain(
            file.Batch.OldLogProbabilities.ToArray(), value => !double.IsFinite(value)));
        Assert.All(cases.Skip(40), file => Assert.Contains("edge", file.Tags));
        Assert.Contains(cases.Skip(40), file => file.Batch.OldLogProbabilities.ToArray().Any(double.IsNaN));
        Assert.Contains(cases.Skip(40), file => file.Batch.RowCounts.ToArray().Contains(0));
        Assert.Contains(cases, file => file.Batch.RowCounts.ToArray().Any(count => count > 1));
    }

    [Fact]
    public async Task WrongUsageIsNamedAndNothingIsMixed()
    {
        string folder = _temporary.File("cases");
        Assert.Equal(ExitCodes.WrongUsage, (await IcePop("cases")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await IcePop("cases", "--out", folder, "--count", "0")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await IcePop("cases", "--out", folder, "--seed", "-1")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await IcePop("cases", "--out", "")).Code);
        Assert.False(Directory.Exists(folder));
        Assert.Equal(ExitCodes.WithinBudget, (await IcePop("cases", "--out", folder, "--count", "1")).Code);
        ToolRun again = await IcePop("cases", "--out", folder, "--count", "1");
        Assert.Equal(ExitCodes.WrongUsage, again.Code);
        Assert.Contains("already holds cases", again.Error, StringComparison.Ordinal);
        Assert.Equal(
            ExitCodes.Environment, (await IcePop("cases", "--out", _temporary.Write("file", "x"))).Code);
    }

    private static string[] Files(string folder) => [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal)];

    private static Task<ToolRun> IcePop(params string[] arguments) => ToolRun.With(
        _ => throw new InvalidOperationException("nothing is verified here"), ["icepop", .. arguments]);
}
