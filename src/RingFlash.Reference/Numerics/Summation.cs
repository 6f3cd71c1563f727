using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// The two fixed orders in which every sum of the float32 engines is taken. Operators may restate an order for speed;
/// this page defines it, and they are tested against it.
/// </summary>
/// <remarks>
/// <para>Products (<see cref="Dot"/>): consecutive blocks of <see cref="BlockLength"/>; inside a block one chain of
/// fused multiply-adds in ascending k from +0; the block sums are added in ascending order to a total that starts at
/// +0.</para>
/// <para>Vectors (<see cref="Sum"/>, <see cref="SumOfSquares"/>): <see cref="StripeCount"/> stripes, stripe s adding
/// the elements i ≡ s (mod 32) in ascending order from +0; then a halving tree: s += s + 16, + 8, + 4, + 2, + 1.</para>
/// <para>Types: float32 throughout; <see cref="DotExact"/> and <see cref="DotGauge"/> are float64, for
/// measuring.</para>
/// <para>Bound: proved, barring overflow and underflow: |Dot − Σab| ≤ γ_d · Σ|ab|, d = min(n, 128) + ⌈n/128⌉;
/// |Sum − Σx| ≤ γ_d · Σ|x|, d = ⌈n/32⌉ + 5; the same d for squares (each term is rounded once per operation that it
/// passes through). γ_d = d·u / (1 − d·u), u = 2^-24.</para>
/// <para>Special: an empty sum is +0, and so is a sum of negative zeros, as every accumulator starts at +0. NaN and
/// infinities flow as IEEE 754 says; which payload a NaN has is not fixed.</para>
/// </remarks>
public static class Summation
{
    /// <summary>The block of a product: FP8's scale block and the head size, so a block has one scale.</summary>
    public const int BlockLength = 128;

    /// <summary>The stripes of a vector sum: two registers of sixteen lanes, one warp.</summary>
    public const int StripeCount = 32;

    private const int LaneCount = 16;

    /// <summary>Σ a[k]·b[k] in the order for products.</summary>
    /// <param name="a">[k], float32, read.</param>
    /// <param name="b">[k], float32, read; as long as <paramref name="a"/>.</param>
    /// <returns>The sum.</returns>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        RequireEqualLengths(a, b);
        float total = 0f;
        for (int start = 0; start < a.Length; start += BlockLength)
        {
            int end = Math.Min(start + BlockLength, a.Length);
            float block = 0f;
            for (int k = start; k < end; k++)
            {
                block = MathF.FusedMultiplyAdd(a[k], b[k], block);
            }

            total += block;
        }

        return total;
    }

    /// <summary>Σ x[i] in the order for vectors.</summary>
    /// <param name="values">[i], float32, read.</param>
    /// <returns>The sum.</returns>
    public static float Sum(ReadOnlySpan<float> values)
    {
        Span<float> stripes = stackalloc float[StripeCount];
        stripes.Clear();
        for (int i = 0; i < values.Length; i++)
        {
            stripes[i % StripeCount] += values[i];
        }

        return Halve(stripes);
    }

    /// <summary>Σ x[i]² in the order for vectors, each step one fused multiply-add.</summary>
    /// <param name="values">[i], float32, read.</param>
    /// <returns>The sum.</returns>
    public static float SumOfSquares(ReadOnlySpan<float> values)
    {
        Span<float> stripes = stackalloc float[StripeCount];
        stripes.Clear();
        for (int i = 0; i < values.Length; i++)
        {
            stripes[i % StripeCount] = MathF.FusedMultiplyAdd(values[i], values[i], stripes[i % StripeCount]);
        }

        return Halve(stripes);
    }

    /// <summary>
    /// As <see cref="Sum"/>, bit for bit. Lanes: stripes 0–15 and 16–31 in two registers. Remainder: zero-filled. A
    /// stripe starts at +0 and +0 + x is never −0, so it never holds −0, and adding +0 to anything else changes
    /// nothing.
    /// </summary>
    /// <param name="values">[i], float32, read.</param>
    /// <returns>The sum.</returns>
    public static float SumVectorised(ReadOnlySpan<float> values)
    {
        Vector512<float> lower = Vector512<float>.Zero;
        Vector512<float> upper = Vector512<float>.Zero;
        ref float start = ref MemoryMarshal.GetReference(values);
        int i = 0;
        for (; i + StripeCount <= values.Length; i += StripeCount)
        {
            lower += Vector512.LoadUnsafe(ref start, (nuint)i);
            upper += Vector512.LoadUnsafe(ref start, (nuint)i + LaneCount);
        }

        if (i < values.Length)
        {
            Span<float> rest = stackalloc float[StripeCount];
            rest.Clear();
            values[i..].CopyTo(rest);
            lower += Vector512.Create<float>(rest[..LaneCount]);
            upper += Vector512.Create<float>(rest[LaneCount..]);
        }

        return Halve(lower, upper);
    }

    /// <summary>
    /// As <see cref="SumOfSquares"/>, bit for bit. Lanes as <see cref="SumVectorised"/>. Remainder: zero-filled; a
    /// stripe is +0, positive or NaN, and fma(+0, +0, s) = +0 + s = s for those.
    /// </summary>
    /// <param name="values">[i], float32, read.</param>
    /// <returns>The sum.</returns>
    public static float SumOfSquaresVectorised(ReadOnlySpan<float> values)
    {
        Vector512<float> lower = Vector512<float>.Zero;
        Vector512<float> upper = Vector512<float>.Zero;
        ref float start = ref MemoryMarshal.GetReference(values);
        int i = 0;
        for (; i + StripeCount <= values.Length; i += StripeCount)
        {
            Vector512<float> first = Vector512.LoadUnsafe(ref start, (nuint)i);
            Vector512<float> second = Vector512.LoadUnsafe(ref start, (nuint)i + LaneCount);
            lower = Vector512.FusedMultiplyAdd(first, first, lower);
            upper = Vector512.FusedMultiplyAdd(second, second, upper);
        }

        if (i < values.Length)
        {
            Span<float> rest = stackalloc float[StripeCount];
            rest.Clear();
            values[i..].CopyTo(rest);
            Vector512<float> first = Vector512.Create<float>(rest[..LaneCount]);
            Vector512<float> second = Vector512.Create<float>(rest[LaneCount..]);
            lower = Vector512.FusedMultiplyAdd(first, first, lower);
            upper = Vector512.FusedMultiplyAdd(second, second, upper);
        }

        return Halve(lower, upper);
    }

    /// <summary>
    /// The halving tree over the stripes of a caller that fills them itself: stripe s + 16 onto s, then + 8, + 4, + 2,
    /// + 1.
    /// </summary>
    /// <param name="stripes">[32], float32, overwritten.</param>
    /// <returns>The sum.</returns>
    public static float Halve(Span<float> stripes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(stripes.Length, StripeCount, nameof(stripes));
        for (int half = StripeCount / 2; half > 0; half /= 2)
        {
            for (int s = 0; s < half; s++)
            {
                stripes[s] += stripes[s + half];
            }
        }

        return stripes[0];
    }

    /// <summary>
    /// The same tree over two registers; each step adds the upper half of the lanes onto the lower half.
    /// </summary>
    /// <param name="lower">Stripes 0–15.</param>
    /// <param name="upper">Stripes 16–31.</param>
    /// <returns>The sum.</returns>
    public static float Halve(Vector512<float> lower, Vector512<float> upper)
    {
        Vector512<float> sixteen = lower + upper;
        Vector256<float> eight = sixteen.GetLower() + sixteen.GetUpper();
        Vector128<float> four = eight.GetLower() + eight.GetUpper();
        Vector64<float> two = four.GetLower() + four.GetUpper();
        return two.GetElement(0) + two.GetElement(1);
    }

    /// <summary>
    /// Σ a[k]·b[k] in float64: products of float32 are exact there, the sum errs by at most n · 2^-53 · gauge.
    /// </summary>
    /// <param name="a">[k], float32, read.</param>
    /// <param name="b">[k], float32, read; as long as <paramref name="a"/>.</param>
    /// <returns>The sum.</returns>
    public static double DotExact(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        RequireEqualLengths(a, b);
        double sum = 0.0;
        for (int k = 0; k < a.Length; k++)
        {
            sum += (double)a[k] * b[k];
        }

        return sum;
    }

    /// <summary>Σ |a[k]·b[k]| in float64: the gauge by which errors of a product are measured.</summary>
    /// <param name="a">[k], float32, read.</param>
    /// <param name="b">[k], float32, read; as long as <paramref name="a"/>.</param>
    /// <returns>The sum.</returns>
    public static double DotGauge(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        RequireEqualLengths(a, b);
        double sum = 0.0;
        for (int k = 0; k < a.Length; k++)
        {
            sum += Math.Abs((double)a[k] * b[k]);
        }

        return sum;
    }

    private static void RequireEqualLengths(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        if (a.Length != b.Length)
        {
            throw new ArgumentException($"The operands have {a.Length} and {b.Length} elements.", nameof(b));
        }
    }
}
