// Red here means that a person reads the wrong verdict, or cannot read it: the verdict not first, lines too long,
// rubbish in a log file, something that was not compared left unnamed.
using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class VerifyReportTableTests
{
    [Fact]
    public async Task TheHeadlineIsTheFirstLine()
    {
        VerifyReport[] reports = [FakeReports.Everything(), FakeReports.Passing(), FakeReports.Empty()];
        foreach (VerifyReport report in reports)
        {
            ToolRun run = await ToolRun.With(report, "verify");
            Assert.Equal(report.Headline, run.Output.Split('\n')[0]);
        }
    }

    [Theory]
    [InlineData]
    [InlineData("--taps")]
    public async Task EveryOtherLineFits100Columns(params string[] options)
    {
        ToolRun run = await ToolRun.With(FakeReports.Everything(), ["verify", .. options]);
        Assert.All(run.Output.Split('\n').Skip(1), line => Assert.True(line.Length <= 100, line));
    }

    [Fact]
    public async Task ARunIsARow()
    {
        string[] lines = (await ToolRun.With(FakeReports.Everything(), "verify")).Output.Split('\n');
        Assert.Matches(
            @"^tiny-f32 +vector512 +isolated +24,592 +2 +0\.93 +L12 mlp\.shared +16/0/0 +0\.34 s PASSED$",
            Row("tiny-f32"));
        Assert.Matches(
            @"^tiny-padded-f32 +vector512 +isolated .* NaN +L3 mlp\.shared +29/1/2 +0\.34 s FAILED$",
            Row("tiny-padded-f32"));
        Assert.Matches(@"^tiny-grad-f32 +vector512 +free +0 +0 +- +- +- +0\.34 s NOT$", Row("tiny-grad-f32"));

        string Row(string name) => lines.Skip(1).First(line => line.StartsWith(name + " ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhatFailedAndWhatWasNotComparedIsNamed()
    {
        string output = (await ToolRun.With(FakeReports.Everything(), "verify")).Output;
        string text = string.Join(' ', output.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(
            "not compared (3): model.rotary_emb.cos, model.rotary_emb.sin, grad.model.layers.0.mlp.down_proj.weight",
            text,
            StringComparison.Ordinal);
        Assert.Contains("not checked: training cases are not supported by this ver", text, StringComparison.Ordinal);
        Assert.Contains("not checked model.layers.4.enorm.output: behind a near tie", text, StringComparison.Ordinal);
        Assert.Contains("ours is NaN at 5 places", text, StringComparison.Ordinal);
        Assert.Contains("near ties 1, wrong 0", text, StringComparison.Ordinal);
        Assert.Contains("note: rotary: default", text, StringComparison.Ordinal);
        Assert.Contains("-0.123456789", text, StringComparison.Ordinal);
        Assert.Contains("time 3m07s: weights 71 %, model 22 %, compare 4 %, other 3 %", text, StringComparison.Ordinal);
        Assert.Contains("5 runs: 3 passed, 1 failed, 1 not checked", text, StringComparison.Ordinal);
        Assert.Contains("elapsed 3m38s, threads 2, peak memory 1177 MiB", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TapsShowsEveryTap()
    {
        ToolRun without = await ToolRun.With(FakeReports.Passing(), "verify");
        ToolRun with = await ToolRun.With(FakeReports.Passing(), "verify", "--taps");
        Assert.DoesNotContain("LinearProjec", without.Output, StringComparison.Ordinal);
        Assert.Contains("Linear", with.Output, StringComparison.Ordinal);
        Assert.Contains("SwiGlu", with.Output, StringComparison.Ordinal);
        Assert.Contains("12,288", with.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AHostileNameCannotForgeALineOrAColour()
    {
        CaseResult run = FakeReports.PassedRun("x\u001b[31m\nPASSED [red]y[/]", "vector512", VerifyMode.Free) with
        {
            NotCompared = ["a\nb\u001b]0;title\a"],
            Notes = ["\u001b[2J"],
        };
        string output = (await ToolRun.With(FakeReports.Report(run), "verify", "--taps")).Output;
        Assert.DoesNotContain('\u001b', output);
        Assert.DoesNotContain("\nPASSED", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, null, false)]
    [InlineData(true, "1", false)]
    [InlineData(true, "", true)]
    [InlineData(true, null, true)]
    public async Task NoColorMeansNoEscapeCodes(bool terminal, string? noColor, bool colour)
    {
        ToolContext context = ToolRun.Surroundings((_, _, _) => FakeReports.Everything()) with
        {
            Colour = ToolContext.WantsColour(terminal, noColor),
        };
        ToolRun run = await ToolRun.In(context, CancellationToken.None, "verify", "--taps");
        Assert.Equal(colour, run.Output.Contains('\u001b', StringComparison.Ordinal));
        Assert.DoesNotContain('\u001b', run.Error);
    }

    [Fact]
    public async Task ProgressIsForTerminalsOnly()
    {
        ToolContext context = ToolRun.Surroundings((_, progress, _) =>
        {
            progress?.Report(new VerifyProgress(1, 2, "case[1]", "scalar", VerifyMode.Free, "layer 3 of 32", 0.5));
            return progress is null ? FakeReports.Empty() : FakeReports.Passing();
        });
        Assert.Equal(1, (await ToolRun.In(context, CancellationToken.None, "verify")).Code);
        ToolContext terminal = context with { OutputIsTerminal = true };
        Assert.Equal(0, (await ToolRun.In(terminal, CancellationToken.None, "verify")).Code);
    }
}
