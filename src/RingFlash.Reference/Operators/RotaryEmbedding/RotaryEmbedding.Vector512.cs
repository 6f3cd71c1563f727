using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class RotaryEmbedding
{
    /// <summary>
    /// Lanes: sixteen consecutive d of the first half together with their partners in the second. Remainder: the scalar
    /// expressions. Nothing is fused, as in <see cref="Scalar"/>.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="x">[headDim], float32, read.</param>
    /// <param name="cosine">[R], float32, read.</param>
    /// <param name="sine">[R], float32, read.</param>
    /// <param name="y">[headDim], float32, written; not x.</param>
    public static void Vectorised<TPrecision>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> cosine, ReadOnlySpan<float> sine, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int half = cosine.Length / 2, d = 0;
        for (; d + 16 <= half; d += 16)
        {
            Vector512<float> first = Vector512.Create(x[d..]), second = Vector512.Create(x[(d + half)..]);
            TPrecision.Round(
                TPrecision.Round(first * Vector512.Create(cosine[d..]))
                + TPrecision.Round(-second * Vector512.Create(sine[d..]))).CopyTo(y[d..]);
            TPrecision.Round(
                TPrecision.Round(second * Vector512.Create(cosine[(d + half)..]))
                + TPrecision.Round(first * Vector512.Create(sine[(d + half)..]))).CopyTo(y[(d + half)..]);
        }

        for (; d < half; d++)
        {
            y[d] = TPrecision.Round(
                TPrecision.Round(x[d] * cosine[d]) + TPrecision.Round(-x[d + half] * sine[d]));
            y[d + half] = TPrecision.Round(
                TPrecision.Round(x[d + half] * cosine[d + half]) + TPrecision.Round(x[d] * sine[d + half]));
        }

        x[cosine.Length..].CopyTo(y[cosine.Length..]);
    }
}
