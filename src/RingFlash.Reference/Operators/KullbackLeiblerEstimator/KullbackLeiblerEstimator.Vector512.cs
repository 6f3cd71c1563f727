using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class KullbackLeiblerEstimator
{
    /// <summary>
    /// Lanes: sixteen consecutive tokens; both branches of k3 are computed and one selected. Remainder: the scalar
    /// expression.
    /// </summary>
    /// <param name="kind">The estimator.</param>
    /// <param name="current">[tokens], float32, read.</param>
    /// <param name="reference">[tokens], float32, read.</param>
    /// <param name="y">[tokens], float32, written.</param>
    public static void Vectorised(
        KullbackLeiblerKind kind, ReadOnlySpan<float> current, ReadOnlySpan<float> reference, Span<float> y)
    {
        int t = 0;
        for (; t + 16 <= current.Length; t += 16)
        {
            Vector512<float> d = Vector512.Create(current[t..]) - Vector512.Create(reference[t..]);
            Vector512<float> value = kind switch
            {
                KullbackLeiblerKind.K1 => d,
                KullbackLeiblerKind.K2 => Vector512.Create(0.5f) * d * d,
                _ => ExponentialRemainder(-d),
            };
            value.CopyTo(y[t..]);
        }

        Scalar(kind, current[t..], reference[t..], y[t..]);
    }

    private static Vector512<float> ExponentialRemainder(Vector512<float> x)
    {
        Vector512<float> one = Vector512<float>.One;
        Vector512<float> series = one;
        for (int n = SingleTerms; n >= 3; n--)
        {
            series = Vector512.FusedMultiplyAdd(x * Vector512.Create(1f / n), series, one);
        }

        return Vector512.ConditionalSelect(
            Vector512.LessThanOrEqual(Vector512.Abs(x), one),
            Vector512.Create(0.5f) * x * x * series,
            Exponential.Exp(x) - one - x);
    }
}
