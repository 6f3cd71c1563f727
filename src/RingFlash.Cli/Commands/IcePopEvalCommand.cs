using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;
using Spectre.Console;

namespace RingFlash.Cli.Commands;

/// <summary>
/// <c>ringflash icepop eval</c>: loss, gradient, counts and metrics of cases, compared where they say what to expect.
/// </summary>
internal static class IcePopEvalCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Argument<string[]> cases = new("CASE")
        {
            Description = "Case files (JSON), or folders of case_*.json.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string?> json = new("--json") { Description = "Write everything as JSON.", HelpName = "FILE" };
        ToolCommand command = new(
            "eval",
            "Evaluates the objective in float64 and compares it with what a case expects, where it does.",
            "ringflash icepop eval golden/icepop/case_005_offpolicy_ragged.json",
            "ringflash icepop eval golden/icepop --json values.json")
        {
            cases, json,
        };
        command.SetAction((parsed, cancellation) => Task.FromResult(
            Run(parsed.GetValue(cases) ?? [], parsed.GetValue(json), context, cancellation)));
        return command;
    }

    private static int Run(
        IReadOnlyList<string> paths, string? jsonPath, ToolContext context, CancellationToken cancellation)
    {
        IReadOnlyList<string> files = Find(paths, context.CurrentDirectory);
        string? json = OutputFile.Check(jsonPath, "--json", context.CurrentDirectory, files);
        List<IcePopEvaluation> evaluations = [];
        foreach (string file in files)
        {
            cancellation.ThrowIfCancellationRequested();
            evaluations.Add(IcePopEvaluation.Of(IcePopCaseFile.Read(file)));
        }

        Write(ReportConsole.Create(context.Output, context.Colour), evaluations);
        if (json is not null)
        {
            AtomicFile.Write(json, stream => IcePopEvaluationJson.Write(stream, evaluations));
        }

        return evaluations.Any(evaluation => evaluation.Difference.Length > 0)
            ? ExitCodes.OverBudget
            : ExitCodes.WithinBudget;
    }

    private static IReadOnlyList<string> Find(IReadOnlyList<string> paths, string currentDirectory)
    {
        List<string> files = [];
        foreach (string path in paths)
        {
            if (path.Trim().Length == 0 || path.Contains('\0'))
            {
                throw new UsageException("CASE is empty");
            }

            string full = Path.GetFullPath(path, currentDirectory);
            if (File.Exists(full))
            {
                files.Add(full);
                continue;
            }

            string[] found = Directory.Exists(full)
                ? [.. Directory.GetFiles(full, "case_*.json").Order(StringComparer.Ordinal)]
                : throw new EnvironmentException(path, "there is no such file or folder");
            files.AddRange(found.Length > 0
                ? found
                : throw new EnvironmentException(path, "no case_*.json in this folder"));
        }

        return files;
    }

    private static void Write(IAnsiConsole console, IReadOnlyList<IcePopEvaluation> evaluations)
    {
        IcePopEvaluation? wrong = evaluations.FirstOrDefault(evaluation => evaluation.Difference.Length > 0);
        int compared = evaluations.Count(evaluation => evaluation.IsCompared);
        console.WriteLine(wrong is not null
            ? $"FAILED {wrong.Case.Name}: {wrong.Difference}"
            : $"{evaluations.Count} cases evaluated, {compared} of them compared with what they expect and equal");
        console.WriteLine();
        Table table = new() { Border = TableBorder.Ascii };
        table.AddColumns("case", "loss", "‖gradient‖", "valid", "kept", "low", "high", "n.f.", "verdict");

        foreach (IcePopEvaluation evaluation in evaluations)
        {
            ObjectiveMetrics metrics = evaluation.Result.Metrics;
            LossAggregationKind aggregation = evaluation.Case.Options.Aggregation;
            double norm = Math.Sqrt(evaluation.Result.Gradient(aggregation).Sum(value => value * value));
            table.AddRow(
                Markup.Escape(InvalidInputException.Escape(evaluation.Case.Name)),
                Number(evaluation.Result.Loss(aggregation)),
                Number(norm),
                Count(metrics.ValidTokens),
                Count(metrics.KeptTokens),
                Count(metrics.MaskedLow),
                Count(metrics.MaskedHigh),
                Count(metrics.NonFiniteLogRatio),
                evaluation.Difference.Length > 0 ? "FAILED" : evaluation.IsCompared ? "equal" : "not compared");
        }

        console.Write(table);
        console.WriteLine("loss, gradient: mean over tokens, then over responses (seq_mean_token_mean), no KL;");
        console.WriteLine("low, high: dropped below and above the band; n.f.: dropped because the ratio is not finite");
    }

    private static string Number(double value) => value.ToString("G7", CultureInfo.InvariantCulture);

    private static string Count(long value) => value.ToString(CultureInfo.InvariantCulture);
}
