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
        "The IcePop objective: cases, mismatch of two engines, and the theory as executable text.",
        "ringflash icepop eval golden/icepop",
        "ringflash icepop eval --help")
    {
        IcePopEvalCommand.Create(context),
        IcePopMismatchCommand.Create(context),
        IcePopLabCommand.Create(context),
        IcePopPropertiesCommand.Create(context),
    };
}
