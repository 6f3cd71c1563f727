// Red here means that the check passes a number that is wrong or was never compared, or that an odd case ends as our
// own fault.
using System;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class IcePopStrictnessTests : IDisposable
{
    private readonly TemporaryFolder _temporary = new();

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public async Task AnEnormousTokenHidesNoWrongGradientBesideIt()
    {
        string file = Case("big", current: "[[0,-1]]", old: "[[-40,-1]]", infer: "[[-40,-1]]");
        JsonNode values = await Values(file);
        values["grad"]!["token_mean"]![0]![1] = -777;
        ToolRun run = await IcePop("check", "--cases", file, "--actual", Write(values));
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("grad.token_mean of rollout 0, token 1 is -777", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMisspeltAggregationIsRefused()
    {
        string file = Case("word");
        JsonNode values = await Values(file);
        values["loss"]!["seq_mean"] = 123;
        ToolRun run = await IcePop("check", "--cases", file, "--actual", Write(values));
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains("no such aggregation; known are seq_mean_token_mean", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[99]", "lengths[0]")]
    [InlineData("[2,2]", "must have 1 elements; found 2")]
    [InlineData("[1]", "is 1, but token 1 is in the mask")]
    public async Task LengthsThatDoNotFitAreRefused(string lengths, string expected)
    {
        ToolRun run = await IcePop("eval", Case("lengths", lengths: lengths));
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ANumberWithoutFloat32FormIsBadInputAndNoFaultOfOurs()
    {
        string file = Case("huge", advantage: "1e300");
        ToolRun run = await IcePop("eval", file, "--precision", "float32");
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains("have no float32 form", run.Error, StringComparison.Ordinal);

        JsonNode values = await Values(file);
        values["loss"]!["token_mean"] = 7;
        run = await IcePop("check", "--cases", file, "--actual", Write(values));
        Assert.Equal(ExitCodes.OverBudget, run.Code);
    }

    [Fact]
    public async Task TwoCasesOfOneNameAreRefusedBeforeAnythingIsWritten()
    {
        string values = _temporary.File("values.json");
        ToolRun run = await IcePop("eval", Case("same", file: "one"), Case("same", file: "two"), "--json", values);
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains("two cases have this name", run.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(values));
    }

    [Theory]
    [InlineData("ModuleNotFoundError: No module named torch", ExitCodes.OverBudget)]
    [InlineData("ValueError: whatever", ExitCodes.WithinBudget)]
    public async Task OnlyTheProfilesOwnExceptionIsAgreement(string error, int code)
    {
        string file = Case("empty", mask: "[[0,0]]", lengths: "[0]");
        string actual = Write(new JsonObject { ["case"] = "empty", ["error"] = error });
        ToolRun run = await IcePop("check", "--cases", file, "--actual", actual, "--profile", "verl/icepop_token");
        Assert.True(run.Code == code, run.Output + run.Error);
    }

    [Fact]
    public async Task AHyphenIsNoFileName()
    {
        ToolRun run = await IcePop("eval", Case("hyphen"), "--json", "-");
        Assert.Equal(ExitCodes.WrongUsage, run.Code);
    }

    private string Case(
        string name,
        string current = "[[-1,-1]]",
        string old = "[[-1,-1]]",
        string infer = "[[-1,-1]]",
        string mask = "[[1,1]]",
        string lengths = "[2]",
        string advantage = "1",
        string? file = null)
    {
        string path = _temporary.File($"case_{file ?? name}.json");
        File.WriteAllText(path, $$"""
            {"schema":1,"case":"{{name}}","shape":[1,2],"lengths":{{lengths}},
            "config":{"alpha":0.5,"beta":5,"eps_low":0.2,"eps_high":0.2,"kl_coef":0},
            "inputs":{"advantages":[{{advantage}}],"mask":{{mask}},"logp_theta":{{current}},"logp_old":{{old}},
            "logp_infer":{{infer}} } }
            """);
        return path;
    }

    private async Task<JsonNode> Values(string file)
    {
        string path = _temporary.File("eval.json");
        await IcePop("eval", file, "--json", path);
        return JsonNode.Parse(File.ReadAllText(path))!["cases"]![0]!;
    }

    private string Write(JsonNode values)
    {
        string path = _temporary.File("actual.json");
        File.WriteAllText(path, values.ToJsonString());
        return path;
    }

    private static Task<ToolRun> IcePop(params string[] arguments) => ToolRun.With(
        _ => throw new InvalidOperationException("nothing is verified here"), ["icepop", .. arguments]);
}
