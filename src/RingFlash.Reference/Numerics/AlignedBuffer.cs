using System;
using System.Runtime.InteropServices;

namespace RingFlash.Reference.Numerics;

/// <summary>Float32 scratch memory on a 64-byte border, so that no 512-bit load crosses a cache line.</summary>
internal sealed unsafe class AlignedBuffer : IDisposable
{
    private const int Alignment = 64;

    /// <summary>Allocates uninitialised memory.</summary>
    /// <param name="length">The number of floats.</param>
    public AlignedBuffer(long length) =>
        Pointer = (float*)NativeMemory.AlignedAlloc((nuint)Math.Max(1, length) * sizeof(float), Alignment);

    ~AlignedBuffer() => Free();

    /// <summary>The first element.</summary>
    public float* Pointer { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }
}
