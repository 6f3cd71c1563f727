using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.IO;

namespace RingFlash.Cli;

/// <summary>The library's help, followed by examples: people read those first.</summary>
internal sealed class HelpWithExamples : SynchronousCommandLineAction
{
    private readonly HelpAction _help;

    /// <summary>Creates the action.</summary>
    /// <param name="help">The library's own help.</param>
    public HelpWithExamples(HelpAction help)
    {
        _help = help;
        _help.MaxWidth = ToolContext.PlainWidth;
    }

    /// <summary><c>ringflash verify --wrong --help</c> is a cry for help, not a mistake.</summary>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        StringWriter text = new();
        InvocationConfiguration configuration = parseResult.InvocationConfiguration;
        TextWriter output = configuration.Output;
        configuration.Output = text;
        _help.Invoke(parseResult);
        configuration.Output = output;

        output.WriteLine(text.ToString().TrimEnd());
        output.WriteLine();
        output.WriteLine("Examples:");
        foreach (string example in ExamplesOf(parseResult.CommandResult.Command))
        {
            output.WriteLine($"  {example}");
        }

        return ExitCodes.WithinBudget;
    }

    private static IReadOnlyList<string> ExamplesOf(Command command) =>
        command is ToolCommand tool ? tool.Examples : Program.RootExamples;
}
