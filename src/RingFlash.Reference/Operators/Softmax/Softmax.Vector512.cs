using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class Softmax
{
    /// <summary>
    /// Lanes: sixteen consecutive keys. Order of the denominator: the stripes of
    /// <see cref="Summation.SumVectorised"/>, added while the exponentials are made. Remainder: the scalar expressions;
    /// a row with a mask takes them for the mask too. The maximum is exact, so its order does not matter.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="scores">[keys], float32, read.</param>
    /// <param name="visible">[keys], 1 where the query may look; or empty.</param>
    /// <param name="weights">[keys], float32, written; may be scores.</param>
    public static void Vectorised<TPrecision>(
        ReadOnlySpan<float> scores, ReadOnlySpan<byte> visible, Span<float> weights)
        where TPrecision : struct, IPrecision
    {
        Span<float> row = weights[..scores.Length];
        float denominator = visible.IsEmpty
            ? Exponentials(scores, RowMaximum.Of(scores), row)
            : MaskedExponentials(scores, visible, row);
        Vector512<float> divisor = Vector512.Create(denominator);
        ref float elements = ref MemoryMarshal.GetReference(row);
        int key = 0;
        for (; key + 16 <= row.Length; key += 16)
        {
            TPrecision.Round(Vector512.LoadUnsafe(ref elements, (nuint)key) / divisor)
                .StoreUnsafe(ref elements, (nuint)key);
        }

        for (; key < row.Length; key++)
        {
            row[key] = TPrecision.Round(row[key] / denominator);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exponentials(ReadOnlySpan<float> scores, float maximum, Span<float> exponentials)
    {
        ref float from = ref MemoryMarshal.GetReference(scores), to = ref MemoryMarshal.GetReference(exponentials);
        Vector512<float> shift = Vector512.Create(maximum);
        Vector512<float> lower = Vector512<float>.Zero, upper = Vector512<float>.Zero;
        int j = 0;
        for (; j + Summation.StripeCount <= scores.Length; j += Summation.StripeCount)
        {
            Vector512<float> first = Exponential.Exp(Vector512.LoadUnsafe(ref from, (nuint)j) - shift);
            Vector512<float> second = Exponential.Exp(Vector512.LoadUnsafe(ref from, (nuint)j + 16) - shift);
            first.StoreUnsafe(ref to, (nuint)j);
            second.StoreUnsafe(ref to, (nuint)j + 16);
            lower += first;
            upper += second;
        }

        if (j < scores.Length)
        {
            Span<float> rest = stackalloc float[Summation.StripeCount];
            rest.Clear();
            for (int i = j; i < scores.Length; i++)
            {
                rest[i - j] = exponentials[i] = Exponential.Exp(scores[i] - maximum);
            }

            lower += Vector512.Create<float>(rest);
            upper += Vector512.Create<float>(rest[16..]);
        }

        return Summation.Halve(lower, upper);
    }

    private static float MaskedExponentials(
        ReadOnlySpan<float> scores, ReadOnlySpan<byte> visible, Span<float> exponentials)
    {
        float maximum = Maximum(scores, visible, out bool any);
        if (any)
        {
            Exponentials(scores, maximum, exponentials);
            for (int j = 0; j < exponentials.Length; j++)
            {
                exponentials[j] = visible[j] != 0 ? exponentials[j] : 0f;
            }
        }
        else
        {
            exponentials.Fill(1f);
        }

        return Summation.SumVectorised(exponentials);
    }
}
