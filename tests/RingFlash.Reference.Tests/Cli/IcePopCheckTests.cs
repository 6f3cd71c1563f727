// Red here means that a wrong loss passes the check, a right one fails, or the place of the first wrong number or the
// framework whose numbers they are is not named.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class IcePopCheckTests : IDisposable
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Golden, "icepop");
    private static readonly string Ragged = Path.Combine(Folder, "case_005_offpolicy_ragged.json");

    private readonly TemporaryFolder _temporary = new();

    public void Dispose() => _temporary.Dispose();

    [Theory]
    [InlineData("--json", "values.json", "float64")]
    [InlineData("--out", "values.json", "float64")]
    [InlineData("--out", "values.safetensors", "float64")]
    [InlineData("--json", "values.json", "float32")]
    [InlineData("--out", "values.safetensors", "float32")]
    public async Task WhatEvalWritesPasses(string option, string name, string precision)
    {
        string values = _temporary.File(name);
        await IcePop("eval", Folder, option, values, "--precision", precision);
        ToolRun run = await IcePop("check", "--cases", Folder, "--actual", values);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.StartsWith("PASSED: ", run.Output, StringComparison.Ordinal);
        Assert.Contains(" of 30 cases equal profile paper", run.Output.Split('\n')[0], StringComparison.Ordinal);
        Assert.All(run.Output.Split('\n'), line => Assert.True(line.Length <= 100, line));
    }

    [Fact]
    public async Task AReferenceByAnotherProgramPasses()
    {
        JsonNode reference = JsonNode.Parse(File.ReadAllText(Ragged))!["reference_f64"]!;
        ToolRun run = await IcePop("check", "--cases", Ragged, "--actual", Write(reference));
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.Contains("no such quantity: k", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("keep", 1, 2, 0, "keep of rollout 1, token 2 is 0, expected 1")]
    [InlineData("weight", 0, 3, 1.0, "weight of rollout 0, token 3 is 1, expected 1.54149591")]
    public async Task TheFirstWrongTokenIsNamed(string quantity, int rollout, int token, double wrong, string expected)
    {
        JsonNode values = await Values();
        values[quantity]![rollout]![token] = wrong;
        ToolRun run = await IcePop("check", "--cases", Ragged, "--actual", Write(values));
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.StartsWith($"FAILED offpolicy_ragged: {expected}", OneLine(run.Output), StringComparison.Ordinal);
        Assert.Contains("your numbers equal no other profile", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AWrongLossIsFollowedByItsFirstWrongToken()
    {
        JsonNode values = await Values();
        values["loss"]!["token_mean"] = 7;
        values["grad"]!["token_mean"]![4]![1] = 0.25;
        ToolRun run = await IcePop("check", "--cases", Ragged, "--actual", Write(values));
        string output = OneLine(run.Output);
        Assert.StartsWith("FAILED offpolicy_ragged: loss.token_mean is 7, expected ", output, StringComparison.Ordinal);
        Assert.Contains(
            "; first wrong token: grad.token_mean of rollout 4, token 1 is 0.25, expected 0", output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheSmallestErrorAboveTheToleranceIsSeenAndOneBelowIsNot()
    {
        JsonNode values = await Values();
        double weight = values["weight"]![0]![0]!.GetValue<double>();
        values["weight"]![0]![0] = weight * (1 + 0.9e-12);
        Assert.Equal(
            ExitCodes.WithinBudget, (await IcePop("check", "--cases", Ragged, "--actual", Write(values))).Code);
        values["weight"]![0]![0] = weight * (1 + 1.2e-12);
        Assert.Equal(ExitCodes.OverBudget, (await IcePop("check", "--cases", Ragged, "--actual", Write(values))).Code);
        ToolRun single = await IcePop("check", "--cases", Ragged, "--actual", Write(values), "--precision", "float32");
        Assert.Equal(ExitCodes.WithinBudget, single.Code);
    }

    [Fact]
    public async Task Float32NumbersThatDoNotSaySoAreRecognised()
    {
        JsonNode values = await Values("--precision", "float32");
        values["precision"] = "float64";
        ToolRun run = await IcePop("check", "--cases", Ragged, "--actual", Write(values));
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("paper within the rounding of float32", OneLine(run.Output), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnotherProfilesNumbersAreRecognised()
    {
        string values = _temporary.File("theirs.json"), report = _temporary.File("check.json");
        await IcePop("eval", Folder, "--profile", "slime/tis", "--json", values);
        ToolRun run = await IcePop("check", "--cases", Folder, "--actual", values, "--json", report);
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("your numbers equal profile", run.Output, StringComparison.Ordinal);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(report));
        Assert.Contains(
            "slime/tis",
            document.RootElement.GetProperty("equal_profiles").EnumerateArray()
                .Select(equal => equal.GetProperty("profile").GetString()));
        ToolRun same = await IcePop("check", "--cases", Folder, "--actual", values, "--profile", "slime/tis");
        Assert.Equal(ExitCodes.WithinBudget, same.Code);
    }

    [Fact]
    public async Task NothingComparedIsAFailure()
    {
        JsonNode nothing = new JsonObject { ["case"] = "offpolicy_ragged", ["losss"] = new JsonObject() };
        ToolRun run = await IcePop("check", "--cases", Ragged, "--actual", Write(nothing));
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.StartsWith("FAILED: nothing was compared", run.Output, StringComparison.Ordinal);
        Assert.Contains("losss", run.Output, StringComparison.Ordinal);

        JsonNode other = await Values();
        other["case"] = "another_case";
        other.AsObject().Remove("cases");
        run = await IcePop("check", "--cases", Ragged, "--actual", Write(other));
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("results of cases that were not given: another_case", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMissingCaseIsAFailure()
    {
        string values = Write(await Values());
        ToolRun run = await IcePop("check", "--cases", Folder, "--actual", values);
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("single_token: no result in ", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatALossRaisedIsNamed()
    {
        JsonNode raised = new JsonObject { ["case"] = "offpolicy_ragged", ["error"] = "ValueError: no" };
        ToolRun run = await IcePop("check", "--cases", Ragged, "--actual", Write(raised));
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("raises: ValueError: no", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]", "$: must be an object")]
    [InlineData("{", "not strict JSON")]
    [InlineData("{\"loss\":0.5}", "$.loss")]
    [InlineData("{\"loss\":{\"token_mean\":\"nan\"}}", "$.loss.token_mean")]
    [InlineData("{\"loss\":{\"token_mean\":1},\"loss\":{}}", "duplicate key")]
    [InlineData("{\"weight\":[[1]]}", "$.weight: must have 6 elements; found 1")]
    [InlineData("{\"precision\":\"bfloat16\",\"loss\":{}}", "$.precision")]
    [InlineData("{\"cases\":[{\"loss\":{}}]}", "$.cases[0].case: required")]
    [InlineData("{\"cases\":[{\"case\":\"a\"},{\"case\":\"a\"}]}", "two results for one case")]
    public async Task BadNumbersAreOneLineAndThree(string text, string expected)
    {
        ToolRun run = await IcePop("check", "--cases", Ragged, "--actual", _temporary.Write("bad.json", text));
        Assert.Equal(ExitCodes.BadInput, run.Code);
        string line = run.Error.TrimEnd('\n', '\r');
        Assert.DoesNotContain('\n', line);
        Assert.Contains(expected, line, StringComparison.Ordinal);
        Assert.Contains("bad.json", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongUsageAndMissingFilesHaveTheirCodes()
    {
        string values = Write(await Values()), nowhere = _temporary.File("nowhere.json");
        Assert.Equal(ExitCodes.WrongUsage, (await IcePop("check", "--cases", Ragged)).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await IcePop("check", "--actual", values)).Code);
        Assert.Equal(
            ExitCodes.WrongUsage,
            (await IcePop("check", "--cases", Ragged, "--wrong", "--actual", values)).Code);
        Assert.Equal(
            ExitCodes.WrongUsage,
            (await IcePop("check", "--cases", Ragged, "--actual", values, "--profile", "nobody")).Code);
        Assert.Equal(
            ExitCodes.WrongUsage,
            (await IcePop("check", "--cases", Ragged, "--actual", values, "--json", values)).Code);
        Assert.Equal(ExitCodes.Environment, (await IcePop("check", "--cases", Ragged, "--actual", nowhere)).Code);
        Assert.Equal(ExitCodes.Environment, (await IcePop("check", "--cases", nowhere, "--actual", values)).Code);
        ToolRun twice = await IcePop(
            "check", "--cases", Ragged, _temporary.Write("case_1.json", File.ReadAllText(Ragged)), "--actual", values);
        Assert.Equal(ExitCodes.BadInput, twice.Code);
    }

    private static string OneLine(string output) =>
        string.Join(' ', output.Split('\n').Select(line => line.Trim()));

    private static Task<ToolRun> IcePop(params string[] arguments) => ToolRun.With(
        _ => throw new InvalidOperationException("nothing is verified here"), ["icepop", .. arguments]);

    private async Task<JsonNode> Values(params string[] options)
    {
        string path = _temporary.File("own.json");
        Assert.Equal(ExitCodes.WithinBudget, (await IcePop(["eval", Ragged, "--out", path, .. options])).Code);
        JsonNode values = JsonNode.Parse(File.ReadAllText(path))!;
        values.AsObject().Remove("cases");
        return values;
    }

    private string Write(JsonNode node) => _temporary.Write("actual.json", node.ToJsonString());
}
