using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RingFlash.Reference.Operators;

/// <summary>
/// The micro-kernel of scores for few queries: twelve keys, read where they lie, times eight queries, which are the
/// lanes of a 256-bit vector. A lane owns a score, which sees one chain of fused multiply-adds in ascending channel.
/// Transposing keys so that they fill wider lanes costs more than it saves.
/// </summary>
internal static unsafe class KeyTile
{
    /// <summary>Keys of a tile: twelve chains hide the latency of two FMA units and share a load of queries.</summary>
    public const int Keys = 12;

    /// <summary>Queries of a tile.</summary>
    public const int Queries = 8;

    /// <summary>
    /// products[j, r] = (isFirst ? +0 : products[j, r]) + the chain over d of keys[j, d] · queries[d, r].
    /// </summary>
    /// <param name="keys">[12, …], read.</param>
    /// <param name="keyStride">From a key to the next.</param>
    /// <param name="queries">[count, 8], read.</param>
    /// <param name="count">The number of channels: a block of the product.</param>
    /// <param name="products">[12, 8], written.</param>
    /// <param name="isFirst">Whether this is the first block.</param>
    /// <param name="ahead">The keys that will be needed soon, fetched into L2 at the pace at which keys are used. It
    /// may lie beyond the end of an array.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(
        float* keys, nint keyStride, float* queries, int count, float* products, bool isFirst, float* ahead)
    {
        float* keys3 = keys + (3 * keyStride), keys6 = keys3 + (3 * keyStride), keys9 = keys6 + (3 * keyStride);
        nint twoKeys = 2 * keyStride;
        Vector256<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default, sum4 = default;
        Vector256<float> sum5 = default, sum6 = default, sum7 = default, sum8 = default, sum9 = default;
        Vector256<float> sum10 = default, sum11 = default;
        for (int d = 0; d < count; d++)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch1(ahead);
                ahead += Keys;
            }

            Vector256<float> query = Vector256.Load(queries);
            queries += Queries;
            sum0 = Vector256.FusedMultiplyAdd(Vector256.Create(*keys), query, sum0);
            sum1 = Vector256.FusedMultiplyAdd(Vector256.Create(keys[keyStride]), query, sum1);
            sum2 = Vector256.FusedMultiplyAdd(Vector256.Create(keys[twoKeys]), query, sum2);
            keys++;
            sum3 = Vector256.FusedMultiplyAdd(Vector256.Create(*keys3), query, sum3);
            sum4 = Vector256.FusedMultiplyAdd(Vector256.Create(keys3[keyStride]), query, sum4);
            sum5 = Vector256.FusedMultiplyAdd(Vector256.Create(keys3[twoKeys]), query, sum5);
            keys3++;
            sum6 = Vector256.FusedMultiplyAdd(Vector256.Create(*keys6), query, sum6);
            sum7 = Vector256.FusedMultiplyAdd(Vector256.Create(keys6[keyStride]), query, sum7);
            sum8 = Vector256.FusedMultiplyAdd(Vector256.Create(keys6[twoKeys]), query, sum8);
            keys6++;
            sum9 = Vector256.FusedMultiplyAdd(Vector256.Create(*keys9), query, sum9);
            sum10 = Vector256.FusedMultiplyAdd(Vector256.Create(keys9[keyStride]), query, sum10);
            sum11 = Vector256.FusedMultiplyAdd(Vector256.Create(keys9[twoKeys]), query, sum11);
            keys9++;
        }

        AddTo(products, sum0, isFirst);
        AddTo(products + 8, sum1, isFirst);
        AddTo(products + 16, sum2, isFirst);
        AddTo(products + 24, sum3, isFirst);
        AddTo(products + 32, sum4, isFirst);
        AddTo(products + 40, sum5, isFirst);
        AddTo(products + 48, sum6, isFirst);
        AddTo(products + 56, sum7, isFirst);
        AddTo(products + 64, sum8, isFirst);
        AddTo(products + 72, sum9, isFirst);
        AddTo(products + 80, sum10, isFirst);
        AddTo(products + 88, sum11, isFirst);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTo(float* products, Vector256<float> sum, bool isFirst) =>
        ((isFirst ? Vector256<float>.Zero : Vector256.Load(products)) + sum).Store(products);
}
