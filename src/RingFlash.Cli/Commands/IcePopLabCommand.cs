using System.CommandLine;
using System.Threading.Tasks;
using RingFlash.Reference.Objective.Pictures;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash icepop lab</c>: the theory as executable text, one page with pictures.</summary>
internal static class IcePopLabCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Option<string> html = new("--html")
        {
            Description = "The page to write: compounding bound, exact facts, toys, a picture of every relative.",
            HelpName = "FILE",
            Required = true,
        };
        ToolCommand command = new(
            "lab",
            "Runs the toys of the theory (seconds) and writes what they show, and what they do not, to one page.",
            "ringflash icepop lab --html icepop.html")
        {
            html,
        };
        command.SetAction((parsed, _) =>
        {
            string path = OutputFile.Check(parsed.GetValue(html), "--html", context.CurrentDirectory, [])!;
            TheoryReport.Save(path);
            context.Output.WriteLine($"written: {path}");
            return Task.FromResult(ExitCodes.WithinBudget);
        });
        return command;
    }
}
