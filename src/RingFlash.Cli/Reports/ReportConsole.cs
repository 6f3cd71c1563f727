using System;
using System.IO;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>Makes consoles that do as they are told and do not guess from the surroundings.</summary>
internal static class ReportConsole
{
    private const int NarrowestTerminal = 60;

    /// <summary>A console for a report: with colours, or plain text of a fixed width.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="colour">Whether colours are wanted.</param>
    /// <returns>The console.</returns>
    public static IAnsiConsole Create(TextWriter output, bool colour)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = colour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = colour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(colour ? output : new TrailingSpaces(output)),
        });
        console.Profile.Width = ToolContext.PlainWidth;
        console.Profile.Capabilities.Unicode = true;
        return console;
    }

    /// <summary>
    /// A console for a line that moves. It needs the terminal's cursor even where <c>NO_COLOR</c> forbids colours.
    /// </summary>
    /// <param name="output">A terminal.</param>
    /// <param name="colour">Whether colours are wanted.</param>
    /// <returns>The console.</returns>
    public static IAnsiConsole CreateLive(TextWriter output, bool colour)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = colour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.Yes,
            Out = new AnsiConsoleOutput(output),
        });
        console.Profile.Width = Math.Max(NarrowestTerminal, WindowWidth());
        console.Profile.Capabilities.Unicode = true;
        return console;
    }

    private static int WindowWidth()
    {
        try
        {
            return Console.WindowWidth;
        }
        catch (IOException)
        {
            return ToolContext.PlainWidth;
        }
    }
}
