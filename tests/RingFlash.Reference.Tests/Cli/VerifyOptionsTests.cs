// Red here means that verify runs something else than the command line says, or hides an engine it did not run.
using System;
using System.Threading.Tasks;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class VerifyOptionsTests
{
    [Fact]
    public async Task TheDefaultsAreVector512AndBothModes()
    {
        VerifyOptions options = await OptionsOf("verify");
        Assert.Equal([ExecutionEngine.Vector512], options.Engines);
        Assert.Equal([VerifyMode.Isolated, VerifyMode.Free], options.Modes);
        Assert.Equal(string.Empty, options.Filter);
        Assert.Equal(Environment.ProcessorCount, options.ThreadCount);
        Assert.EndsWith("golden", Assert.Single(options.Paths), StringComparison.Ordinal);
    }

    [Fact]
    public async Task EveryOptionArrives()
    {
        VerifyOptions options = await OptionsOf(
            "verify", RepositoryRoot.Path, RepositoryRoot.Golden, "--engine", "vector512,scalar,vector512", "--mode",
            "free", "--filter", "layers.3", "--threads", "3");
        Assert.Equal([ExecutionEngine.Vector512, ExecutionEngine.Scalar], options.Engines);
        Assert.Equal([VerifyMode.Free], options.Modes);
        Assert.Equal("layers.3", options.Filter);
        Assert.Equal(3, options.ThreadCount);
        Assert.Equal([RepositoryRoot.Path, RepositoryRoot.Golden], options.Paths);
    }

    [Theory]
    [InlineData("cuda")]
    [InlineData("scalar,cuda")]
    public async Task AnEngineThatIsNotHereIsNeverSkipped(string engine)
    {
        Assert.SkipWhen(KernelHost.WhyNoCuda() is null, "there is a card");
        ToolRun run = await ToolRun.With(FakeReports.Passing(), "verify", "--engine", engine);
        Assert.Equal(5, run.Code);
        Assert.Equal($"ringflash: engine cuda is not available: {KernelHost.WhyNoCuda()}\n", run.Error);
    }

    [Fact]
    public async Task AllRunsWhatIsHereAndNamesTheRest()
    {
        VerifyOptions options = await OptionsOf("verify", "--engine", "all");
        ExecutionEngine[] here = [ExecutionEngine.Scalar, ExecutionEngine.Vector512, ExecutionEngine.IlgpuCpu];
        string? reason = KernelHost.WhyNoCuda();
        Assert.Equal(reason is null ? [.. here, ExecutionEngine.Cuda] : here, options.Engines);
        ToolRun run = await ToolRun.With(FakeReports.Passing(), "verify", "--engine", "all");
        Assert.Equal(0, run.Code);
        if (reason is not null)
        {
            Assert.Contains($"\nengine cuda is not available: {reason}\n", run.Output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("--help", "ringflash verify")]
    [InlineData("verify", "--help", "ringflash verify golden/tiny-f32 --engine all")]
    public async Task HelpEndsWithExamples(params string[] words)
    {
        ToolRun run = await ToolRun.With(FakeReports.Passing(), words[..^1]);
        Assert.Equal(0, run.Code);
        string[] parts = run.Output.Split("Examples:\n");
        Assert.Equal(2, parts.Length);
        Assert.Contains(words[^1], parts[1], StringComparison.Ordinal);
        Assert.All(
            parts[1].TrimEnd('\n').Split('\n'),
            line => Assert.StartsWith("  ringflash ", line, StringComparison.Ordinal));
        Assert.Contains("Usage:\n  ringflash ", parts[0], StringComparison.Ordinal);
        Assert.All(run.Output.Split('\n'), line => Assert.True(line.Length <= 100, line));
    }

    [Fact]
    public async Task VersionIsOneLine()
    {
        ToolRun run = await ToolRun.With(FakeReports.Passing(), "--version");
        Assert.Equal(0, run.Code);
        Assert.Matches(@"^ringflash \d+\.\d+\.\d+[^\n]*\n$", run.Output);
    }

    private static async Task<VerifyOptions> OptionsOf(params string[] args)
    {
        VerifyOptions? seen = null;
        ToolRun run = await ToolRun.With(
            options =>
            {
                seen = options;
                return FakeReports.Passing();
            },
            args);
        Assert.Equal(string.Empty, run.Error);
        return Assert.IsType<VerifyOptions>(seen);
    }
}
