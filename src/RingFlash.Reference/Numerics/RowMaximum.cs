using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>The largest value of a row, for a shift that keeps exponentials from overflowing.</summary>
/// <remarks>
/// <para>Special: a NaN is skipped, because it spreads through the exponential anyway; −∞ for a row without any number.
/// Which of +0 and −0 comes out is not fixed: no difference from it tells.</para>
/// </remarks>
internal static class RowMaximum
{
    /// <summary>Lanes: four times sixteen consecutive elements. A maximum is exact in any order.</summary>
    /// <param name="values">[i], float32, read.</param>
    /// <returns>The maximum.</returns>
    public static float Of(ReadOnlySpan<float> values)
    {
        ref float start = ref MemoryMarshal.GetReference(values);
        Vector512<float> first = Vector512.Create(float.NegativeInfinity), second = first;
        Vector512<float> third = first, fourth = first;
        int i = 0;
        for (; i + 64 <= values.Length; i += 64)
        {
            first = Larger(Vector512.LoadUnsafe(ref start, (nuint)i), first);
            second = Larger(Vector512.LoadUnsafe(ref start, (nuint)i + 16), second);
            third = Larger(Vector512.LoadUnsafe(ref start, (nuint)i + 32), third);
            fourth = Larger(Vector512.LoadUnsafe(ref start, (nuint)i + 48), fourth);
        }

        first = Larger(Larger(first, second), Larger(third, fourth));
        Vector256<float> eight = Vector256.Max(first.GetLower(), first.GetUpper()); // no lane is NaN here
        Vector128<float> four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        float maximum = MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3]));
        for (; i < values.Length; i++)
        {
            maximum = values[i] > maximum ? values[i] : maximum;
        }

        return maximum;
    }

    /// <summary>The larger one in every lane.</summary>
    /// <param name="candidate">NaN lanes are skipped.</param>
    /// <param name="maximum">The maximum so far.</param>
    /// <returns>The maximum.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Larger(Vector512<float> candidate, Vector512<float> maximum) =>
        Vector512.ConditionalSelect(Vector512.GreaterThan(candidate, maximum), candidate, maximum);
}
