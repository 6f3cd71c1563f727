using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Comparison;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash compare</c>: another program's results against the reference.</summary>
internal static class CompareCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        ComparisonArguments arguments = new();
        Option<string?> precision = new("--precision")
        {
            Description = "What the candidate computes in: float32, bfloat16 or fp8. Default: what its tensors say.",
            HelpName = "PRECISION",
        };
        Option<string> mode = new("--mode")
        {
            Description = "isolated: every tap from the candidate's own values; free: drift and logits. A comma list.",
            HelpName = "MODE",
            DefaultValueFactory = _ => "isolated,free",
        };
        Option<bool> allowMissing = new("--allow-missing")
        {
            Description = "Accept a dump that lacks, in some layers, taps that it has in others.",
        };
        Option<bool> taps = new("--taps") { Description = "Show every tap." };
        Option<int> threads = new("--threads")
        {
            Description = "Worker threads; the results are the same bits for every number.",
            HelpName = "N",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        Option<string?> html = new("--html")
        {
            Description = "Write the report as one HTML page with pictures, which opens offline.",
            HelpName = "FILE",
        };
        Option<string?> json = new("--json") { Description = "Write the whole report as JSON.", HelpName = "FILE" };
        Option<string?> junit = new("--junit") { Description = "Write the verdicts as JUnit XML.", HelpName = "FILE" };
        ToolCommand command = new(
            "compare",
            "Compares tensors that another program dumped with the reference, and names the first wrong operator.",
            "ringflash compare golden/tiny-f32 my-dump --html report.html",
            "ringflash compare synthetic:ring-mini-2.0@7 vllm-dump --map vllm --ids 1,2,3",
            "ringflash compare Ring-mini-2.0 their-dump --precision bfloat16 --json report.json --junit report.xml");
        arguments.AddTo(command);
        command.Add(precision);
        command.Add(mode);
        command.Add(allowMissing);
        command.Add(taps);
        command.Add(threads);
        command.Add(html);
        command.Add(json);
        command.Add(junit);
        command.SetAction((parsed, cancellation) =>
        {
            ComparisonOptions options = Modes(parsed.GetValue(mode)!) with
            {
                Precision = ParsePrecision(parsed.GetValue(precision)),
                AllowMissing = parsed.GetValue(allowMissing),
                ThreadCount = parsed.GetValue(threads) is int count and >= 1 and <= VerifyCommand.MostThreads
                    ? count
                    : throw new UsageException(
                        $"--threads: {parsed.GetValue(threads)} is not in 1 … {VerifyCommand.MostThreads}"),
            };
            ComparisonRequest request = arguments.Of(parsed);
            return Task.FromResult(Run(
                request,
                options,
                parsed.GetValue(taps),
                new Files(parsed.GetValue(html), parsed.GetValue(json), parsed.GetValue(junit)),
                context,
                cancellation));
        });
        return command;
    }

    private static int Run(
        ComparisonRequest request,
        ComparisonOptions options,
        bool everyTap,
        Files files,
        ToolContext context,
        CancellationToken cancellation)
    {
        string here = context.CurrentDirectory;
        IReadOnlyList<string> read =
        [
            .. new[] { request.Candidate, request.Reference, request.Model, request.Map }
                .Where(path => !string.IsNullOrWhiteSpace(path) && !path.Contains('\0'))
                .Select(path => Path.GetFullPath(path!, here)),
        ];
        string? html = OutputFile.Check(files.Html, "--html", here, read);
        string? json = OutputFile.Check(files.Json, "--json", here, read);
        string? junit = OutputFile.Check(files.Junit, "--junit", here, read);
        OutputFile.RefuseSame(("--html", html), ("--json", json), ("--junit", junit));
        using ComparisonInputs inputs = ComparisonInputs.Open(request, here);
        options = options with { Preflight = inputs.Preflight(request.Candidate, here, cancellation).Lines };
        ComparisonReport report = TerminalProgress.Run<(string Step, double Fraction), ComparisonReport>(
            context,
            at => at,
            progress => CandidateComparer.Run(inputs.Reference, inputs.Candidate, options, progress, cancellation));
        cancellation.ThrowIfCancellationRequested();
        new CompareReportTable(ReportConsole.Create(context.Output, context.Colour), inputs.Tokenizer)
            .Write(report, everyTap);
        if (html is not null)
        {
            CompareReportHtml.Save(html, report, inputs.Tokenizer, here);
        }

        if (json is not null)
        {
            CompareReportJson.Save(json, report);
        }

        if (junit is not null)
        {
            CompareReportJunit.Save(junit, report);
        }

        return report.ExitCode;
    }

    private static ComparisonOptions Modes(string text)
    {
        bool isolated = false, free = false;
        foreach (string word in CommaList.Split(text, "--mode"))
        {
            isolated |= word == "isolated";
            free |= word == "free";
            if (word is not ("isolated" or "free"))
            {
                throw new UsageException($"--mode: '{word}' is not a mode; known are isolated, free");
            }
        }

        return new ComparisonOptions { Isolated = isolated, Free = free };
    }

    /// <summary>Checks the word for a precision.</summary>
    /// <param name="word">What was typed.</param>
    /// <returns>The same.</returns>
    public static string? ParsePrecision(string? word) => word is null or "float32" or "bfloat16" or "fp8"
        ? word
        : throw new UsageException($"--precision: '{word}' is not a precision; known are float32, bfloat16, fp8");

    private sealed record Files(string? Html, string? Json, string? Junit);
}
