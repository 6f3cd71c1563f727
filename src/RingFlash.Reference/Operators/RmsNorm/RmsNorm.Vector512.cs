using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class RmsNorm
{
    /// <summary>
    /// Lanes: sixteen consecutive hidden positions of one token. Order: the 32 stripes of
    /// <see cref="Summation.SumOfSquaresVectorised"/>. Remainder: the scalar expression. Equal to
    /// <see cref="Scalar"/> because every step is one correctly rounded lane operation.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="weight">[hidden], float32, read.</param>
    /// <param name="epsilon">Inside the root.</param>
    /// <param name="y">[tokens, hidden], float32, written; may be x.</param>
    public static unsafe void Vectorised<TPrecision>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int hidden = weight.Length;
        fixed (float* from = x, weights = weight, to = y)
        {
            float sum = x.IsEmpty ? 0f : Summation.SumOfSquaresVectorised(x[..hidden]);
            for (int start = 0; start < x.Length; start += hidden)
            {
                float reciprocalRoot = 1f / MathF.Sqrt((sum / hidden) + epsilon);
                int next = start + hidden < x.Length ? start + hidden : start;
                sum = Scale<TPrecision>(from + start, weights, reciprocalRoot, to + start, hidden, from + next);
            }
        }
    }

    /// <summary>
    /// Scales one row and meanwhile sums the squares of the next: alone, a sum of two chains waits for its additions,
    /// and the scaling for its stores.
    /// </summary>
    /// <returns>The sum for the next row; meaningless when that is this one.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe float Scale<TPrecision>(
        float* x, float* weight, float reciprocalRoot, float* y, int hidden, float* next)
        where TPrecision : struct, IPrecision
    {
        Vector512<float> scale = Vector512.Create(reciprocalRoot), lower = default, upper = default;
        int h = 0;
        for (; h + Summation.StripeCount <= hidden; h += Summation.StripeCount)
        {
            Vector512<float> next0 = Vector512.Load(next + h), next1 = Vector512.Load(next + h + 16);
            Vector512<float> normalised0 = TPrecision.Round(Vector512.Load(x + h) * scale);
            Vector512<float> normalised1 = TPrecision.Round(Vector512.Load(x + h + 16) * scale);
            TPrecision.Round(Vector512.Load(weight + h) * normalised0).Store(y + h);
            TPrecision.Round(Vector512.Load(weight + h + 16) * normalised1).Store(y + h + 16);
            lower = Vector512.FusedMultiplyAdd(next0, next0, lower);
            upper = Vector512.FusedMultiplyAdd(next1, next1, upper);
        }

        if (h == hidden)
        {
            return Summation.Halve(lower, upper);
        }

        for (; h < hidden; h++)
        {
            y[h] = TPrecision.Round(weight[h] * TPrecision.Round(x[h] * reciprocalRoot));
        }

        return Summation.SumOfSquaresVectorised(new(next, hidden)); // widths of the model are multiples of 32
    }

    private static void Split<TPrecision>(
        WorkerPool workers, ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
        where TPrecision : struct, IPrecision =>
        RowSplit.Run(
            workers,
            x.Length / weight.Length,
            x,
            [],
            y,
            new Scaling(weight, epsilon),
            static (in scaling, _, rows, _, output) =>
                Vectorised<TPrecision>(rows, scaling.Weight, scaling.Epsilon, output));

    private readonly ref struct Scaling(ReadOnlySpan<float> weight, float epsilon)
    {
        public readonly ReadOnlySpan<float> Weight = weight;
        public readonly float Epsilon = epsilon;
    }
}
