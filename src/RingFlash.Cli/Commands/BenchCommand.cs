using System;
using System.CommandLine;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Configuration;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash bench</c>: every hot operator against what this machine can do at most.</summary>
internal static class BenchCommand
{
    private const int MostThreads = 1024;

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Argument<string[]> shapes = new("SHAPES")
        {
            Description = $"Models whose sizes are measured: {string.Join(", ", BuiltInConfigurations.Names)}. "
                + "Default: all.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<int> threads = new("--threads")
        {
            Description = "Worker threads, for the operators and for the ceilings.",
            HelpName = "N",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        Option<string> filter = new("--filter")
        {
            Description = "Only cases whose 'shape operator size' contains this text.",
            HelpName = "TEXT",
            DefaultValueFactory = _ => string.Empty,
        };
        Option<bool> quick = new("--quick") { Description = "Fewer sizes and rounds: seconds instead of minutes." };
        Option<string?> json = new("--json") { Description = "Write every sample as JSON.", HelpName = "FILE" };
        Option<string?> svg = new("--svg") { Description = "Write a roofline picture.", HelpName = "FILE" };
        ToolCommand command = new(
            "bench",
            "Times every hot operator, and prefill and decode of a few layers, as a share of what this machine can do "
            + "at most: reading memory and fused multiply-adds, measured in the same rounds. A path that does not have "
            + "the scalar bits is not timed (exit code 1).",
            "ringflash bench                                  # about two minutes",
            "ringflash bench ring-mini-2.0 --quick            # a first look",
            "ringflash bench --filter \"lm_head M = 1\" --json bench.json --svg roofline.svg",
            "ringflash bench growth --svg growth.svg          # time against tokens, context, experts, layers")
        {
            shapes, threads, filter, quick, json, svg,
            BenchGrowthCommand.Create(context, shapes),
        };
        command.SetAction((parsed, cancellation) =>
        {
            BenchmarkOptions options = new()
            {
                Shapes = Shapes(parsed.GetValue(shapes) ?? []),
                ThreadCount = Threads(parsed.GetValue(threads)),
                Filter = parsed.GetValue(filter)!,
                IsQuick = parsed.GetValue(quick),
            };
            (string? jsonFile, string? svgFile) = Outputs(parsed.GetValue(json), parsed.GetValue(svg), context);
            return Task.FromResult(Run(options, jsonFile, svgFile, context, cancellation));
        });
        return command;
    }

    /// <summary>Checks a number of threads.</summary>
    /// <param name="threads">The number.</param>
    /// <returns>It.</returns>
    /// <exception cref="UsageException">It is impossible.</exception>
    public static int Threads(int threads) => threads is >= 1 and <= MostThreads
        ? threads
        : throw new UsageException($"--threads: {threads} is not in 1 … {MostThreads}");

    /// <summary>Checks the two files that are written.</summary>
    /// <param name="json">The value of <c>--json</c>.</param>
    /// <param name="svg">The value of <c>--svg</c>.</param>
    /// <param name="context">The outside world.</param>
    /// <returns>Full paths; null where none was given.</returns>
    public static (string? Json, string? Svg) Outputs(string? json, string? svg, ToolContext context)
    {
        string? jsonFile = OutputFile.Check(json, "--json", context.CurrentDirectory, []);
        string? svgFile = OutputFile.Check(svg, "--svg", context.CurrentDirectory, []);
        return jsonFile is null || jsonFile != svgFile
            ? (jsonFile, svgFile)
            : throw new UsageException($"--json and --svg both name {json}");
    }

    private static int Run(
        BenchmarkOptions options, string? json, string? svg, ToolContext context, CancellationToken cancellation)
    {
        if (Benchmark.Labels(options).Count == 0)
        {
            throw new UsageException($"--filter: no case contains '{options.Filter}'");
        }

        BenchmarkReport report = TerminalProgress.Run(
            context, progress => context.Bench(options, progress, cancellation));

        new BenchmarkTable(ReportConsole.Create(context.Output, context.Colour)).Write(report);
        if (json is not null)
        {
            BenchmarkJson.Save(json, report);
        }

        if (svg is not null)
        {
            RooflinePicture.Save(svg, report);
        }

        return report.Refused.Any() ? ExitCodes.OverBudget : ExitCodes.WithinBudget;
    }

    private static BenchmarkShape[] Shapes(string[] names)
    {
        string[] words = [.. names.SelectMany(name => CommaList.Split(name, "SHAPES")).Distinct()];
        string? unknown = words.FirstOrDefault(word => !BuiltInConfigurations.Names.Contains(word));
        return unknown is null
            ? [.. (words.Length == 0 ? BuiltInConfigurations.Names : words).Select(BenchmarkOptions.Shape)]
            : throw new UsageException(
                $"SHAPES: '{unknown}' is not a model; known are {string.Join(", ", BuiltInConfigurations.Names)}");
    }
}
