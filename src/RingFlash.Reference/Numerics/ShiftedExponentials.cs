using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>exp(x[i] − shift) of a row and the sum of these, the middle part of every softmax.</summary>
/// <remarks>
/// <para>Lanes: sixteen consecutive elements. Order of the sum: the stripes of <see cref="Summation.SumVectorised"/>,
/// added while the exponentials are made. Remainder: the scalar expression, beside zeros.</para>
/// </remarks>
internal static class ShiftedExponentials
{
    /// <summary>Computes the row.</summary>
    /// <param name="values">[i], float32, read.</param>
    /// <param name="shift">The largest value, usually.</param>
    /// <param name="exponentials">[i], float32, written, may be the values; or empty when only the sum is
    /// wanted.</param>
    /// <returns>The sum.</returns>
    public static float Sum(ReadOnlySpan<float> values, float shift, Span<float> exponentials)
    {
        bool store = !exponentials.IsEmpty;
        ref float from = ref MemoryMarshal.GetReference(values), to = ref MemoryMarshal.GetReference(exponentials);
        Vector512<float> shifts = Vector512.Create(shift);
        Vector512<float> lower = Vector512<float>.Zero, upper = Vector512<float>.Zero;
        int whole = values.Length / Summation.StripeCount * Summation.StripeCount;
        for (int i = 0; i < whole; i += Summation.StripeCount)
        {
            i = Ordinary(ref from, ref to, store, i, whole, shifts, ref lower, ref upper);
            if (i == whole)
            {
                break;
            }

            Vector512<float> first = Exponential.Exp(Vector512.LoadUnsafe(ref from, (nuint)i) - shifts);
            Vector512<float> second = Exponential.Exp(Vector512.LoadUnsafe(ref from, (nuint)i + 16) - shifts);
            lower += first;
            upper += second;
            if (store)
            {
                first.StoreUnsafe(ref to, (nuint)i);
                second.StoreUnsafe(ref to, (nuint)i + 16);
            }
        }

        if (whole == values.Length)
        {
            return Summation.Halve(lower, upper);
        }

        Span<float> rest = stackalloc float[Summation.StripeCount];
        rest.Clear();
        for (int i = whole; i < values.Length; i++)
        {
            rest[i - whole] = Exponential.Exp(values[i] - shift);
            if (store)
            {
                exponentials[i] = rest[i - whole];
            }
        }

        lower += Vector512.Create<float>(rest);
        upper += Vector512.Create<float>(rest[16..]);
        return Summation.Halve(lower, upper);
    }

    /// <summary>
    /// Goes on while all exponentials are normal numbers. The loop calls nothing, so that everything stays in
    /// registers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Ordinary(
        ref float from,
        ref float to,
        bool store,
        int i,
        int end,
        Vector512<float> shifts,
        ref Vector512<float> lowerSum,
        ref Vector512<float> upperSum)
    {
        Vector512<float> lower = lowerSum, upper = upperSum;
        FourVectors shifts4 = new(shifts, shifts, shifts, shifts);
        for (; i < end; i += Summation.StripeCount)
        {
            for (; i <= end - FourVectors.Count; i += FourVectors.Count)
            {
                FourVectors differences = FourVectors.Load(ref from, i) - shifts4;
                if (!FourVectors.Pay || !Exponential.IsInNormalRange(differences))
                {
                    break;
                }

                FourVectors four = Exponential.ExpInNormalRange(differences);
                lower = lower + four.First + four.Third;
                upper = upper + four.Second + four.Fourth;
                if (store)
                {
                    four.Store(ref to, i);
                }
            }

            if (i == end)
            {
                break;
            }

            Vector512<float> first = Vector512.LoadUnsafe(ref from, (nuint)i) - shifts;
            Vector512<float> second = Vector512.LoadUnsafe(ref from, (nuint)i + 16) - shifts;
            if (!Exponential.IsInNormalRange(first) || !Exponential.IsInNormalRange(second))
            {
                break;
            }

            first = Exponential.ExpInNormalRange(first);
            second = Exponential.ExpInNormalRange(second);
            lower += first;
            upper += second;
            if (store)
            {
                first.StoreUnsafe(ref to, (nuint)i);
                second.StoreUnsafe(ref to, (nuint)i + 16);
            }
        }

        (lowerSum, upperSum) = (lower, upper);
        return i;
    }
}
