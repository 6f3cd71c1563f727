using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;

namespace RingFlash.Cli;

/// <summary>The first Ctrl-C (or SIGTERM) asks the run to stop, the second stops at once.</summary>
internal static class Interruption
{
    /// <summary>Starts to listen.</summary>
    /// <param name="cancellation">Cancelled by the first signal.</param>
    /// <returns>Stops listening when disposed.</returns>
    public static IDisposable Listen(CancellationTokenSource cancellation)
    {
        int signals = 0;
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            if (Interlocked.Increment(ref signals) > 1)
            {
                // The progress line hides the cursor, and nobody will be left to show it again.
                if (!Console.IsOutputRedirected)
                {
                    Console.CursorVisible = true;
                }

                // Files are written to temporary names and renamed, so nothing half-written is left under a real one.
                Environment.Exit(ExitCodes.Interrupted);
            }

            cancellation.Cancel();
        }

        return new Registrations(
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop));
    }

    private sealed class Registrations(params IReadOnlyList<PosixSignalRegistration> registrations) : IDisposable
    {
        public void Dispose()
        {
            foreach (PosixSignalRegistration registration in registrations)
            {
                registration.Dispose();
            }
        }
    }
}
