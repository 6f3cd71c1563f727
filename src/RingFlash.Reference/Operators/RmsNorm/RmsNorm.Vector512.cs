using System;
using System.Runtime.InteropServices;
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
    public static void Vectorised<TPrecision>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int hidden = weight.Length;
        ref float weights = ref MemoryMarshal.GetReference(weight);
        for (int start = 0; start < x.Length; start += hidden)
        {
            ReadOnlySpan<float> row = x.Slice(start, hidden);
            Span<float> output = y.Slice(start, hidden);
            ref float from = ref MemoryMarshal.GetReference(row), to = ref MemoryMarshal.GetReference(output);
            float meanSquare = Summation.SumOfSquaresVectorised(row) / hidden;
            float reciprocalRoot = 1f / MathF.Sqrt(meanSquare + epsilon);
            Vector512<float> scale = Vector512.Create(reciprocalRoot);
            int h = 0;
            for (; h + 16 <= hidden; h += 16)
            {
                Vector512<float> normalised = TPrecision.Round(Vector512.LoadUnsafe(ref from, (nuint)h) * scale);
                TPrecision.Round(Vector512.LoadUnsafe(ref weights, (nuint)h) * normalised)
                    .StoreUnsafe(ref to, (nuint)h);
            }

            for (; h < hidden; h++)
            {
                output[h] = TPrecision.Round(weight[h] * TPrecision.Round(row[h] * reciprocalRoot));
            }
        }
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
