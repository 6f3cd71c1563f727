using System.CommandLine;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash icepop</c>: the objective. One file for each of its commands.</summary>
internal static class IcePopCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context) => new ToolCommand(
        "icepop",
        "The IcePop objective: anybody's loss checked, mismatch of two engines, the theory as executable text.",
        "ringflash icepop eval golden/icepop",
        "ringflash icepop check --cases golden/icepop --actual mine.json")
    {
        IcePopEvalCommand.Create(context),
        IcePopCheckCommand.Create(context),
        IcePopCasesCommand.Create(context),
        IcePopProfilesCommand.Create(context),
        IcePopMismatchCommand.Create(context),
        IcePopLabCommand.Create(context),
        IcePopPropertiesCommand.Create(context),
    };
}
