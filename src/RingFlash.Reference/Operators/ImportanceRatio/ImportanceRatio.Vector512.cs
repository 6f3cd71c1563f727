using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class ImportanceRatio
{
    /// <summary>Lanes: sixteen consecutive tokens. Remainder: the scalar expression.</summary>
    /// <param name="numerator">[tokens], float32, read.</param>
    /// <param name="denominator">[tokens], float32, read.</param>
    /// <param name="clamp">The largest |d|; +∞ for none.</param>
    /// <param name="ratio">[tokens], float32, written; may be an input.</param>
    public static void Vectorised(
        ReadOnlySpan<float> numerator, ReadOnlySpan<float> denominator, float clamp, Span<float> ratio)
    {
        Vector512<float> highest = Vector512.Create(clamp);
        Vector512<float> lowest = Vector512.Create(-clamp);
        int t = 0;
        for (; t + 16 <= numerator.Length; t += 16)
        {
            Vector512<float> difference = Vector512.Create(numerator[t..]) - Vector512.Create(denominator[t..]);
            difference = Vector512.ConditionalSelect(
                Vector512.GreaterThan(difference, highest), highest, difference);
            difference = Vector512.ConditionalSelect(Vector512.LessThan(difference, lowest), lowest, difference);
            Exponential.Exp(difference).CopyTo(ratio[t..]);
        }

        Scalar(numerator[t..], denominator[t..], clamp, ratio[t..]);
    }
}
