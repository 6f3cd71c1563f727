using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>One tensor to be written: what it is, and who writes its bytes when their turn comes.</summary>
/// <param name="Tensor">Name, element type and shape.</param>
/// <param name="WriteTo">Writes exactly the tensor's bytes, little-endian and row-major, in pieces of any size.</param>
public sealed record SafetensorsContent(TensorInfo Tensor, Action<Stream> WriteTo)
{
    /// <summary>Float32 values from memory, stored as F32.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="shape">The axes.</param>
    /// <param name="values">[elements], float32, read when the file is written.</param>
    /// <returns>The content.</returns>
    public static SafetensorsContent FromSingle(string name, IReadOnlyList<long> shape, ReadOnlyMemory<float> values) =>
        Create(name, ElementType.Float32, shape, values);

    /// <summary>Float64 values from memory, stored as F64.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="shape">The axes.</param>
    /// <param name="values">[elements], float64, read when the file is written.</param>
    /// <returns>The content.</returns>
    public static SafetensorsContent FromDouble(
        string name,
        IReadOnlyList<long> shape,
        ReadOnlyMemory<double> values) =>
        Create(name, ElementType.Float64, shape, values);

    /// <summary>Integers from memory, stored as I64.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="shape">The axes.</param>
    /// <param name="values">[elements], int64, read when the file is written.</param>
    /// <returns>The content.</returns>
    public static SafetensorsContent FromInt64(
        string name,
        IReadOnlyList<long> shape,
        ReadOnlyMemory<long> values) =>
        Create(name, ElementType.Int64, shape, values);

    /// <summary>Stored bytes of any element type.</summary>
    /// <param name="tensor">Name, element type and shape.</param>
    /// <param name="bytes">[bytes], little-endian, read when the file is written.</param>
    /// <returns>The content.</returns>
    public static SafetensorsContent FromBytes(TensorInfo tensor, ReadOnlyMemory<byte> bytes) =>
        new(tensor, stream => stream.Write(bytes.Span));

    /// <summary>A tensor of another source, streamed through a small buffer: any size fits in memory.</summary>
    /// <param name="source">The source; must live until the file is written.</param>
    /// <param name="tensor">A tensor of the source.</param>
    /// <param name="elementType">Float32, or BFloat16 (nearest, ties to even; exact for synthetic weights).</param>
    /// <returns>The content.</returns>
    public static SafetensorsContent FromSource(IWeightSource source, TensorInfo tensor, ElementType elementType)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tensor);
        if (elementType is not (ElementType.Float32 or ElementType.BFloat16))
        {
            throw new ArgumentOutOfRangeException(nameof(elementType), elementType, "Float32 or BFloat16");
        }

        return new(tensor with { ElementType = elementType }, stream => Copy(source, tensor, elementType, stream));
    }

    private static SafetensorsContent Create<T>(
        string name,
        ElementType elementType,
        IReadOnlyList<long> shape,
        ReadOnlyMemory<T> values)
        where T : unmanaged =>
        new(new TensorInfo(name, elementType, shape), stream => stream.Write(MemoryMarshal.AsBytes(values.Span)));

    private static void Copy(IWeightSource source, TensorInfo tensor, ElementType elementType, Stream stream)
    {
        float[] values = new float[1 << 16];
        ushort[] narrow = elementType == ElementType.BFloat16 ? new ushort[values.Length] : [];
        long elements = tensor.ElementCount;
        for (long first = 0; first < elements; first += values.Length)
        {
            Span<float> piece = values.AsSpan(0, (int)Math.Min(values.Length, elements - first));
            source.Read(tensor, first, piece);
            if (elementType == ElementType.Float32)
            {
                stream.Write(MemoryMarshal.AsBytes(piece));
                continue;
            }

            BFloat16.FromSingle(piece, narrow.AsSpan(0, piece.Length));
            stream.Write(MemoryMarshal.AsBytes(narrow.AsSpan(0, piece.Length)));
        }
    }
}
