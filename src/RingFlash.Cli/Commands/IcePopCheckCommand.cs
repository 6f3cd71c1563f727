using System.Collections.Generic;
using System.CommandLine;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Checking;
using RingFlash.Reference.Objective.Profiles;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash icepop check</c>: somebody else's numbers against a profile's.</summary>
internal static class IcePopCheckCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Option<string[]> cases = new("--cases")
        {
            Description = "The cases that the numbers belong to: files, or folders of them.",
            HelpName = "FILE",
            Required = true,
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = true,
        };
        Option<string> actual = new("--actual")
        {
            Description = "The numbers: JSON as eval --json and tools/icepop write it, or safetensors as eval --out.",
            HelpName = "FILE",
            Required = true,
        };
        Option<string> profile = IcePopArguments.ProfileOption();
        Option<string?> precision = IcePopArguments.PrecisionOption(
            "What the numbers were computed in; default: what the file says, else float64.");
        Option<string?> json = new("--json") { Description = "Write everything as JSON.", HelpName = "FILE" };
        ToolCommand command = new(
            "check",
            "Compares somebody's losses, gradients and weights with a profile's; on a difference tries every profile.",
            "ringflash icepop check --cases golden/icepop --actual mine.json",
            "ringflash icepop check --cases a.json b.json --actual mine.json --profile slime/icepop --json check.json")
        {
            cases, actual, profile, precision, json,
        };
        command.SetAction((parsed, cancellation) =>
        {
            IReadOnlyList<string> files = IcePopArguments.CaseFiles(
                parsed.GetValue(cases) ?? [], context.CurrentDirectory, "--cases");
            string results = IcePopArguments.InputFile(
                parsed.GetValue(actual), context.CurrentDirectory, "--actual");
            string? values = OutputFile.Check(
                parsed.GetValue(json), "--json", context.CurrentDirectory, [.. files, results]);
            ObjectiveProfile chosen = IcePopArguments.Profile(parsed.GetValue(profile));
            bool? single = IcePopArguments.IsSingle(parsed.GetValue(precision));
            List<IcePopCaseFile> read = [];
            foreach (string file in files)
            {
                cancellation.ThrowIfCancellationRequested();
                read.Add(IcePopArguments.ReadCase(file, chosen));
            }

            using IcePopActualFile judged = IcePopActualFile.Open(results);
            IcePopCheck check = IcePopCheck.Run(read, judged, chosen, single);
            IcePopCheckTable.Write(ReportConsole.Create(context.Output, context.Colour), check);
            if (values is not null)
            {
                AtomicFile.Write(values, stream => IcePopCheckJson.Write(stream, check));
            }

            return Task.FromResult(check.Passed ? ExitCodes.WithinBudget : ExitCodes.OverBudget);
        });
        return command;
    }
}
