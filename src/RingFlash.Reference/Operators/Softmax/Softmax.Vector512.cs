using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class Softmax
{
    /// <summary>
    /// Lanes: sixteen consecutive keys. Order of the denominator: <see cref="Summation.SumVectorised"/>.
    /// Remainder: the scalar expressions; a row with a mask takes them for the mask too. The maximum is exact, so its
    /// order does not matter.
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
            ? ShiftedExponentials.Sum(scores, RowMaximum.Of(scores), row)
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

    private static float MaskedExponentials(
        ReadOnlySpan<float> scores, ReadOnlySpan<byte> visible, Span<float> exponentials)
    {
        float maximum = Maximum(scores, visible, out bool any);
        if (any)
        {
            ShiftedExponentials.Sum(scores, maximum, exponentials);
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
