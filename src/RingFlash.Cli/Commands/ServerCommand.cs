using System.CommandLine;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash server</c>: other people's servers.</summary>
internal static class ServerCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context) => new ToolCommand(
        "server",
        "A running server: vLLM, SGLang, or any that speaks OpenAI's completions.",
        "ringflash server check http://localhost:8000 Ring-mini-2.0")
    {
        ServerCheckCommand.Create(context),
    };
}
