using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Checking;
using RingFlash.Reference.Objective.Profiles;

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
            Description = "Case files (JSON or safetensors), or folders of case_*.json and *.safetensors.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string> profile = IcePopArguments.ProfileOption();
        Option<string?> precision = IcePopArguments.PrecisionOption("Compute in float64 (the default) or float32.");
        Option<string?> output = new("--out")
        {
            Description = "Write the per-token arrays: .safetensors or .json.",
            HelpName = "FILE",
        };
        Option<string?> json = new("--json")
        {
            Description = "Write loss, grad, keep, weight, metrics and kl by the names of the case schema.",
            HelpName = "FILE",
        };
        ToolCommand command = new(
            "eval",
            "Evaluates the objective and compares it with what a case expects, where it does.",
            "ringflash icepop eval golden/icepop/case_005_offpolicy_ragged.json",
            "ringflash icepop eval golden/icepop --json values.json",
            "ringflash icepop eval golden/icepop --profile slime/icepop --out tokens.safetensors")
        {
            cases, profile, precision, output, json,
        };
        command.SetAction((parsed, cancellation) =>
        {
            IReadOnlyList<string> files = IcePopArguments.CaseFiles(
                parsed.GetValue(cases) ?? [], context.CurrentDirectory, "CASE");
            string? values = OutputFile.Check(parsed.GetValue(json), "--json", context.CurrentDirectory, files);
            string? tokens = OutputFile.Check(parsed.GetValue(output), "--out", context.CurrentDirectory, files);
            if (tokens is not null && Path.GetExtension(tokens) is not (".json" or ".safetensors"))
            {
                throw new UsageException($"--out: {tokens} must end in .json or .safetensors");
            }

            if (tokens is not null && tokens == values)
            {
                throw new UsageException($"--out and --json both name {tokens}");
            }

            ObjectiveProfile chosen = IcePopArguments.Profile(parsed.GetValue(profile));
            bool single = IcePopArguments.IsSingle(parsed.GetValue(precision)) ?? false;
            List<IcePopEvaluation> evaluations = [];
            foreach (string file in files)
            {
                cancellation.ThrowIfCancellationRequested();
                evaluations.Add(IcePopEvaluation.Of(IcePopArguments.ReadCase(file, chosen), chosen, single));
            }

            if (evaluations.GroupBy(one => one.Case.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            {
                throw new InvalidInputException(
                    twice.Last().Case.Path, twice.Key, "two cases have this name; results could not be told apart");
            }

            IcePopEvaluationTable.Write(ReportConsole.Create(context.Output, context.Colour), evaluations, chosen);
            Save(evaluations, values, tokens);
            return Task.FromResult(evaluations.Any(evaluation => evaluation.Difference.Length > 0)
                ? ExitCodes.OverBudget
                : ExitCodes.WithinBudget);
        });
        return command;
    }

    private static void Save(List<IcePopEvaluation> evaluations, string? values, string? tokens)
    {
        if (values is not null)
        {
            AtomicFile.Write(values, stream => IcePopEvaluationJson.Write(stream, evaluations, everything: false));
        }

        if (tokens is not null && Path.GetExtension(tokens) == ".json")
        {
            AtomicFile.Write(tokens, stream => IcePopEvaluationJson.Write(stream, evaluations, everything: true));
        }
        else if (tokens is not null)
        {
            IcePopValuesFile.Save(
                tokens,
                [
                    .. evaluations.Where(evaluation => evaluation.Values is not null)
                        .Select(evaluation => (evaluation.Case, evaluation.Values!)),
                ],
                evaluations[0].Precision);
        }
    }
}
