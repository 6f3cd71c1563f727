using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>The steps that both ways through attention take on single rows.</summary>
internal static unsafe class AttentionSteps
{
    /// <summary>Rounds to the storage type.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="values">Float32 results, read.</param>
    /// <param name="rounded">As many, written.</param>
    public static void Round<TPrecision>(ReadOnlySpan<float> values, Span<float> rounded)
        where TPrecision : struct, IPrecision
    {
        int d = 0;
        for (; d + 16 <= values.Length; d += 16)
        {
            TPrecision.Round(Vector512.Create(values[d..])).CopyTo(rounded[d..]);
        }

        for (; d < values.Length; d++)
        {
            rounded[d] = TPrecision.Round(values[d]);
        }
    }

    /// <summary>One step of a row of chains: sums[d] = fma(weight, values[d], sums[d]).</summary>
    /// <param name="weight">The weight of a key.</param>
    /// <param name="values">[headDim], read.</param>
    /// <param name="sums">[headDim], read and written.</param>
    /// <param name="headDim">The width of a head.</param>
    public static void MultiplyAdd(float weight, float* values, float* sums, int headDim)
    {
        int d = 0;
        for (; d + 16 <= headDim; d += 16)
        {
            Vector512.FusedMultiplyAdd(Vector512.Create(weight), Vector512.Load(values + d), Vector512.Load(sums + d))
                .Store(sums + d);
        }

        for (; d < headDim; d++)
        {
            sums[d] = MathF.FusedMultiplyAdd(weight, values[d], sums[d]);
        }
    }

    /// <summary>Copies rows and fills them up with zeros.</summary>
    /// <param name="values">[count, headDim], read.</param>
    /// <param name="headDim">The width of a head.</param>
    /// <param name="count">The number of rows.</param>
    /// <param name="padded">[count, paddedHeadDim], written.</param>
    /// <param name="paddedHeadDim">The wider row.</param>
    public static void PadColumns(float* values, int headDim, int count, float* padded, int paddedHeadDim)
    {
        for (int key = 0; key < count; key++)
        {
            Span<float> row = new(padded + (key * paddedHeadDim), paddedHeadDim);
            new Span<float>(values + (key * headDim), headDim).CopyTo(row);
            row[headDim..].Clear();
        }
    }

    /// <summary>A score: the product divided by √headDim, each rounded to the storage type.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="product">q · k.</param>
    /// <param name="scale">√headDim.</param>
    /// <returns>The scores.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scaled<TPrecision>(Vector512<float> product, Vector512<float> scale)
        where TPrecision : struct, IPrecision =>
        TPrecision.Round(TPrecision.Round(product) / scale);
}
