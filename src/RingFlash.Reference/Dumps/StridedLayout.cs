using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// Elements at strides, as a transposed array or a view has them. Runs of <see cref="LongRun"/> bytes and more are read
/// one by one. Shorter ones are gathered in memory from the whole extent of the view, which stays loaded until the next
/// such tensor is read, as long as it has at most <see cref="MaximumExtent"/> bytes; beyond that they are read one by
/// one as well, slowly.
/// </summary>
internal sealed class StridedLayout
{
    /// <summary>A run in bytes from which a read of its own is cheap enough.</summary>
    public const int LongRun = 4096;

    /// <summary>The largest extent in bytes that is held in memory.</summary>
    public const int MaximumExtent = 1 << 28;

    private readonly long[] shape;
    private readonly long[] strides;
    private readonly ExtentCache cache;
    private readonly long runLength;

    /// <summary>Describes a view of at least one element.</summary>
    /// <param name="shape">The axes.</param>
    /// <param name="strides">Elements from one index to the next along each axis; not negative.</param>
    /// <param name="cache">The dump's one extent in memory.</param>
    public StridedLayout(IReadOnlyList<long> shape, IReadOnlyList<long> strides, ExtentCache cache)
    {
        this.shape = [.. shape];
        this.strides = [.. strides];
        this.cache = cache;
        runLength = 1;
        for (int axis = this.shape.Length - 1; axis >= 0 && (shape[axis] == 1 || strides[axis] == runLength); axis--)
        {
            runLength *= shape[axis];
        }

        Extent = 1 + this.shape.Zip(this.strides, (length, stride) => (length - 1) * stride).Sum();
    }

    /// <summary>Whether elements lie side by side in row-major order; so do those of an empty view.</summary>
    /// <param name="shape">The axes.</param>
    /// <param name="strides">Elements from one index to the next along each axis.</param>
    /// <returns>Whether no layout is needed.</returns>
    public static bool IsContiguous(long[] shape, long[] strides)
    {
        if (shape.Contains(0))
        {
            return true;
        }

        long expected = 1;
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            if (shape[axis] > 1 && strides[axis] != expected)
            {
                return false;
            }

            expected *= shape[axis];
        }

        return true;
    }

    /// <summary>Elements from the first of the view to one past its last.</summary>
    public long Extent { get; }

    /// <summary>Whether the extent is small enough to be held.</summary>
    /// <param name="size">The bytes of an element.</param>
    /// <returns>Whether it is.</returns>
    public bool FitsInMemory(int size) => Extent <= MaximumExtent / size;

    /// <summary>Reads consecutive elements of the view.</summary>
    /// <param name="source">The bytes.</param>
    /// <param name="offset">The place of the view's first element.</param>
    /// <param name="size">The bytes of an element.</param>
    /// <param name="first">The flat index of the first.</param>
    /// <param name="destination">[count × size], bytes, written.</param>
    public void Read(ByteSource source, long offset, int size, long first, Span<byte> destination)
    {
        if (runLength * size < LongRun && FitsInMemory(size))
        {
            cache.Use(this, source, offset, (int)(Extent * size), destination, (extent, target) =>
                Gather(size, first, target, (place, run) => extent.AsSpan((int)place, run.Length).CopyTo(run)));
        }
        else
        {
            Gather(size, first, destination, (place, run) => source.ReadExactly(offset + place, run));
        }
    }

    private void Gather(int size, long first, Span<byte> destination, RunReader read)
    {
        while (!destination.IsEmpty)
        {
            long within = first % runLength;
            int length = (int)Math.Min(runLength - within, destination.Length / size);
            read((Place(first - within) + within) * size, destination[..(length * size)]);
            destination = destination[(length * size)..];
            first += length;
        }
    }

    private long Place(long flat)
    {
        long place = 0;
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            (flat, long index) = Math.DivRem(flat, shape[axis]);
            place += index * strides[axis];
        }

        return place;
    }

    private delegate void RunReader(long place, Span<byte> run);
}
