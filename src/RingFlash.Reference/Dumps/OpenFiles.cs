using System;
using System.Collections.Generic;
using System.Threading;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// The open handles of one dump, at most <see cref="Limit"/>: a dump may have more files than a process may open.
/// The file that was opened first is closed first; it opens again when it is read again.
/// </summary>
internal sealed class OpenFiles : IDisposable
{
    /// <summary>The most files that are open at once.</summary>
    public const int Limit = 64;

    private readonly Queue<DumpFile> order = new();
    private readonly Lock gate = new();
    private bool disposed;

    /// <summary>Counts a file that was just opened, and closes another one when there are too many.</summary>
    /// <param name="file">The file.</param>
    public void Opened(DumpFile file)
    {
        DumpFile? surplus = null;
        lock (gate)
        {
            if (!disposed)
            {
                order.Enqueue(file);
                surplus = order.Count > Limit ? order.Dequeue() : null;
            }
            else
            {
                surplus = file;
            }
        }

        surplus?.Close();
        ObjectDisposedException.ThrowIf(surplus == file, this);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
            while (order.TryDequeue(out DumpFile? file))
            {
                file.Close();
            }
        }
    }
}
