using System;
using System.IO;
using System.Threading;

namespace RingFlash.Cli;

/// <summary>One line on standard error that is written over again and again; nothing where nobody watches.</summary>
/// <param name="error">Standard error; null to write nothing.</param>
internal sealed class StatusLine(TextWriter? error)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();
    private DateTime next;
    private bool isShown;

    /// <summary>Shows a text, unless one was shown a moment ago.</summary>
    /// <param name="text">One short line.</param>
    public void Show(string text)
    {
        lock (gate)
        {
            if (error is not null && DateTime.UtcNow >= next)
            {
                error.Write($"\r{text}\u001b[K");
                error.Flush();
                next = DateTime.UtcNow + Pause;
                isShown = true;
            }
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Clear()
    {
        lock (gate)
        {
            if (isShown)
            {
                error!.Write("\r\u001b[K");
                error.Flush();
                isShown = false;
            }
        }
    }
}
