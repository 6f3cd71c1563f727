using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;
using Spectre.Console;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash verify</c>: checks golden cases.</summary>
internal static class VerifyCommand
{
    // More threads than any machine has cores are a typing error, and each costs a stack.
    internal const int MostThreads = 1024;

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Argument<string[]> paths = new("PATH")
        {
            Description = "Case folders, or folders of case folders. Default: 'golden' here or in a folder above.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string> engine = new("--engine")
        {
            Description = $"Who computes; a comma list of {EngineWords.List}.",
            HelpName = "ENGINE",
            DefaultValueFactory = _ => ExecutionEngine.Vector512.Word(),
        };
        Option<string> mode = new("--mode")
        {
            Description = "isolated: every operator gets the reference's input; free: its own results. A comma list.",
            HelpName = "MODE",
            DefaultValueFactory = _ => "isolated,free",
        };
        Option<string> filter = new("--filter")
        {
            Description = "Only cases, or taps, whose full name contains this text.",
            HelpName = "TEXT",
            DefaultValueFactory = _ => string.Empty,
        };
        Option<string?> model = new("--model")
        {
            Description = "The checkpoint folder for cases of real weights; its tensors must have the case's SHA-256.",
            HelpName = "DIR",
        };
        Option<string?> memoryLimit = ByteSize.MemoryLimit();
        Option<int> threads = new("--threads")
        {
            Description = "Worker threads; the results are the same bits for every number.",
            HelpName = "N",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        Option<bool> taps = new("--taps") { Description = "Show every tap of every run, not only those over budget." };
        Option<string?> json = new("--json") { Description = "Write the whole report as JSON.", HelpName = "FILE" };
        Option<string?> html = new("--html")
        {
            Description = "Write the report as one HTML page with pictures, which opens offline.",
            HelpName = "FILE",
        };
        Option<string?> junit = new("--junit") { Description = "Write the verdicts as JUnit XML.", HelpName = "FILE" };

        ToolCommand command = new(
            "verify",
            "Checks golden cases: runs the model on each and compares every tap with the reference's own.",
            "ringflash verify",
            "ringflash verify golden/tiny-f32 --engine all --mode isolated --taps",
            "ringflash verify --filter layers.3.mlp --html report.html --json report.json --junit report.xml")
        {
            paths, engine, mode, filter, model, memoryLimit, threads, taps, html, json, junit,
        };
        command.SetAction((parsed, cancellation) =>
        {
            Request request = new(
                parsed.GetValue(paths) ?? [],
                parsed.GetValue(engine)!,
                parsed.GetValue(mode)!,
                parsed.GetValue(filter)!,
                parsed.GetValue(model),
                parsed.GetValue(memoryLimit) is string limit ? ByteSize.Parse(limit, "--memory-limit") : null,
                parsed.GetValue(threads),
                parsed.GetValue(taps),
                parsed.GetValue(html),
                parsed.GetValue(json),
                parsed.GetValue(junit));
            return Task.FromResult(Run(request, context, cancellation));
        });
        return command;
    }

    private static int Run(Request request, ToolContext context, CancellationToken cancellation)
    {
        (IReadOnlyList<ExecutionEngine> engines, IReadOnlyList<MissingEngine> missing) =
            EngineWords.Parse(request.Engine);
        IReadOnlyList<VerifyMode> modes = ParseModes(request.Mode);
        if (request.Threads is < 1 or > MostThreads)
        {
            throw new UsageException($"--threads: {request.Threads} is not in 1 … {MostThreads}");
        }

        IReadOnlyList<string> paths = FindInputs(request.Paths, context.CurrentDirectory);
        string? html = OutputFile.Check(request.Html, "--html", context.CurrentDirectory, paths);
        string? json = OutputFile.Check(request.Json, "--json", context.CurrentDirectory, paths);
        string? junit = OutputFile.Check(request.Junit, "--junit", context.CurrentDirectory, paths);
        OutputFile.RefuseSame(("--html", html), ("--json", json), ("--junit", junit));

        VerifyOptions options = new()
        {
            Checkpoint = request.Model is null ? null : Path.GetFullPath(request.Model, context.CurrentDirectory),
            Paths = paths,
            Engines = engines,
            Modes = modes,
            Filter = request.Filter,
            MemoryLimit = request.MemoryLimit,
            ThreadCount = request.Threads,
        };
        VerifyReport report =
            TerminalProgress.Run(context, progress => context.Verify(options, progress, cancellation));
        cancellation.ThrowIfCancellationRequested();

        IAnsiConsole console = ReportConsole.Create(context.Output, context.Colour);
        new VerifyReportTable(console).Write(report, missing, request.Taps);
        if (html is not null)
        {
            VerifyReportHtml.Save(html, report, missing, context.CurrentDirectory);
        }

        if (json is not null)
        {
            VerifyReportJson.Save(json, report, missing);
        }

        if (junit is not null)
        {
            VerifyReportJunit.Save(junit, report);
        }

        return report.ExitCode;
    }

    private static IReadOnlyList<VerifyMode> ParseModes(string text) =>
        CommaList.Split(text, "--mode")
            .Select(word => word switch
            {
                "isolated" => VerifyMode.Isolated,
                "free" => VerifyMode.Free,
                _ => throw new UsageException($"--mode: '{word}' is not a mode; known are isolated, free"),
            })
            .Distinct()
            .ToArray();

    private static IReadOnlyList<string> FindInputs(IReadOnlyList<string> paths, string currentDirectory)
    {
        if (paths.Count == 0)
        {
            return [GoldenFolder.Find(currentDirectory)];
        }

        List<string> found = [];
        foreach (string path in paths)
        {
            if (path.Trim().Length == 0 || path.Contains('\0'))
            {
                throw new UsageException("PATH is empty");
            }

            string full = Path.GetFullPath(path, currentDirectory);
            if (!Path.Exists(full))
            {
                throw new EnvironmentException(path, "there is no such file or folder");
            }

            found.Add(full);
        }

        return found;
    }

    private sealed record Request(
        IReadOnlyList<string> Paths,
        string Engine,
        string Mode,
        string Filter,
        string? Model,
        long? MemoryLimit,
        int Threads,
        bool Taps,
        string? Html,
        string? Json,
        string? Junit);
}
