// Red here means that a user who evaluates an IcePop case gets other numbers than the reference's, a wrong exit code,
// or several lines for one mistake.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class IcePopEvalTests
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Golden, "icepop");

    [Fact]
    public async Task EveryShippedCaseIsEqual()
    {
        ToolRun run = await Eval(Folder);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.StartsWith(
            "30 cases evaluated in float64, profile paper; 30 equal", run.Output, StringComparison.Ordinal);
        Assert.Empty(run.Error);
        Assert.All(run.Output.Split('\n'), line => Assert.True(line.Length <= 100, line));
    }

    [Theory]
    [InlineData("\"seq_mean_token_mean\":", "\"seq_mean_token_mean\":9", "loss.seq_mean_token_mean")]
    [InlineData("\"keep\":[[1", "\"keep\":[[0", "keep of rollout 0, token 0 is 1, expected 0")]
    public async Task AnotherNumberIsNamed(string text, string replacement, string expected)
    {
        using TemporaryFolder temporary = new();
        string path = Damaged(temporary, text, replacement);
        ToolRun run = await Eval(path);
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.StartsWith("FAILED offpolicy_ragged: ", run.Output, StringComparison.Ordinal);
        Assert.Contains(expected, run.Output.Split('\n')[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task EveryShippedCaseIsEqualInFloat32()
    {
        ToolRun run = await Eval(Folder, "--precision", "float32");
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.StartsWith(
            "30 cases evaluated in float32, profile paper; 30 equal", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AWrongFloat32ReferenceIsNamed()
    {
        using TemporaryFolder temporary = new();
        string path = Damaged(temporary, "\"reference_f32\":{\"keep\":[[1", "\"reference_f32\":{\"keep\":[[0");
        Assert.Equal(ExitCodes.WithinBudget, (await Eval(path)).Code);
        ToolRun run = await Eval(path, "--precision", "float32");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("keep of rollout 0, token 0", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneCaseShowsItsMetricsAndItsKullbackLeiblerTerm()
    {
        ToolRun run = await Eval(Path.Combine(Folder, "case_029_kl_reference_online.json"));
        Assert.Contains("loss.token_mean -0.0969949088401467", run.Output, StringComparison.Ordinal);
        Assert.Contains("kl.k3/token_mean 0.030191029594984", run.Output, StringComparison.Ordinal);
        Assert.Contains("masked_high 4", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheValuesOfOneCaseStandAtTheTopLevelToo()
    {
        using TemporaryFolder temporary = new();
        string json = temporary.File("values.json");
        await Eval(Path.Combine(Folder, "case_022_single_token.json"), "--json", json);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(json));
        JsonElement top = document.RootElement, listed = top.GetProperty("cases")[0];
        foreach (string key in new[] { "case", "loss", "grad", "keep", "weight", "metrics" })
        {
            Assert.Equal(listed.GetProperty(key).GetRawText(), top.GetProperty(key).GetRawText());
        }
    }

    [Theory]
    [InlineData("\"alpha\":0.5", "\"alpha\":7", ExitCodes.WrongUsage)]
    [InlineData("\"alpha\":0.5", "\"alpha\":\"NaN\"", ExitCodes.WrongUsage)]
    [InlineData("\"schema\":1", "\"schema\":2", ExitCodes.BadInput)]
    [InlineData("\"schema\":1", "\"schema\":1,\"schema\":1", ExitCodes.BadInput)]
    [InlineData("\"mask\":[[", "\"mask\":[[1,", ExitCodes.BadInput)]
    [InlineData("{\"schema\"", "[\"schema\"", ExitCodes.BadInput)]
    public async Task ABadCaseIsOneLine(string text, string replacement, int code)
    {
        using TemporaryFolder temporary = new();
        ToolRun run = await Eval(Damaged(temporary, text, replacement));
        Assert.Equal(code, run.Code);
        string line = run.Error.TrimEnd('\n', '\r');
        Assert.StartsWith("ringflash: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
        Assert.Contains("case.json", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NothingToReadIsFive()
    {
        using TemporaryFolder temporary = new();
        Assert.Equal(ExitCodes.Environment, (await Eval(temporary.Path)).Code);
        Assert.Equal(ExitCodes.Environment, (await Eval(temporary.File("nowhere.json"))).Code);
    }

    [Fact]
    public async Task WrongUsageIsTwo()
    {
        Assert.Equal(ExitCodes.WrongUsage, (await Eval()).Code);
        ToolRun profile = await Eval(Folder, "--profile", "pape");
        Assert.Equal(ExitCodes.WrongUsage, profile.Code);
        Assert.Contains("nearest are paper, ", profile.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.WrongUsage, (await Eval(Folder, "--precision", "float16")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Eval(Folder, "--out", "tokens.npy")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Eval(Folder, "--out", "a.json", "--json", "a.json")).Code);
        string input = Path.Combine(Folder, "case_043_theta_extreme_r.json");
        Assert.Equal(ExitCodes.WrongUsage, (await Eval(input, "--json", input)).Code);
    }

    [Fact]
    public async Task JsonHoldsTheNamesOfTheSchemaAndStringsForWhatIsNotFinite()
    {
        using TemporaryFolder temporary = new();
        string json = temporary.File("values.json");
        ToolRun run = await Eval(
            Path.Combine(Folder, "case_043_theta_extreme_r.json"),
            Path.Combine(Folder, "case_029_kl_reference_online.json"),
            "--json",
            json);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(json));
        JsonElement[] cases = [.. document.RootElement.GetProperty("cases").EnumerateArray()];
        Assert.Equal(
            ["theta_extreme_r", "kl_reference_online"], cases.Select(item => item.GetProperty("case").GetString()));
        Assert.Equal("Infinity", cases[0].GetProperty("loss").GetProperty("token_sum").GetString());
        Assert.Equal(5, cases[1].GetProperty("grad").EnumerateObject().Count());
        Assert.Equal(6, cases[1].GetProperty("kl").EnumerateObject().Count());
        Assert.Equal(4, cases[1].GetProperty("keep").GetArrayLength());
        Assert.Equal(32, cases[1].GetProperty("metrics").GetProperty("valid_tokens").GetInt32());
    }

    private static Task<ToolRun> Eval(params string[] arguments) =>
        ToolRun.With(
            _ => throw new InvalidOperationException("eval verifies nothing"), ["icepop", "eval", .. arguments]);

    private static string Damaged(TemporaryFolder temporary, string text, string replacement)
    {
        string before = File.ReadAllText(Path.Combine(Folder, "case_005_offpolicy_ragged.json"));
        int place = before.IndexOf(text, StringComparison.Ordinal);
        Assert.True(place >= 0, $"{text} is not in the case");
        return temporary.Write("case.json", before[..place] + replacement + before[(place + text.Length)..]);
    }
}
