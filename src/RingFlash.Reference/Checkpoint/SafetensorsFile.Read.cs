using System;
using System.Buffers;
using System.IO;
using System.Runtime.InteropServices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

// Reading elements: bytes come in pieces through a pooled buffer and are widened exactly.
public sealed partial class SafetensorsFile
{
    private const int PieceLength = 1 << 18; // bytes per read of a contiguous run: large enough to hide the call's cost

    // ReadPanel handles this many columns at a time: 32 rows of them in BF16 are 256 KiB, about an L2 cache.
    private const int PanelColumns = 4096;

    // Columns transposed at a time: 32 × 64 float32 are 8 KiB and stay in L1 while they are written out crosswise.
    private const int TransposeColumns = 64;

    /// <inheritdoc/>
    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        SafetensorsHeader.Entry entry = Require(tensor);
        int size = RequireWidening(entry.Tensor);
        long offset = ElementOffset(entry, firstElement, destination.Length, size);
        if (entry.Tensor.ElementType == ElementType.Float32)
        {
            ReadExactly(offset, MemoryMarshal.AsBytes(destination));
            return;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceLength);
        try
        {
            while (!destination.IsEmpty)
            {
                int count = Math.Min(PieceLength / size, destination.Length);
                Span<byte> piece = buffer.AsSpan(0, count * size);
                ReadExactly(offset, piece);
                ElementWidening.Widen(entry.Tensor.ElementType, piece, destination[..count]);
                destination = destination[count..];
                offset += piece.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        SafetensorsHeader.Entry entry = Require(tensor);
        int size = RequireWidening(entry.Tensor);
        PanelArguments.Check(entry.Tensor, firstRow, firstColumn, columnCount, panel.Length);
        long columns = entry.Tensor.Shape[1];
        int rows = (int)Math.Clamp(entry.Tensor.Shape[0] - firstRow, 0, PanelArguments.Lanes);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(PanelArguments.Lanes * Math.Min(columnCount, PanelColumns) * size);
        try
        {
            for (int done = 0; done < columnCount; done += PanelColumns)
            {
                int count = Math.Min(PanelColumns, columnCount - done);
                int rowLength = count * size;
                Span<byte> bytes = buffer.AsSpan(0, rows * rowLength);
                long offset = dataStart + entry.Begin + ((firstRow * columns) + firstColumn + done) * size;
                if (count == columns)
                {
                    ReadExactly(offset, bytes); // whole rows lie side by side: one call instead of 32
                }
                else
                {
                    for (int row = 0; row < rows; row++)
                    {
                        ReadExactly(offset + (row * columns * size), bytes.Slice(row * rowLength, rowLength));
                    }
                }

                Span<float> part = panel.Slice(done * PanelArguments.Lanes, count * PanelArguments.Lanes);
                Transpose(entry.Tensor.ElementType, bytes, rows, count, size, part);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads stored bytes as they are.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="byteOffset">The first byte, counted from the tensor's own start.</param>
    /// <param name="destination">[count], bytes, written.</param>
    /// <exception cref="EnvironmentException">The file shrank or cannot be read.</exception>
    public void ReadBytes(TensorInfo tensor, long byteOffset, Span<byte> destination)
    {
        SafetensorsHeader.Entry entry = Require(tensor);
        long length = entry.End - entry.Begin;
        ArgumentOutOfRangeException.ThrowIfNegative(byteOffset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(byteOffset, length - destination.Length);
        ReadExactly(dataStart + entry.Begin + byteOffset, destination);
    }

    /// <summary>Where a tensor's bytes lie in the file.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <returns>The first byte and the one behind the last, counted from the start of the file.</returns>
    public (long Begin, long End) ByteRange(TensorInfo tensor)
    {
        SafetensorsHeader.Entry entry = Require(tensor);
        return (dataStart + entry.Begin, dataStart + entry.End);
    }

    /// <summary>Reads a whole integer or truth-value tensor, widened exactly; U64 is refused.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <returns>[elements], int64, row-major.</returns>
    /// <exception cref="InvalidInputException">The type does not fit int64, or the tensor no array.</exception>
    public long[] ReadInt64(TensorInfo tensor)
    {
        SafetensorsHeader.Entry entry = Require(tensor);
        if (entry.Tensor.ElementType == ElementType.Int64)
        {
            long[] values = new long[ArrayLength(entry)];
            ReadExactly(dataStart + entry.Begin, MemoryMarshal.AsBytes(values.AsSpan()));
            return values;
        }

        return entry.Tensor.ElementType switch
        {
            ElementType.Int32 => Convert<int, long>(entry, value => value),
            ElementType.Int16 => Convert<short, long>(entry, value => value),
            ElementType.Int8 => Convert<sbyte, long>(entry, value => value),
            ElementType.UInt32 => Convert<uint, long>(entry, value => value),
            ElementType.UInt16 => Convert<ushort, long>(entry, value => value),
            ElementType.UInt8 or ElementType.Boolean => Convert<byte, long>(entry, value => value),
            _ => throw WrongType(entry.Tensor, "BOOL, U8, I8, U16, I16, U32, I32 or I64"),
        };
    }

    /// <summary>Reads a whole floating-point tensor, widened exactly to float32; F64 is refused.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <returns>[elements], float32, row-major.</returns>
    /// <exception cref="InvalidInputException">The element type is not F32, BF16, F16 or F8_E4M3.</exception>
    public float[] ReadAllSingle(TensorInfo tensor)
    {
        SafetensorsHeader.Entry entry = Require(tensor);
        RequireWidening(entry.Tensor);
        float[] values = new float[ArrayLength(entry)];
        Read(entry.Tensor, 0, values);
        return values;
    }

    /// <summary>Reads a whole floating-point tensor, widened exactly to float64.</summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <returns>[elements], float64, row-major.</returns>
    /// <exception cref="InvalidInputException">The element type is not F64, F32, BF16, F16 or F8_E4M3.</exception>
    public double[] ReadAllDouble(TensorInfo tensor)
    {
        SafetensorsHeader.Entry entry = Require(tensor);
        if (entry.Tensor.ElementType != ElementType.Float64)
        {
            return Array.ConvertAll(ReadAllSingle(tensor), value => (double)value);
        }

        double[] values = new double[ArrayLength(entry)];
        ReadExactly(dataStart + entry.Begin, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static void Transpose(
        ElementType elementType,
        ReadOnlySpan<byte> bytes,
        int rows,
        int columns,
        int size,
        Span<float> panel)
    {
        Span<float> tile = stackalloc float[PanelArguments.Lanes * TransposeColumns];
        tile.Clear(); // lanes beyond the matrix stay zero
        for (int first = 0; first < columns; first += TransposeColumns)
        {
            int count = Math.Min(TransposeColumns, columns - first);
            for (int row = 0; row < rows; row++)
            {
                ReadOnlySpan<byte> source = bytes.Slice(((row * columns) + first) * size, count * size);
                ElementWidening.Widen(elementType, source, tile.Slice(row * TransposeColumns, count));
            }

            for (int column = 0; column < count; column++)
            {
                Span<float> lanes = panel.Slice((first + column) * PanelArguments.Lanes, PanelArguments.Lanes);
                for (int lane = 0; lane < lanes.Length; lane++)
                {
                    lanes[lane] = tile[(lane * TransposeColumns) + column];
                }
            }
        }
    }

    private SafetensorsHeader.Entry Require(TensorInfo tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return entries.TryGetValue(tensor.Name, out SafetensorsHeader.Entry? entry)
            ? entry
            : throw new InvalidInputException(path, $"tensor \"{tensor.Name}\"", "not in this file");
    }

    private int RequireWidening(TensorInfo tensor) =>
        ElementWidening.CanWiden(tensor.ElementType)
            ? tensor.ElementType.ByteCount()
            : throw WrongType(tensor, "F32, BF16, F16 or F8_E4M3");

    private InvalidInputException WrongType(TensorInfo tensor, string expected) =>
        new(path, $"tensor \"{tensor.Name}\"", $"element type {tensor.ElementType.HeaderName()}, expected {expected}");

    private long ElementOffset(SafetensorsHeader.Entry entry, long firstElement, int count, int size)
    {
        long elements = (entry.End - entry.Begin) / size;
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstElement, elements - count);
        return dataStart + entry.Begin + (firstElement * size);
    }

    private int ArrayLength(SafetensorsHeader.Entry entry)
    {
        long elements = (entry.End - entry.Begin) / entry.Tensor.ElementType.ByteCount();
        return elements <= Array.MaxLength
            ? (int)elements
            : throw new InvalidInputException(
                path,
                $"tensor \"{entry.Tensor.Name}\"",
                $"{elements} elements fit no array, the limit is {Array.MaxLength}; read it in parts");
    }

    private TTo[] Convert<TFrom, TTo>(SafetensorsHeader.Entry entry, Converter<TFrom, TTo> converter)
        where TFrom : unmanaged
    {
        TFrom[] values = new TFrom[ArrayLength(entry)];
        ReadExactly(dataStart + entry.Begin, MemoryMarshal.AsBytes(values.AsSpan()));
        return Array.ConvertAll(values, converter);
    }
}
