using System;
using System.Buffers.Binary;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// The header of NumPy's <c>.npy</c> format, versions 1.0 to 3.0: magic, version, length, and a Python dictionary of
/// exactly <c>descr</c>, <c>fortran_order</c> and <c>shape</c>. The dictionary is read by its own small grammar.
/// </summary>
/// <remarks>
/// <para>Read: <c>b1, i1, i2, i4, i8, u1, u2, u4, u8, f2, f4, f8</c>, either byte order, C and Fortran order.
/// Refused by name: object arrays (a pickle), structured, complex, text and void types.</para>
/// <para>Source: numpy/numpy, numpy/lib/format.py, module documentation.</para>
/// </remarks>
internal sealed record NumpyHeader(
    ElementType ElementType, bool IsBigEndian, bool IsFortranOrder, long[] Shape, int DataStart)
{
    /// <summary>The longest header in bytes; NumPy itself warns above 10 000.</summary>
    public const int MaximumLength = 1 << 16;

    /// <summary>The most axes, as in a safetensors file.</summary>
    public const int MaximumRank = 16;

    private const int PrefixLength = 12; // magic 6, version 2, length 2 or 4

    /// <summary>The first bytes of every <c>.npy</c> file.</summary>
    public static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads and checks a header, and that the data behind it has exactly the size that it states.</summary>
    /// <param name="source">The whole file or entry.</param>
    /// <returns>The header.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    public static NumpyHeader Read(ByteSource source)
    {
        if (source.Length < PrefixLength)
        {
            throw new InvalidInputException(
                source.Name, "byte 0", $"{source.Length} bytes: shorter than any .npy header");
        }

        Span<byte> prefix = stackalloc byte[PrefixLength];
        source.ReadExactly(0, prefix);
        if (!prefix.StartsWith(Magic))
        {
            throw new InvalidInputException(source.Name, "byte 0", "not a .npy file: \\x93NUMPY is missing");
        }

        int version = prefix[6];
        if (version is < 1 or > 3 || prefix[7] != 0)
        {
            throw new InvalidInputException(
                source.Name, "byte 6", $"version {version}.{prefix[7]}; 1.0, 2.0 and 3.0 are read");
        }

        int textStart = version == 1 ? 10 : 12;
        long length = version == 1
            ? BinaryPrimitives.ReadUInt16LittleEndian(prefix[8..])
            : BinaryPrimitives.ReadUInt32LittleEndian(prefix[8..]);
        if (length > MaximumLength)
        {
            throw new InvalidInputException(
                source.Name, "byte 8", $"header length {length} is above the limit of {MaximumLength}");
        }

        if (length > source.Length - textStart)
        {
            throw new InvalidInputException(
                source.Name,
                "byte 8",
                $"header length {length} is larger than the {source.Length - textStart} bytes that follow it");
        }

        byte[] bytes = new byte[length];
        source.ReadExactly(textStart, bytes);
        NumpyHeader header = new NumpyHeaderText(source.Name, Encoding.Latin1.GetString(bytes), textStart).Parse();
        header.CheckLength(source);
        return header;
    }

    /// <summary>Elements from one index to the next along each axis; null when they lie side by side.</summary>
    /// <returns>The strides of Fortran order, or null.</returns>
    public long[]? Strides()
    {
        if (!IsFortranOrder || Shape.Count(axis => axis > 1) < 2)
        {
            return null;
        }

        long[] strides = new long[Shape.Length];
        long stride = 1;
        for (int axis = 0; axis < Shape.Length; axis++)
        {
            strides[axis] = stride;
            stride *= Shape[axis];
        }

        return strides;
    }

    private void CheckLength(ByteSource source)
    {
        ulong bytes = (ulong)ElementType.ByteCount();
        try
        {
            foreach (long axis in Shape)
            {
                bytes = checked(bytes * (ulong)axis);
            }
        }
        catch (OverflowException)
        {
            bytes = ulong.MaxValue;
        }

        if (bytes != (ulong)(source.Length - DataStart))
        {
            throw new InvalidInputException(
                source.Name,
                $"byte {DataStart}",
                $"shape {TensorInfo.FormatShape(Shape)} of {ElementType.HeaderName()} needs "
                + (bytes == ulong.MaxValue ? "more than 64 bits of" : bytes.ToString(CultureInfo.InvariantCulture))
                + $" bytes, {source.Length - DataStart} follow the header");
        }
    }
}
