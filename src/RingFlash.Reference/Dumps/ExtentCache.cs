using System;
using System.Threading;

namespace RingFlash.Reference.Dumps;

/// <summary>The stored bytes of the one view with short runs that was read last.</summary>
internal sealed class ExtentCache
{
    private readonly Lock gate = new();
    private StridedLayout? owner;
    private byte[] bytes = [];

    /// <summary>Works with the extent of a view, loading it when it is not the one at hand.</summary>
    /// <param name="layout">The view.</param>
    /// <param name="source">The bytes.</param>
    /// <param name="offset">The place of the view's first element.</param>
    /// <param name="length">The extent in bytes.</param>
    /// <param name="destination">Handed on to <paramref name="work"/>.</param>
    /// <param name="work">Takes the extent and the destination.</param>
    public void Use(
        StridedLayout layout, ByteSource source, long offset, int length, Span<byte> destination, Work work)
    {
        lock (gate)
        {
            if (owner != layout)
            {
                owner = null;
                if (bytes.Length < length || bytes.Length / 4 > length)
                {
                    bytes = [];
                    bytes = GC.AllocateUninitializedArray<byte>(length);
                }

                source.ReadExactly(offset, bytes.AsSpan(0, length));
                owner = layout;
            }

            work(bytes, destination);
        }
    }

    /// <summary>What is done with an extent.</summary>
    /// <param name="extent">The stored bytes, from the view's first element on.</param>
    /// <param name="destination">[count × size], bytes, written.</param>
    public delegate void Work(byte[] extent, Span<byte> destination);
}
