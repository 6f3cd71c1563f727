using System.IO;
using System.Text;

namespace RingFlash.Cli.Reports;

/// <summary>Drops the spaces before a line's end, with which tables fill their last column.</summary>
internal sealed class TrailingSpaces : TextWriter
{
    private readonly TextWriter _output;
    private int _pending;

    /// <summary>Creates the writer.</summary>
    /// <param name="output">Where to write.</param>
    public TrailingSpaces(TextWriter output)
    {
        _output = output;
        NewLine = output.NewLine;
    }

    /// <inheritdoc/>
    public override Encoding Encoding => _output.Encoding;

    /// <inheritdoc/>
    public override void Write(char value)
    {
        if (value == ' ')
        {
            _pending++;
            return;
        }

        // '\r' belongs to the line's end on Windows.
        for (; _pending > 0; _pending--)
        {
            if (value is not ('\n' or '\r'))
            {
                _output.Write(' ');
            }
        }

        _output.Write(value);
    }

    /// <inheritdoc/>
    public override void Flush() => _output.Flush();
}
