using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RingFlash.Reference.Numerics;

/// <summary>Rows become columns, sixteen by sixteen in registers where the processor has AVX-512.</summary>
internal static unsafe class Transposition
{
    private const int Size = 16;

    /// <summary>destination[c, r] = source[r, c].</summary>
    /// <param name="source">[rows, columns], read.</param>
    /// <param name="sourceStride">From a row of the source to the next.</param>
    /// <param name="rows">The rows of the source.</param>
    /// <param name="columns">The columns of the source.</param>
    /// <param name="destination">[columns, rows], written.</param>
    /// <param name="destinationStride">From a row of the destination to the next.</param>
    public static void Copy(
        float* source, nint sourceStride, int rows, int columns, float* destination, nint destinationStride)
    {
        int wholeRows = Avx512F.IsSupported ? rows / Size * Size : 0;
        int wholeColumns = Avx512F.IsSupported ? columns / Size * Size : 0;
        for (int row = 0; row < wholeRows; row += Size)
        {
            for (int column = 0; column < wholeColumns; column += Size)
            {
                Square(
                    source + (row * sourceStride) + column,
                    sourceStride,
                    destination + (column * destinationStride) + row,
                    destinationStride);
            }
        }

        for (int row = 0; row < rows; row++)
        {
            for (int column = row < wholeRows ? wholeColumns : 0; column < columns; column++)
            {
                destination[(column * destinationStride) + row] = source[(row * sourceStride) + column];
            }
        }
    }

    /// <summary>
    /// Four steps: rows pairwise by single values, then by pairs, so that each 128-bit part holds a transposed 4 × 4
    /// square; then the parts change places between registers, twice.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Square(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        // Parts of quad q: rows 4q … 4q + 3. Vector i of a quad holds columns i, 4 + i, 8 + i and 12 + i.
        Quad(
            source,
            sourceStride,
            out Vector512<float> a0,
            out Vector512<float> a1,
            out Vector512<float> a2,
            out Vector512<float> a3);
        source += 4 * sourceStride;
        Quad(
            source,
            sourceStride,
            out Vector512<float> b0,
            out Vector512<float> b1,
            out Vector512<float> b2,
            out Vector512<float> b3);
        source += 4 * sourceStride;
        Quad(
            source,
            sourceStride,
            out Vector512<float> c0,
            out Vector512<float> c1,
            out Vector512<float> c2,
            out Vector512<float> c3);
        source += 4 * sourceStride;
        Quad(
            source,
            sourceStride,
            out Vector512<float> d0,
            out Vector512<float> d1,
            out Vector512<float> d2,
            out Vector512<float> d3);
        Parts(a0, b0, c0, d0, destination, destinationStride);
        Parts(a1, b1, c1, d1, destination + destinationStride, destinationStride);
        Parts(a2, b2, c2, d2, destination + (2 * destinationStride), destinationStride);
        Parts(a3, b3, c3, d3, destination + (3 * destinationStride), destinationStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quad(
        float* source,
        nint stride,
        out Vector512<float> first,
        out Vector512<float> second,
        out Vector512<float> third,
        out Vector512<float> fourth)
    {
        Vector512<float> row0 = Vector512.Load(source), row1 = Vector512.Load(source + stride);
        Vector512<float> row2 = Vector512.Load(source + (2 * stride)), row3 = Vector512.Load(source + (3 * stride));
        Vector512<double> low01 = Avx512F.UnpackLow(row0, row1).AsDouble();
        Vector512<double> high01 = Avx512F.UnpackHigh(row0, row1).AsDouble();
        Vector512<double> low23 = Avx512F.UnpackLow(row2, row3).AsDouble();
        Vector512<double> high23 = Avx512F.UnpackHigh(row2, row3).AsDouble();
        first = Avx512F.UnpackLow(low01, low23).AsSingle();
        second = Avx512F.UnpackHigh(low01, low23).AsSingle();
        third = Avx512F.UnpackLow(high01, high23).AsSingle();
        fourth = Avx512F.UnpackHigh(high01, high23).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Parts(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* destination, nint stride)
    {
        const byte EvenParts = 0b10_00_10_00, OddParts = 0b11_01_11_01;
        Vector512<float> even01 = Avx512F.Shuffle4x128(a, b, EvenParts), odd01 = Avx512F.Shuffle4x128(a, b, OddParts);
        Vector512<float> even23 = Avx512F.Shuffle4x128(c, d, EvenParts), odd23 = Avx512F.Shuffle4x128(c, d, OddParts);
        Avx512F.Shuffle4x128(even01, even23, EvenParts).Store(destination);
        Avx512F.Shuffle4x128(odd01, odd23, EvenParts).Store(destination + (4 * stride));
        Avx512F.Shuffle4x128(even01, even23, OddParts).Store(destination + (8 * stride));
        Avx512F.Shuffle4x128(odd01, odd23, OddParts).Store(destination + (12 * stride));
    }
}
