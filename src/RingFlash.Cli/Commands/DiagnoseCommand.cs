using System;
using System.CommandLine;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Diagnosis;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash diagnose</c>: which known mistake makes another program's results what they are.</summary>
internal static class DiagnoseCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        ComparisonArguments arguments = new();
        Option<bool> list = new("--list") { Description = "Show the mistakes that are known, and nothing else." };
        Option<string?> precision = new("--precision")
        {
            Description = "What the candidate computes in: float32, bfloat16 or fp8. Default: what its tensors say.",
            HelpName = "PRECISION",
        };
        Option<int> pairSeconds = new("--pair-seconds")
        {
            Description = "The longest time to search for two mistakes in one block, where no single one fits.",
            HelpName = "N",
            DefaultValueFactory = _ => 60,
        };
        Option<int> threads = new("--threads")
        {
            Description = "Worker threads; the results are the same bits for every number.",
            HelpName = "N",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        Option<string?> json = new("--json") { Description = "Write the whole report as JSON.", HelpName = "FILE" };
        ToolCommand command = new(
            "diagnose",
            "Runs the reference with known mistakes and says which of them gives what another program dumped.",
            "ringflash diagnose golden/tiny-f32 my-dump",
            "ringflash diagnose synthetic:ring-mini-2.0@7 vllm-dump --map vllm --ids 1,2,3 --json diagnosis.json",
            "ringflash diagnose --list");
        arguments.AddTo(command);
        foreach (Argument argument in command.Arguments)
        {
            argument.Arity = ArgumentArity.ZeroOrOne; // --list needs neither
        }

        command.Add(list);
        command.Add(precision);
        command.Add(pairSeconds);
        command.Add(threads);
        command.Add(json);
        command.SetAction((parsed, cancellation) =>
        {
            ComparisonRequest request = arguments.Of(parsed);
            if (parsed.GetValue(list))
            {
                return Task.FromResult(List(parsed.GetValue(json), context));
            }

            if (request.Reference is null || request.Candidate is null)
            {
                throw new UsageException("REFERENCE and CANDIDATE are required, or --list");
            }

            DiagnosisOptions options = new()
            {
                Precision = CompareCommand.ParsePrecision(parsed.GetValue(precision)),
                PairTime = parsed.GetValue(pairSeconds) is int seconds and >= 0 and <= 86400
                    ? TimeSpan.FromSeconds(seconds)
                    : throw new UsageException($"--pair-seconds: {parsed.GetValue(pairSeconds)} is not in 0 … 86400"),
                ThreadCount = parsed.GetValue(threads) is int count and >= 1 and <= VerifyCommand.MostThreads
                    ? count
                    : throw new UsageException(
                        $"--threads: {parsed.GetValue(threads)} is not in 1 … {VerifyCommand.MostThreads}"),
            };
            return Task.FromResult(Run(request, options, parsed.GetValue(json), context, cancellation));
        });
        return command;
    }

    private static int List(string? jsonPath, ToolContext context)
    {
        string? json = OutputFile.Check(jsonPath, "--json", context.CurrentDirectory, []);
        new DiagnosisReportTable(ReportConsole.Create(context.Output, context.Colour)).WriteCatalogue();
        if (json is not null)
        {
            DiagnosisReportJson.SaveCatalogue(json);
        }

        return ExitCodes.WithinBudget;
    }

    private static int Run(
        ComparisonRequest request,
        DiagnosisOptions options,
        string? jsonPath,
        ToolContext context,
        CancellationToken cancellation)
    {
        string? json = OutputFile.Check(jsonPath, "--json", context.CurrentDirectory, [request.Candidate]);
        using ComparisonInputs inputs = ComparisonInputs.Open(request, context.CurrentDirectory);
        options = options with
        {
            Preflight = inputs.Preflight(request.Candidate, context.CurrentDirectory, cancellation).Lines,
        };
        DiagnosisReport report = TerminalProgress.Run<(string Step, double Fraction), DiagnosisReport>(
            context,
            at => at,
            progress => Diagnoser.Run(inputs.Reference, inputs.Candidate, options, progress, cancellation));
        cancellation.ThrowIfCancellationRequested();
        new DiagnosisReportTable(ReportConsole.Create(context.Output, context.Colour)).Write(report);
        if (json is not null)
        {
            DiagnosisReportJson.Save(json, report);
        }

        return report.ExitCode;
    }
}
