using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class KullbackLeiblerEstimator
{
    /// <summary>The derivative in current: 1, d, 1 − e^−d.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="kind">The estimator.</param>
    /// <param name="current">[tokens], float32, read.</param>
    /// <param name="reference">[tokens], float32, read.</param>
    /// <param name="gradient">[tokens], float32, written.</param>
    public static void Backward(
        ExecutionEngine engine,
        KullbackLeiblerKind kind,
        ReadOnlySpan<float> current,
        ReadOnlySpan<float> reference,
        Span<float> gradient)
    {
        int t = 0;
        for (; engine == ExecutionEngine.Vector512 && t + 16 <= current.Length; t += 16)
        {
            Vector512<float> d = Vector512.Create(current[t..]) - Vector512.Create(reference[t..]);
            Vector512<float> value = kind switch
            {
                KullbackLeiblerKind.K1 => Vector512.ConditionalSelect(Vector512.Equals(d, d), Vector512<float>.One, d),
                KullbackLeiblerKind.K2 => d,
                _ => -ExponentialMinusOne(-d),
            };
            value.CopyTo(gradient[t..]);
        }

        for (; t < current.Length; t++)
        {
            gradient[t] = Derivative(kind, current[t], reference[t]);
        }
    }

    /// <summary>One derivative; also what kernels call.</summary>
    /// <param name="kind">The estimator.</param>
    /// <param name="current">Nats.</param>
    /// <param name="reference">Nats.</param>
    /// <returns>dy/dcurrent.</returns>
    internal static float Derivative(KullbackLeiblerKind kind, float current, float reference)
    {
        float d = current - reference;
        return kind switch
        {
            KullbackLeiblerKind.K1 => float.IsNaN(d) ? d : 1f,
            KullbackLeiblerKind.K2 => d,
            _ => -ExponentialMinusOne(-d),
        };
    }

    private static float ExponentialMinusOne(float x)
    {
        if (!(x >= -1f && x <= 1f))
        {
            return Exponential.Exp(x) - 1f;
        }

        float series = 1f; // x · (1 + x/2 · (1 + x/3 · (…)))
        for (int n = SingleTerms; n >= 2; n--)
        {
            series = MathF.FusedMultiplyAdd(x * (1f / n), series, 1f);
        }

        return x * series;
    }

    private static Vector512<float> ExponentialMinusOne(Vector512<float> x)
    {
        Vector512<float> one = Vector512<float>.One;
        Vector512<float> series = one;
        for (int n = SingleTerms; n >= 2; n--)
        {
            series = Vector512.FusedMultiplyAdd(x * Vector512.Create(1f / n), series, one);
        }

        return Vector512.ConditionalSelect(
            Vector512.LessThanOrEqual(Vector512.Abs(x), one), x * series, Exponential.Exp(x) - one);
    }
}
