// Red here: a user's loss in another language cannot be checked, or a program that breaks is not named by what it did.
using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Properties;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Cli;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Properties;

public sealed class ExternalLossTests
{
    private static readonly RolloutBatch Batch = new(
        2, 2, [-1, -2, -3, 0], [-1, -2.5, -3, 0], [-1.5, -2, double.NaN, 0], [1, -1], [1, 1, 1, 0]);

    [Fact]
    public void AProgramAnswersAsTheLibraryDoes()
    {
        using ExternalLoss loss = ExternalLoss.Start(Program("right"));
        foreach (IcePopCaseFile file in IcePopCases.All)
        {
            loss.CaseName = file.Name;
            PolicyObjectiveOptions options = file.Options with { KullbackLeiblerCoefficient = 0 };
            LossOutcome actual = loss.Evaluate(file.Batch, options);
            ObjectiveResult expected = PolicyObjective.Evaluate(file.Batch, options);
            const LossAggregationKind Mean = LossAggregationKind.TokenMean;
            double gauge = 1e-12 * IcePopCases.Gauge(expected);
            IcePopCases.Near(expected.Loss(Mean), actual.Loss[Mean], 1e-12, gauge, file.Name);
            IcePopCases.Near(expected.Gradient(Mean), actual.Gradient[Mean], 1e-12, gauge, file.Name);
        }
    }

    [Fact]
    public void ARightProgramHasEveryProperty()
    {
        using ExternalLoss loss = ExternalLoss.Start(Program("right"));
        foreach (PropertyReport report in ObjectivePropertySuite.Run(loss.Evaluate, 7, 40))
        {
            Assert.True(report.Verdict != PropertyVerdict.Fail, report.Counterexample);
            bool reached = report.Property.Number is not ("P25" or "P47" or "P48"); // one aggregation, no metrics
            Assert.Equal(reached, report.Verdict == PropertyVerdict.Pass);
        }
    }

    [Theory]
    [InlineData("dies", "ended with exit code 7; it last wrote: Traceback: out of luck")]
    [InlineData("closes", "ended with exit code 0")]
    [InlineData("text", "not JSON", "loss = 0.5")]
    [InlineData("bare", "not JSON", "strings \"NaN\"")]
    [InlineData("twice", "more than one line")]
    [InlineData("endless", "bytes without ending the line")]
    [InlineData("othername", "$.case", "another")]
    [InlineData("word", "$.loss.mean", "seq_mean_token_mean")]
    [InlineData("rows", "$.grad.token_mean", "must have 2 elements; found 1")]
    [InlineData("nograd", "$.grad.token_mean", "required")]
    [InlineData("sleeps", "gave no answer within 2 s")]
    public void AProgramThatBreaksIsNamedWithItsCase(string how, params string[] expected)
    {
        string program = Program(how);
        using ExternalLoss loss = ExternalLoss.Start(
            program, timeout: how == "sleeps" ? TimeSpan.FromSeconds(2) : null);
        loss.CaseName = "P17 0x2a";
        InvalidInputException error = Assert.Throws<InvalidInputException>(
            () => loss.Evaluate(Batch, PolicyObjectiveOptions.Default));
        Assert.StartsWith($"{program}: case P17 0x2a: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.All(expected, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        error = Assert.Throws<InvalidInputException>(() => loss.Evaluate(Batch, PolicyObjectiveOptions.Default));
        Assert.Contains("is not asked again", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARefusalIsAnAnswer()
    {
        using ExternalLoss loss = ExternalLoss.Start(Program("refuses"));
        for (int i = 0; i < 2; i++)
        {
            LossRefusedException refusal = Assert.Throws<LossRefusedException>(
                () => loss.Evaluate(Batch, PolicyObjectiveOptions.Default));
            Assert.Equal("ZeroDivisionError: division by zero", refusal.Message);
        }

        PropertyReport report = ObjectivePropertySuite.Run(
            ObjectivePropertySuite.All.First(property => property.Number == "P30"), loss.Evaluate, 1, 5);
        Assert.Equal(PropertyVerdict.Fail, report.Verdict);
        Assert.Contains("ZeroDivisionError", report.Counterexample!, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatAProgramWritesAboutItselfIsPassedOnInOneLineEach()
    {
        StringWriter heard = new();
        using (ExternalLoss loss = ExternalLoss.Start(Program("chatty"), diagnostics: heard))
        {
            loss.Evaluate(Batch, PolicyObjectiveOptions.Default);
        }

        Assert.EndsWith("loading\\u0009the model\n", heard.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AProgramThatCannotBeStartedIsTheSurroundings()
    {
        EnvironmentException error = Assert.Throws<EnvironmentException>(
            () => ExternalLoss.Start("no-such-program --flag"));
        Assert.StartsWith("no-such-program: cannot be started", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("python3 my_loss.py", "python3", "my_loss.py")]
    [InlineData("  a   'b c'  \"d'e\" ", "a", "b c", "d'e")]
    [InlineData("a''b \"\"", "ab", "")]
    public void ACommandLineIsSplitAtSpaces(string line, params string[] words) =>
        Assert.Equal(words, ExternalLoss.Split(line));

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("a \"b")]
    [InlineData("'' b")]
    public void ACommandLineWithoutAProgramIsRefused(string line) =>
        Assert.Throws<ArgumentException>(() => ExternalLoss.Split(line));

    [Fact]
    public async Task TheToolChecksAProgram()
    {
        using TemporaryFolder temporary = new();
        string json = temporary.File("verdicts.json");
        ToolRun right = await Tool("--program", Program("right"), "--count", "20", "--only", "P2,P10,P54");
        Assert.True(right.Code == ExitCodes.WithinBudget, right.Output + right.Error);
        Assert.Contains("3 properties hold on every case", right.Output, StringComparison.Ordinal);

        ToolRun wrong = await Tool(
            "--program", Program("binary"), "--count", "20", "--only", "P2,P10,P54", "--json", json);
        Assert.Equal(ExitCodes.OverBudget, wrong.Code);
        Assert.Contains("the factor k is missing", wrong.Output, StringComparison.Ordinal);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(json));
        JsonElement[] verdicts = [.. document.RootElement.GetProperty("properties").EnumerateArray()];
        Assert.Equal(
            ["failed", "holds", "failed"], verdicts.Select(verdict => verdict.GetProperty("verdict").GetString()!));

        // The replay shows the same failure from one case.
        string replay = verdicts[2].GetProperty("replay").GetString()!;
        ToolRun again = await Tool(["--program", Program("binary"), .. replay[replay.IndexOf("--only")..].Split(' ')]);
        Assert.Equal(ExitCodes.OverBudget, again.Code);
        Assert.Contains(verdicts[2].GetProperty("counterexample").GetString()!, again.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheToolNamesMistakes()
    {
        ToolRun dead = await Tool("--program", Program("dies", "30"), "--count", "20");
        Assert.Equal(ExitCodes.BadInput, dead.Code);
        string line = Assert.Single(dead.Error.TrimEnd().Split('\n'), text => text.Contains("ringflash:"));
        Assert.Contains("ended with exit code 7", line, StringComparison.Ordinal);
        Assert.Matches(": case P[0-9]+ 0x[0-9a-f]{16}: ", line);
        Assert.Equal(ExitCodes.Environment, (await Tool("--program", "no-such-program")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Tool("--program", "a \"b")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Tool("--program", Program("right"), "--only", "P37")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Tool("--only", "P55")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Tool("--count", "0")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Tool("--seed", "0xg")).Code);
        Assert.Equal(ExitCodes.WrongUsage, (await Tool("--tolerance", "loose")).Code);

        // Nothing was reached, so nothing was compared.
        ToolRun nothing = await Tool("--program", Program("right"), "--only", "P47", "--count", "3");
        Assert.Equal(ExitCodes.OverBudget, nothing.Code);
        Assert.Contains("no property was reached", nothing.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAProgramTheToolChecksThisLibrary()
    {
        ToolRun run = await Tool("--count", "10");
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.All(run.Output.Split('\n'), line => Assert.True(line.Length <= 100, line));
    }

    private static Task<ToolRun> Tool(params string[] arguments) => ToolRun.With(
        _ => throw new InvalidOperationException("nothing is verified here"), ["icepop", "properties", .. arguments]);

    private static string Program(params string[] words)
    {
        string[] folders = AppContext.BaseDirectory.TrimEnd('/', '\\').Split('/', '\\');
        string program = Path.Combine(
            RepositoryRoot.Path,
            "tests/RingFlash.LossProgram/bin",
            folders[^2],
            folders[^1],
            "RingFlash.LossProgram.dll");
        Assert.True(File.Exists(program), $"{program} is missing: build the solution first");
        string host = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        string dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..", host));
        return $"'{dotnet}' '{program}' {string.Join(' ', words)}";
    }
}
