using System;
using System.Runtime.InteropServices;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// Uninitialised memory on a 64-byte border, so that no 512-bit load crosses a cache line; from 2 MiB on it asks Linux
/// for huge pages. Pages get their place when they are first written.
/// </summary>
internal sealed unsafe class AlignedBuffer : IDisposable
{
    private const int Alignment = 64;

    /// <summary>Allocates uninitialised memory.</summary>
    /// <param name="length">The number of floats.</param>
    public AlignedBuffer(long length) => Allocate(length);

    ~AlignedBuffer() => Free();

    /// <summary>The first element.</summary>
    public float* Pointer { get; private set; }

    /// <summary>The number of floats.</summary>
    public long Length { get; private set; }

    /// <summary>Gives the memory back and allocates other, uninitialised too.</summary>
    /// <param name="length">The number of floats.</param>
    public void Replace(long length)
    {
        Free();
        Allocate(length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Allocate(long length)
    {
        nuint bytes = checked((nuint)Math.Max(1, length) * sizeof(float));
        Pointer = (float*)NativeMemory.AlignedAlloc(bytes, bytes >= HugePages.Size ? HugePages.Size : (nuint)Alignment);
        Length = Math.Max(1, length);
        HugePages.Ask(Pointer, bytes);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
        Length = 0;
    }
}
