// Red here means that the mismatch of two engines or the theory page cannot be had from the command line.
using System;
using System.IO;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class IcePopToolTests
{
    private const string Train =
        "{\"schema\":1,\"log_probabilities\":[[-0.5,-1.0],[-2.0,-0.25]],\"mask\":[[1,1],[1,0]]}";
    private const string Infer =
        "{\"schema\":1,\"log_probabilities\":[[-0.6,-3.0],[-2.0,\"NaN\"]],\"mask\":[[1,1],[1,0]]}";

    [Fact]
    public async Task MismatchPrintsAndWritesEveryMetric()
    {
        using TemporaryFolder temporary = new();
        string train = temporary.Write("train.json", Train), infer = temporary.Write("infer.json", Infer);
        string html = temporary.File("page.html"), json = temporary.File("values.json");
        ToolRun run = await IcePop("mismatch", "--train", train, "--infer", infer, "--html", html, "--json", json);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.Contains("train_rollout_logprob_abs_diff", run.Output, StringComparison.Ordinal);
        Assert.Contains("would mask", run.Output, StringComparison.Ordinal);
        Assert.Contains("<svg", File.ReadAllText(html), StringComparison.Ordinal);
        Assert.Contains("ringflash-mismatch/1", File.ReadAllText(json), StringComparison.Ordinal);
    }

    [Fact]
    public async Task MistakesHaveTheirCodes()
    {
        using TemporaryFolder temporary = new();
        string train = temporary.Write("train.json", Train), ragged = temporary.Write("bad.json", "{\"schema\":1}");
        Assert.Equal(ExitCodes.WrongUsage, (await IcePop("mismatch", "--train", train)).Code);
        Assert.Equal(
            ExitCodes.Environment, (await IcePop("mismatch", "--train", train, "--infer", temporary.File("no"))).Code);
        ToolRun bad = await IcePop("mismatch", "--train", train, "--infer", ragged);
        Assert.Equal(ExitCodes.BadInput, bad.Code);
        Assert.DoesNotContain('\n', bad.Error.TrimEnd('\n'));
        Assert.Equal(
            ExitCodes.WrongUsage, (await IcePop("mismatch", "--train", train, "--infer", train, "--html", train)).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await IcePop("lab")).Code);
    }

    [Fact]
    public async Task LabWritesThePage()
    {
        using TemporaryFolder temporary = new();
        string page = temporary.File("lab.html");
        Assert.Equal(ExitCodes.WithinBudget, (await IcePop("lab", "--html", page)).Code);
        Assert.Contains("<svg", File.ReadAllText(page), StringComparison.Ordinal);
    }

    private static Task<ToolRun> IcePop(params string[] arguments) => ToolRun.With(
        _ => throw new InvalidOperationException("nothing is verified here"), ["icepop", .. arguments]);
}
