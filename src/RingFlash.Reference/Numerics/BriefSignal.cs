using System;
using System.Diagnostics;
using System.Threading;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// One thread sets it, one other waits for it and thereby clears it. The waiter first spins, because the next piece of
/// work usually follows within microseconds and waking a thread takes longer; then it sleeps.
/// </summary>
internal sealed class BriefSignal : IDisposable
{
    private const int Clear = 0;
    private const int Raised = 1;
    private const int Sleeping = 2;
    private const int SpinMicroseconds = 50;

    // On one processor spinning only keeps the other thread from working.
    private static readonly long SpinTicks =
        Environment.ProcessorCount > 1 ? Stopwatch.Frequency * SpinMicroseconds / 1_000_000 : 0;

    private readonly SemaphoreSlim wake = new(0);
    private int state;

    /// <summary>Lets the waiter go on. What was written before is visible to it.</summary>
    public void Set()
    {
        if (Interlocked.Exchange(ref state, Raised) == Sleeping)
        {
            wake.Release();
        }
    }

    /// <summary>Returns once set.</summary>
    public void Wait()
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref state) != Raised)
        {
            if (Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                Thread.SpinWait(4);
            }
            else if (Interlocked.CompareExchange(ref state, Sleeping, Clear) == Clear)
            {
                wake.Wait();
            }
        }

        Volatile.Write(ref state, Clear);
    }

    /// <inheritdoc/>
    public void Dispose() => wake.Dispose();
}
