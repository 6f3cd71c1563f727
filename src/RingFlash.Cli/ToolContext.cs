using System;
using System.IO;
using System.Threading;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli;

/// <summary>Runs a verification; the tests put a fake in its place.</summary>
/// <param name="options">What to verify and how.</param>
/// <param name="progress">Told where the work stands; or null.</param>
/// <param name="cancellation">Stops the run.</param>
/// <returns>The report.</returns>
internal delegate VerifyReport VerifyRunner(
    VerifyOptions options, IProgress<VerifyProgress>? progress, CancellationToken cancellation);

/// <summary>Runs a benchmark; the tests change its options.</summary>
/// <param name="options">What to measure.</param>
/// <param name="progress">Told where the work stands; or null.</param>
/// <param name="cancellation">Stops the run.</param>
/// <returns>The report.</returns>
internal delegate BenchmarkReport BenchmarkRunner(
    BenchmarkOptions options, IProgress<BenchmarkProgress>? progress, CancellationToken cancellation);

/// <summary>Measures how costs grow; the tests change its options.</summary>
/// <param name="options">Threads and sizes.</param>
/// <param name="progress">Told where the work stands; or null.</param>
/// <param name="cancellation">Stops the run.</param>
/// <returns>The report.</returns>
internal delegate GrowthReport GrowthRunner(
    BenchmarkOptions options, IProgress<BenchmarkProgress>? progress, CancellationToken cancellation);

/// <summary>All that a command may touch of the outside world, so that every command can run inside a test.</summary>
internal sealed record ToolContext
{
    /// <summary>The width of everything that is not written to a terminal, and the widest table on one.</summary>
    public const int PlainWidth = 100;

    /// <summary>Standard output.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Standard error.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Runs verifications.</summary>
    public required VerifyRunner Verify { get; init; }

    /// <summary>Runs benchmarks.</summary>
    public BenchmarkRunner Bench { get; init; } = Benchmark.Run;

    /// <summary>Measures how costs grow.</summary>
    public GrowthRunner Growth { get; init; } = Reference.Benchmarks.Growth.Run;

    /// <summary>Whether a person watches: allows progress.</summary>
    public bool OutputIsTerminal { get; init; }

    /// <summary>Whether a person watches standard error: allows a status line there.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Whether colours are wanted: a terminal, and no <c>NO_COLOR</c>.</summary>
    public bool Colour { get; init; }

    /// <summary>The key that a server asks its clients for: <c>RINGFLASH_API_KEY</c>; null for none.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Where relative paths start and where the search for <c>golden</c> begins.</summary>
    public string CurrentDirectory { get; init; } = Environment.CurrentDirectory;

    /// <summary>Whether colours are wanted, by no-color.org: any non-empty value forbids them.</summary>
    /// <param name="outputIsTerminal">Whether the output is a terminal.</param>
    /// <param name="noColor">The value of <c>NO_COLOR</c>; null when it is not set.</param>
    /// <returns>The answer.</returns>
    public static bool WantsColour(bool outputIsTerminal, string? noColor) =>
        outputIsTerminal && string.IsNullOrEmpty(noColor);
}
