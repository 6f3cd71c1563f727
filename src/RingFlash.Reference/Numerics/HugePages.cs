using System;
using System.Runtime.InteropServices;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// Asks Linux for pages of 2 MiB. With those of 4 KiB a walk through a large array spends a third of its time and more
/// on finding out where the next page is. Elsewhere, and where the system refuses, nothing happens.
/// </summary>
internal static unsafe partial class HugePages
{
    /// <summary>The size of a huge page in bytes.</summary>
    public const int Size = 2 << 20;

    private const int OrdinaryPage = 4096;
    private const int AdviseHugePage = 14; // MADV_HUGEPAGE of <sys/mman.h>

    /// <summary>Asks for an array that is large and was not written to yet.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="array">The array. Large ones do not move in memory; if one did, the advice would be lost.</param>
    public static void Ask<T>(T[] array)
        where T : unmanaged
    {
        fixed (T* start = array)
        {
            Ask(start, (nuint)array.LongLength * (nuint)sizeof(T));
        }
    }

    /// <summary>Asks for a piece of memory that was not written to yet.</summary>
    /// <param name="address">Where it starts.</param>
    /// <param name="bytes">Its size; less than a huge page is left as it is.</param>
    public static void Ask(void* address, nuint bytes)
    {
        if (bytes < Size || !OperatingSystem.IsLinux())
        {
            return;
        }

        nuint offset = (OrdinaryPage - ((nuint)address % OrdinaryPage)) % OrdinaryPage;
        try
        {
            // A refusal costs time and nothing else.
            _ = Advise((byte*)address + offset, bytes - offset, AdviseHugePage);
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            // A Linux with another C library: ordinary pages.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
