using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>Takes a run of bytes of a tensor that is being written.</summary>
/// <param name="tensor">The tensor.</param>
/// <param name="byteOffset">The first byte, counted from the tensor's own start.</param>
/// <param name="bytes">The bytes, little-endian; gone after the call.</param>
internal delegate void PieceSink(TensorInfo tensor, long byteOffset, ReadOnlySpan<byte> bytes);

/// <summary>
/// What a checkpoint stores under one name, or a quantised matrix together with its scales, cut into pieces that
/// several threads can make in any order. Each piece has about 2 MiB, so the size of the tensor does not matter.
/// </summary>
internal abstract class TensorPieces
{
    /// <summary>The stored tensors; they stay together in one file.</summary>
    public abstract IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>The number of pieces.</summary>
    public abstract int Count { get; }

    /// <summary>Makes one piece.</summary>
    /// <param name="piece">0 … Count − 1.</param>
    /// <param name="buffers">Room of the calling thread.</param>
    /// <param name="sink">Takes the bytes.</param>
    public abstract void Make(int piece, PieceBuffers buffers, PieceSink sink);
}

/// <summary>Room that one thread works in; grows to the largest piece and stays.</summary>
internal sealed class PieceBuffers
{
    private float[] values = [];
    private byte[] bytes = [];
    private byte[] found = [];

    /// <summary>Room for numbers.</summary>
    /// <param name="count">How many.</param>
    /// <returns>[count], not cleared.</returns>
    public Span<float> Values(int count)
    {
        values = values.Length >= count ? values : new float[count];
        return values.AsSpan(0, count);
    }

    /// <summary>Room for bytes.</summary>
    /// <param name="count">How many.</param>
    /// <returns>[count], not cleared.</returns>
    public Span<byte> Bytes(int count)
    {
        bytes = bytes.Length >= count ? bytes : new byte[count];
        return bytes.AsSpan(0, count);
    }

    /// <summary>Room for bytes that are read to be compared with <see cref="Bytes"/>.</summary>
    /// <param name="count">How many.</param>
    /// <returns>[count], not cleared.</returns>
    public Span<byte> Found(int count)
    {
        found = found.Length >= count ? found : new byte[count];
        return found.AsSpan(0, count);
    }
}

/// <summary>A tensor of a source, stored as F32 or as BF16 (nearest, ties to even).</summary>
internal sealed class PlainPieces : TensorPieces
{
    private const int PieceElements = 1 << 20;
    private const int RunElements = 1 << 15; // a run of float32 stays in the second-level cache while it is narrowed

    private readonly IWeightSource source;
    private readonly TensorInfo origin;
    private readonly TensorInfo stored;

    /// <summary>Refers to a tensor.</summary>
    /// <param name="source">The source.</param>
    /// <param name="origin">A tensor of it.</param>
    /// <param name="stored">The name and type it is stored under; the same shape.</param>
    public PlainPieces(IWeightSource source, TensorInfo origin, TensorInfo stored)
    {
        this.source = source;
        this.origin = origin;
        this.stored = stored;
        Tensors = [stored];
        Count = (int)((stored.ElementCount + PieceElements - 1) / PieceElements);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors { get; }

    /// <inheritdoc/>
    public override int Count { get; }

    /// <inheritdoc/>
    public override void Make(int piece, PieceBuffers buffers, PieceSink sink)
    {
        long first = (long)piece * PieceElements;
        int count = (int)Math.Min(PieceElements, stored.ElementCount - first);
        int size = stored.ElementType.ByteCount();
        Span<byte> bytes = buffers.Bytes(count * size);
        if (stored.ElementType == ElementType.Float32)
        {
            source.Read(origin, first, MemoryMarshal.Cast<byte, float>(bytes));
        }
        else
        {
            Span<ushort> bits = MemoryMarshal.Cast<byte, ushort>(bytes);
            for (int done = 0; done < count; done += RunElements)
            {
                Span<float> run = buffers.Values(Math.Min(RunElements, count - done));
                source.Read(origin, first + done, run);
                BFloat16.FromSingle(run, bits.Slice(done, run.Length));
            }
        }

        sink(stored, first * size, bytes);
    }
}

/// <summary>A matrix of a source, stored as e4m3 codes and scales; a piece is one row of blocks.</summary>
internal sealed class Float8Pieces : TensorPieces
{
    private const int StripeColumns = 1024; // 128 rows of float32 stay in the second-level cache for both passes

    private readonly IWeightSource source;
    private readonly TensorInfo origin;
    private readonly TensorInfo codes;
    private readonly TensorInfo scales;
    private readonly bool powerOfTwo;

    /// <summary>Refers to a matrix.</summary>
    /// <param name="source">The source.</param>
    /// <param name="origin">A matrix of it.</param>
    /// <param name="codes">The name the codes are stored under, F8_E4M3; the same shape.</param>
    /// <param name="scales">The name of the scales, F32.</param>
    public Float8Pieces(IWeightSource source, TensorInfo origin, TensorInfo codes, TensorInfo scales)
    {
        this.source = source;
        this.origin = origin;
        this.codes = codes;
        this.scales = scales;
        powerOfTwo = Float8BlockQuantization.HasPowerOfTwoScale(codes.Name);
        Tensors = [codes, scales];
        Count = (int)scales.Shape[0];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors { get; }

    /// <inheritdoc/>
    public override int Count { get; }

    /// <inheritdoc/>
    public override void Make(int piece, PieceBuffers buffers, PieceSink sink)
    {
        const int BlockSize = Float8BlockMatrix.BlockSize;
        int columns = (int)codes.Shape[1];
        long firstRow = (long)piece * BlockSize;
        int rows = (int)Math.Min(BlockSize, codes.Shape[0] - firstRow);
        int scaleCount = (int)scales.Shape[1];
        int stripe = Math.Min(StripeColumns, columns);
        Span<float> values = buffers.Values((rows * stripe) + scaleCount);
        Span<float> blockScales = values[(rows * stripe)..];
        Span<byte> bytes = buffers.Bytes(rows * columns);
        for (int first = 0; first < columns; first += stripe)
        {
            int width = Math.Min(stripe, columns - first);
            for (int row = 0; row < rows; row++)
            {
                source.Read(origin, ((firstRow + row) * columns) + first, values.Slice(row * width, width));
            }

            Float8BlockQuantization.QuantizeBlockRow(
                values[..(rows * width)],
                width,
                powerOfTwo,
                bytes[first..],
                columns,
                blockScales.Slice(first / BlockSize, (width + BlockSize - 1) / BlockSize));
        }

        sink(codes, firstRow * columns, bytes);
        sink(scales, (long)piece * scaleCount * sizeof(float), MemoryMarshal.AsBytes(blockScales));
    }
}
