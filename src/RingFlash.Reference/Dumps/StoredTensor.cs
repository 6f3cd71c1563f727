using System;
using System.Buffers;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// A tensor whose elements lie in a file at known places: side by side, or at strides. Bytes come in pieces through a
/// pooled buffer, so a tensor of any size is read in bounded memory.
/// </summary>
internal sealed class StoredTensor : DumpTensor
{
    private const int PieceLength = 1 << 18; // bytes per read: large enough to hide the call's cost

    private readonly ByteSource source;
    private readonly TensorInfo tensor;
    private readonly IReadOnlyDictionary<string, string> attributes;
    private readonly long offset;
    private readonly long count;
    private readonly int size;

    /// <summary>Describes a tensor; the caller has checked that it lies within the source.</summary>
    /// <param name="source">The bytes.</param>
    /// <param name="offset">The place of the first element.</param>
    /// <param name="tensor">The writer's name, the element type and the axes.</param>
    /// <param name="attributes">What the writer says beside the values.</param>
    public StoredTensor(
        ByteSource source, long offset, TensorInfo tensor, IReadOnlyDictionary<string, string> attributes)
    {
        this.source = source;
        this.attributes = attributes;
        this.offset = offset;
        this.tensor = tensor;
        count = tensor.ElementCount;
        size = tensor.ElementType.ByteCount();
    }

    /// <inheritdoc/>
    public override string Name => tensor.Name;

    /// <inheritdoc/>
    public override string Place => InvalidInputException.Escape($"{source.Name}: byte {offset}");

    /// <inheritdoc/>
    public override ElementType ElementType => tensor.ElementType;

    /// <inheritdoc/>
    public override IReadOnlyList<long> Shape => tensor.Shape;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Attributes => attributes;

    /// <summary>Whether the elements are stored with the most significant byte first.</summary>
    public bool IsBigEndian { get; init; }

    /// <summary>Where the elements lie when not side by side.</summary>
    public StridedLayout? Layout { get; init; }

    /// <inheritdoc/>
    public override void ReadSingle(long first, Span<float> destination)
    {
        CheckRange(first, destination.Length);
        if (ElementType == ElementType.Float32)
        {
            ReadStored(first, MemoryMarshal.AsBytes(destination));
            return;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceLength);
        try
        {
            while (!destination.IsEmpty)
            {
                int length = Math.Min(PieceLength / size, destination.Length);
                Span<byte> piece = buffer.AsSpan(0, length * size);
                ReadStored(first, piece);
                StoredElements.ToSingle(ElementType, piece, destination[..length]);
                destination = destination[length..];
                first += length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public override void ReadInt64(long first, Span<long> destination)
    {
        CheckRange(first, destination.Length);
        if (!StoredElements.IsInteger(ElementType))
        {
            throw new InvalidInputException(
                source.Name,
                $"tensor \"{Names.Shown(Name)}\"",
                $"element type {ElementType.HeaderName()}, expected BOOL or an I or U type");
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceLength);
        try
        {
            while (!destination.IsEmpty)
            {
                int length = Math.Min(PieceLength / size, destination.Length);
                Span<byte> piece = buffer.AsSpan(0, length * size);
                ReadStored(first, piece);
                int wrong = StoredElements.ToInt64(ElementType, piece, destination[..length]);
                if (wrong >= 0)
                {
                    throw new InvalidInputException(
                        source.Name,
                        $"tensor \"{Names.Shown(Name)}\": element {first + wrong}",
                        $"{(ulong)destination[wrong]} does not fit 63 bits");
                }

                destination = destination[length..];
                first += length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void CheckRange(long first, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, count - length);
    }

    private void ReadStored(long first, Span<byte> bytes)
    {
        if (Layout is null)
        {
            source.ReadExactly(offset + (first * size), bytes);
        }
        else
        {
            Layout.Read(source, offset, size, first, bytes);
        }

        if (IsBigEndian)
        {
            StoredElements.ReverseEndianness(bytes, size);
        }
    }
}
