using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Numbers in row-major order that are read when they are asked for: a tensor of a dump, or others rearranged. The
/// axes are the business of whoever puts views together; a view knows its length only.
/// </summary>
internal abstract class TensorView
{
    /// <summary>The number of elements.</summary>
    public abstract long Length { get; }

    /// <summary>How an element is stored: what it was rounded to.</summary>
    public abstract ElementType ElementType { get; }

    /// <summary>Reads consecutive elements.</summary>
    /// <typeparam name="T"><see cref="float"/> or <see cref="long"/>.</typeparam>
    /// <param name="first">The flat index of the first.</param>
    /// <param name="destination">As many as wanted.</param>
    public abstract void Read<T>(long first, Span<T> destination)
        where T : unmanaged;
}

/// <summary>A tensor of a dump as it lies there.</summary>
/// <param name="tensor">The tensor.</param>
internal sealed class StoredView(DumpTensor tensor) : TensorView
{
    public override long Length { get; } = tensor.Shape.Aggregate(1L, (product, axis) => checked(product * axis));

    public override ElementType ElementType => tensor.ElementType;

    public override void Read<T>(long first, Span<T> destination)
    {
        if (typeof(T) == typeof(float))
        {
            tensor.ReadSingle(first, System.Runtime.InteropServices.MemoryMarshal.Cast<T, float>(destination));
        }
        else
        {
            tensor.ReadInt64(first, System.Runtime.InteropServices.MemoryMarshal.Cast<T, long>(destination));
        }
    }
}

/// <summary>Parts one after another along an axis: [outer, Σ width, inner] of parts [outer, width, inner].</summary>
/// <param name="parts">The parts and their lengths along the axis.</param>
/// <param name="inner">Elements behind the axis.</param>
internal sealed class JoinedView(IReadOnlyList<(TensorView View, long Width)> parts, long inner) : TensorView
{
    private readonly long width = parts.Sum(part => part.Width) * inner;

    public override long Length { get; } = parts.Sum(part => part.View.Length);

    public override ElementType ElementType => parts[0].View.ElementType;

    public override void Read<T>(long first, Span<T> destination)
    {
        while (destination.Length > 0)
        {
            (long outer, long column) = Math.DivRem(first, width);
            int part = 0;
            while (column >= parts[part].Width * inner)
            {
                column -= parts[part++].Width * inner;
            }

            long partWidth = parts[part].Width * inner;
            int count = (int)Math.Min(destination.Length, partWidth - column);
            parts[part].View.Read((outer * partWidth) + column, destination[..count]);
            destination = destination[count..];
            first += count;
        }
    }
}

/// <summary>
/// The sum of views of one length, added in float32 in their order and rounded once to the type of the first: what a
/// framework does that keeps a layer's output as (hidden, residual), or that adds the parts of its ranks.
/// </summary>
/// <param name="terms">At least two.</param>
internal sealed class SummedView(IReadOnlyList<TensorView> terms) : TensorView
{
    private const int Piece = 1 << 14;

    public override long Length => terms[0].Length;

    public override ElementType ElementType => terms[0].ElementType;

    public override void Read<T>(long first, Span<T> destination)
    {
        if (typeof(T) != typeof(float))
        {
            throw new InvalidOperationException("a sum of tensors holds no integers");
        }

        Span<float> sums = System.Runtime.InteropServices.MemoryMarshal.Cast<T, float>(destination);
        terms[0].Read(first, sums);
        float[] buffer = new float[Math.Min(Piece, sums.Length)];
        foreach (TensorView term in terms.Skip(1))
        {
            for (int done = 0; done < sums.Length; done += buffer.Length)
            {
                Span<float> values = buffer.AsSpan(0, Math.Min(buffer.Length, sums.Length - done));
                term.Read(first + done, values);
                for (int index = 0; index < values.Length; index++)
                {
                    sums[done + index] += values[index];
                }
            }
        }

        if (ElementType == ElementType.BFloat16)
        {
            foreach (ref float sum in sums)
            {
                sum = BFloat16.Round(sum);
            }
        }
        else if (ElementType == ElementType.Float16)
        {
            foreach (ref float sum in sums)
            {
                sum = (float)(Half)sum;
            }
        }
    }
}
