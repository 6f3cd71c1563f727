using System;
using System.Runtime.InteropServices;

namespace RingFlash.Peers;

/// <summary>
/// Puts every library's second thread on the second processor. Left alone, the kernel of a virtual machine may keep
/// both threads of one of them on one processor for minutes, and the table would compare luck.
/// </summary>
internal static partial class Placement
{
    private const int MmapMaximum = -4, TrimThreshold = -1; // malloc.h

    /// <summary>Runs the warm-up, in which libraries start threads; a thread inherits its creator's place.</summary>
    /// <param name="warmUp">Runs every contender once.</param>
    public static void Fix(Action warmUp)
    {
        Pin(1UL << 1);
        warmUp();
        Pin(1UL << 0);
    }

    /// <summary>Keeps malloc from giving pages back after each of libtorch's results: page faults are not what is
    /// measured.</summary>
    public static void KeepPages()
    {
        if (MallocOption(MmapMaximum, 0) != 1 || MallocOption(TrimThreshold, int.MaxValue) != 1)
        {
            throw new InvalidOperationException("mallopt refused");
        }
    }

    private static unsafe void Pin(ulong processors)
    {
        if (SetAffinity(0, sizeof(ulong), &processors) != 0)
        {
            throw new InvalidOperationException("sched_setaffinity refused; two processors are needed");
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static unsafe partial int SetAffinity(int thread, nint size, ulong* processors);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int MallocOption(int option, int value);
}
