using System.Collections.Generic;
using System.Linq;
using System.Text;
using RingFlash.Reference.Numerics;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>Lines of a report outside its tables.</summary>
internal sealed class ReportText
{
    private readonly IAnsiConsole _console;

    /// <summary>Creates the writer.</summary>
    /// <param name="console">Where to write.</param>
    public ReportText(IAnsiConsole console) => _console = console;

    /// <summary>Writes an empty line.</summary>
    public void Blank() => _console.Profile.Out.Writer.WriteLine();

    /// <summary>Writes a text, broken at spaces; what follows the first line is indented.</summary>
    /// <param name="text">The text; control characters are made visible.</param>
    /// <param name="style">Its colour, or null.</param>
    /// <param name="indent">Spaces before every line but the first.</param>
    public void Line(string text, Style? style = null, int indent = 4)
    {
        foreach (string line in Wrap(InvalidInputException.Escape(text), indent))
        {
            _console.Write(new Text(line, style ?? Style.Plain) { Overflow = Overflow.Fold });
            Blank();
        }
    }

    /// <summary>Writes a list of names, all of them: nothing may hide behind "and 7 more".</summary>
    /// <param name="head">What the names are.</param>
    /// <param name="names">The names.</param>
    public void Names(string head, IReadOnlyList<string> names)
    {
        // Wrapped here and not by Line, whose escaping cuts a hostile text short and would cut an honest list as well.
        string text = head + string.Join(", ", names.Select(InvalidInputException.Escape));
        foreach (string line in Wrap(text, 4))
        {
            _console.Write(new Text(line) { Overflow = Overflow.Fold });
            Blank();
        }
    }

    private static IEnumerable<string> Wrap(string text, int indent)
    {
        StringBuilder line = new();
        string start = new(' ', text.Length - text.TrimStart(' ').Length);
        line.Append(start);
        bool empty = true;
        foreach (string word in text.Split(' ', System.StringSplitOptions.RemoveEmptyEntries))
        {
            if (!empty && line.Length + 1 + word.Length > ToolContext.PlainWidth)
            {
                yield return line.ToString();
                line.Clear().Append(' ', start.Length + indent);
                empty = true;
            }

            line.Append(empty ? string.Empty : " ").Append(word);
            empty = false;
        }

        yield return line.ToString();
    }
}
