using System;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// A view rearranged: element (i₀, i₁, …) is the source's element Σ table_k[i_k]. Transposed axes, chosen rows, the
/// pieces of a fused projection and heads in another order are all of this form.
/// </summary>
/// <remarks>
/// The trailing axes that lie in the source as they do here form one run, which is read at once. Where runs are short
/// and the source is not large, all of the source is read once instead: thousands of small reads cost more.
/// </remarks>
internal sealed class GatheredView : TensorView
{
    private const int ShortRun = 1 << 12;
    private const long LargestHeld = 1 << 25;

    private readonly TensorView source;
    private readonly HeldTensor held;
    private readonly long[][] tables;
    private readonly long[] starts;
    private readonly long run;

    /// <summary>Rearranges.</summary>
    /// <param name="source">The source.</param>
    /// <param name="held">Where a source may be held that is read in small pieces.</param>
    /// <param name="tables">The source's offsets along each axis.</param>
    public GatheredView(TensorView source, HeldTensor held, params long[][] tables)
    {
        this.source = source;
        this.held = held;
        this.tables = tables;
        Length = tables.Aggregate(1L, (product, table) => product * table.Length);
        int axis = tables.Length;
        run = 1;
        while (axis > 0 && IsContiguous(tables[axis - 1], run))
        {
            run *= tables[--axis].Length;
        }

        starts = [.. tables[axis..].Select(table => table.Length == 0 ? 0 : table[0])];
        this.tables = tables[..axis];
    }

    public override long Length { get; }

    public override ElementType ElementType => source.ElementType;

    /// <summary>The offsets of an axis that is walked in equal steps.</summary>
    /// <param name="count">Its length.</param>
    /// <param name="step">The step.</param>
    /// <param name="start">The first offset.</param>
    /// <returns>The table.</returns>
    public static long[] Axis(long count, long step, long start = 0)
    {
        long[] table = new long[count];
        for (long index = 0; index < count; index++)
        {
            table[index] = start + (index * step);
        }

        return table;
    }

    public override void Read<T>(long first, Span<T> destination)
    {
        T[]? whole = run < ShortRun && source.Length <= LargestHeld ? held.Get<T>(source) : null;
        long fixedStart = starts.Sum();
        while (destination.Length > 0)
        {
            (long outer, long within) = Math.DivRem(first, run);
            long offset = fixedStart + within;
            for (int axis = tables.Length - 1; axis >= 0; axis--)
            {
                (outer, long index) = Math.DivRem(outer, tables[axis].Length);
                offset += tables[axis][index];
            }

            int count = (int)Math.Min(destination.Length, run - within);
            if (whole is not null)
            {
                whole.AsSpan((int)offset, count).CopyTo(destination);
            }
            else
            {
                source.Read(offset, destination[..count]);
            }

            destination = destination[count..];
            first += count;
        }
    }

    private static bool IsContiguous(long[] table, long step)
    {
        for (int index = 1; index < table.Length; index++)
        {
            if (table[index] - table[index - 1] != step)
            {
                return false;
            }
        }

        return true;
    }
}
