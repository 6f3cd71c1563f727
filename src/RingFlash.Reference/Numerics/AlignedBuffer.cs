using System;
using System.Runtime.InteropServices;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// Uninitialised memory on a 64-byte border, so that no 512-bit load crosses a cache line; from 2 MiB on it asks Linux
/// for huge pages. Pages get their place when they are first written.
/// </summary>
internal sealed unsafe partial class AlignedBuffer : IDisposable
{
    private const int Alignment = 64;
    private const int HugePage = 2 << 20;
    private const int AdviseHugePage = 14; // MADV_HUGEPAGE of <sys/mman.h>

    /// <summary>Allocates uninitialised memory.</summary>
    /// <param name="length">The number of floats.</param>
    public AlignedBuffer(long length)
    {
        Length = Math.Max(1, length);
        nuint bytes = checked((nuint)Length * sizeof(float));
        bool large = bytes >= HugePage;
        Pointer = (float*)NativeMemory.AlignedAlloc(bytes, large ? HugePage : (nuint)Alignment);
        if (large && OperatingSystem.IsLinux())
        {
            AskForHugePages(Pointer, bytes);
        }
    }

    ~AlignedBuffer() => Free();

    /// <summary>The first element.</summary>
    public float* Pointer { get; private set; }

    /// <summary>The number of floats.</summary>
    public long Length { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private static void AskForHugePages(void* address, nuint bytes)
    {
        try
        {
            _ = Advise(address, bytes, AdviseHugePage); // advice: a refusal costs a little time and nothing else
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            // A Linux with another C library: ordinary pages.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);

    private void Free()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
