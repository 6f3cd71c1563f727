using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RingFlash.Reference.Operators;

/// <summary>
/// The micro-kernel of both products of attention: eight rows of a, read one value at a time, times 32 columns of b,
/// read as two vectors. Strides say where the values lie, so that neither keys, nor weights, nor values are copied
/// first. A lane owns an output, which sees one chain of fused multiply-adds in ascending k.
/// </summary>
internal static unsafe class StridedTile
{
    /// <summary>Rows of a tile: with two vectors each 16 chains, which hide the latency on two FMA units.</summary>
    public const int Rows = 8;

    /// <summary>Columns of a tile: two vectors of sixteen lanes.</summary>
    public const int Columns = 32;

    /// <summary>c[r, l] = fma(a[r, k], b[k, l], c[r, l]) for k = 0 … count − 1 in this order.</summary>
    /// <param name="a">[8, count], read.</param>
    /// <param name="rowStride">From a row of a to the next.</param>
    /// <param name="stepStride">From a k of a to the next.</param>
    /// <param name="b">[count, 32], read.</param>
    /// <param name="columnStride">From a k of b to the next.</param>
    /// <param name="count">The number of k; a block of the product, or a part of one.</param>
    /// <param name="c">[8, 32], read and written: the chains so far.</param>
    /// <param name="outputStride">From a row of c to the next.</param>
    /// <param name="ahead">What will be needed soon: with every k two cache lines are fetched into L2. It may lie
    /// beyond the end of an array.</param>
    /// <param name="aheadStride">What the next k fetches, from there; 32 for lines that do not overlap.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate(
        float* a,
        nint rowStride,
        nint stepStride,
        float* b,
        nint columnStride,
        int count,
        float* c,
        nint outputStride,
        float* ahead,
        nint aheadStride)
    {
        float* a3 = a + (3 * rowStride), a6 = a3 + (3 * rowStride);
        nint twoRows = 2 * rowStride;
        float* c1 = c + outputStride, c2 = c1 + outputStride, c3 = c2 + outputStride, c4 = c3 + outputStride;
        float* c5 = c4 + outputStride, c6 = c5 + outputStride, c7 = c6 + outputStride;
        Vector512<float> sum00 = Vector512.Load(c), sum01 = Vector512.Load(c + 16);
        Vector512<float> sum10 = Vector512.Load(c1), sum11 = Vector512.Load(c1 + 16);
        Vector512<float> sum20 = Vector512.Load(c2), sum21 = Vector512.Load(c2 + 16);
        Vector512<float> sum30 = Vector512.Load(c3), sum31 = Vector512.Load(c3 + 16);
        Vector512<float> sum40 = Vector512.Load(c4), sum41 = Vector512.Load(c4 + 16);
        Vector512<float> sum50 = Vector512.Load(c5), sum51 = Vector512.Load(c5 + 16);
        Vector512<float> sum60 = Vector512.Load(c6), sum61 = Vector512.Load(c6 + 16);
        Vector512<float> sum70 = Vector512.Load(c7), sum71 = Vector512.Load(c7 + 16);
        for (int k = 0; k < count; k++)
        {
            Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16);
            b += columnStride;
            if (Sse.IsSupported)
            {
                Sse.Prefetch1(ahead);
                Sse.Prefetch1(ahead + 16);
                ahead += aheadStride;
            }

            Vector512<float> x = Vector512.Create(*a);
            sum00 = Vector512.FusedMultiplyAdd(x, b0, sum00);
            sum01 = Vector512.FusedMultiplyAdd(x, b1, sum01);
            x = Vector512.Create(a[rowStride]);
            sum10 = Vector512.FusedMultiplyAdd(x, b0, sum10);
            sum11 = Vector512.FusedMultiplyAdd(x, b1, sum11);
            x = Vector512.Create(a[twoRows]);
            sum20 = Vector512.FusedMultiplyAdd(x, b0, sum20);
            sum21 = Vector512.FusedMultiplyAdd(x, b1, sum21);
            a += stepStride;
            x = Vector512.Create(*a3);
            sum30 = Vector512.FusedMultiplyAdd(x, b0, sum30);
            sum31 = Vector512.FusedMultiplyAdd(x, b1, sum31);
            x = Vector512.Create(a3[rowStride]);
            sum40 = Vector512.FusedMultiplyAdd(x, b0, sum40);
            sum41 = Vector512.FusedMultiplyAdd(x, b1, sum41);
            x = Vector512.Create(a3[twoRows]);
            sum50 = Vector512.FusedMultiplyAdd(x, b0, sum50);
            sum51 = Vector512.FusedMultiplyAdd(x, b1, sum51);
            a3 += stepStride;
            x = Vector512.Create(*a6);
            sum60 = Vector512.FusedMultiplyAdd(x, b0, sum60);
            sum61 = Vector512.FusedMultiplyAdd(x, b1, sum61);
            x = Vector512.Create(a6[rowStride]);
            sum70 = Vector512.FusedMultiplyAdd(x, b0, sum70);
            sum71 = Vector512.FusedMultiplyAdd(x, b1, sum71);
            a6 += stepStride;
        }

        sum00.Store(c);
        sum01.Store(c + 16);
        sum10.Store(c1);
        sum11.Store(c1 + 16);
        sum20.Store(c2);
        sum21.Store(c2 + 16);
        sum30.Store(c3);
        sum31.Store(c3 + 16);
        sum40.Store(c4);
        sum41.Store(c4 + 16);
        sum50.Store(c5);
        sum51.Store(c5 + 16);
        sum60.Store(c6);
        sum61.Store(c6 + 16);
        sum70.Store(c7);
        sum71.Store(c7 + 16);
    }
}
