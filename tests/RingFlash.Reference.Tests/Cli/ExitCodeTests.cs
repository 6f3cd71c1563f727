// Red here means that a script which runs ringflash is told the wrong thing: a failure reported as success, bad input
// reported as a defect of the tool, or an error that is not one readable line.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class ExitCodeTests
{
    public static TheoryData<int, string> Errors => new()
    {
        { 3, "invalid" }, { 5, "environment" }, { 5, "missing" }, { 5, "memory" }, { 5, "rights" }, { 4, "defect" },
        { 3, "wrapped" },
    };

    [Fact]
    public async Task WithinBudgetIsZero() =>
        Assert.Equal(0, (await ToolRun.With(FakeReports.Passing(), "verify")).Code);

    [Fact]
    public async Task OverBudgetIsOne()
    {
        ToolRun run = await ToolRun.With(FakeReports.Everything(), "verify");
        Assert.Equal(1, run.Code);
        Assert.Empty(run.Error);
    }

    [Fact]
    public async Task ComparingNothingIsNeverAPass() =>
        Assert.Equal(1, (await ToolRun.With(FakeReports.Empty(), "verify")).Code);

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task AnErrorIsOneLineAndItsCode(int expected, string kind)
    {
        ToolRun run = await ToolRun.With(_ => throw Make(kind), "verify");
        Assert.Equal(expected, run.Code);
        Assert.Empty(run.Output);
        string line = Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("ringflash: ", line, StringComparison.Ordinal);
        Assert.Contains(kind == "memory" ? "out of memory" : "broken\\u000ain two", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--debug", "verify")]
    [InlineData("verify", "--debug")]
    public async Task DebugShowsTheStackTrace(params string[] args)
    {
        ToolRun run = await ToolRun.With(_ => throw Make("invalid"), args);
        Assert.Equal(3, run.Code);
        Assert.Contains("   at ", run.Error, StringComparison.Ordinal);
        Assert.Contains(nameof(InvalidInputException), run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'--bogus'", "--bogus")]
    [InlineData("'bogus'", "bogus")]
    [InlineData("a command is missing", new string[0])]
    [InlineData("'--bogus'", "verify", "--bogus")]
    [InlineData("'-x'", "verify", "-x")]
    [InlineData("'--bogus'", "verify", "golden", "--bogus", "7")]
    [InlineData("'--json'", "verify", "--json")]
    [InlineData("'many'", "verify", "--threads", "many")]
    [InlineData("--threads: 0", "verify", "--threads", "0")]
    [InlineData("--threads: -1", "verify", "--threads", "-1")]
    [InlineData("'gpu'", "verify", "--engine", "gpu")]
    [InlineData("'Scalar'", "verify", "--engine", "Scalar")]
    [InlineData("empty word", "verify", "--engine", "scalar,")]
    [InlineData("'both'", "verify", "--mode", "both")]
    [InlineData("'--engine'", "verify", "--engine", "scalar", "--engine", "vector512")]
    [InlineData("PATH is empty", "verify", "")]
    public async Task WrongUsageIsTwoAndOneLine(string names, params string[] args)
    {
        ToolRun run = await ToolRun.With(_ => throw new InvalidOperationException("must not run"), args);
        Assert.Equal(2, run.Code);
        Assert.Empty(run.Output);
        string line = Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("ringflash: ", line, StringComparison.Ordinal);
        Assert.Contains(names, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMissingPathIsTheEnvironment()
    {
        ToolRun run = await ToolRun.With(FakeReports.Passing(), "verify", "/no/such/folder");
        Assert.Equal(5, run.Code);
        Assert.Equal("ringflash: /no/such/folder: there is no such file or folder\n", run.Error);
    }

    [Fact]
    public async Task AfterTwoDashesAPathMayBeginWithADash()
    {
        ToolRun run = await ToolRun.With(FakeReports.Passing(), "verify", "--", "-weird");
        Assert.Equal("ringflash: -weird: there is no such file or folder\n", run.Error);
    }

    [Fact]
    public async Task GoldenIsFoundAboveAndMissedWhenAbsent()
    {
        using TemporaryFolder folder = new();
        string deep = Directory.CreateDirectory(folder.File("a/b")).FullName;
        IReadOnlyList<string>? seen = null;
        ToolContext context = ToolRun.Surroundings((options, _, _) =>
        {
            seen = options.Paths;
            return FakeReports.Passing();
        }) with
        { CurrentDirectory = deep };
        ToolRun absent = await ToolRun.In(context, CancellationToken.None, "verify");
        Assert.Equal(5, absent.Code);
        Assert.Contains("no folder 'golden'", absent.Error, StringComparison.Ordinal);

        Directory.CreateDirectory(folder.File("golden"));
        ToolRun present = await ToolRun.In(context, CancellationToken.None, "verify");
        Assert.Equal(0, present.Code);
        Assert.Equal([folder.File("golden")], seen);
    }

    [Fact]
    public async Task CtrlCIs130()
    {
        using CancellationTokenSource source = new();
        ToolContext context = ToolRun.Surroundings((_, _, cancellation) =>
        {
            source.Cancel();
            cancellation.ThrowIfCancellationRequested();
            return FakeReports.Passing();
        });
        ToolRun run = await ToolRun.In(context, source.Token, "verify");
        Assert.Equal(130, run.Code);
        Assert.Equal("ringflash: stopped by Ctrl-C\n", run.Error);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task ACancellationThatNobodyAskedForIsOurFault() =>
        Assert.Equal(4, (await ToolRun.With(_ => throw new OperationCanceledException("broken"), "verify")).Code);

    private static Exception Make(string kind) => kind switch
    {
        "invalid" => new InvalidInputException("case.json", "$.x", "broken\nin two"),
        "environment" => new EnvironmentException("disk", "broken\nin two"),
        "missing" => new FileNotFoundException("broken\nin two"),
        "memory" => new OutOfMemoryException("broken\nin two"),
        "rights" => new UnauthorizedAccessException("broken\nin two"),
        "wrapped" => new AggregateException(new InvalidInputException("case.json", "$.x", "broken\nin two")),
        _ => new InvalidOperationException("broken\nin two"),
    };
}
