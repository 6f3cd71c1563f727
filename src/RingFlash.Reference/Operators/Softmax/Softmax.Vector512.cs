using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class Softmax
{
    /// <summary>
    /// Lanes: sixteen consecutive keys. Order of the denominator: <see cref="Summation.SumVectorised"/>. Remainder: the
    /// scalar expressions. The maximum is exact, so its order does not matter.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="scores">[keys], float32, read.</param>
    /// <param name="visible">[keys], 1 where the query may look; or empty.</param>
    /// <param name="weights">[keys], float32, written; may be scores.</param>
    public static void Vectorised<TPrecision>(
        ReadOnlySpan<float> scores, ReadOnlySpan<byte> visible, Span<float> weights)
        where TPrecision : struct, IPrecision
    {
        float maximum = Maximum(scores, visible, out bool any);
        if (!any)
        {
            weights[..scores.Length].Fill(1f);
        }
        else
        {
            Vector512<float> shift = Vector512.Create(maximum);
            int j = 0;
            for (; j + 16 <= scores.Length; j += 16)
            {
                Exponential.Exp(Vector512.Create(scores[j..]) - shift).CopyTo(weights[j..]);
            }

            for (; j < scores.Length; j++)
            {
                weights[j] = Exponential.Exp(scores[j] - maximum);
            }

            for (j = 0; j < visible.Length; j++)
            {
                weights[j] = visible[j] != 0 ? weights[j] : 0f;
            }
        }

        Span<float> row = weights[..scores.Length];
        float denominator = Summation.SumVectorised(row);
        Vector512<float> divisor = Vector512.Create(denominator);
        int key = 0;
        for (; key + 16 <= row.Length; key += 16)
        {
            TPrecision.Round(Vector512.Create<float>(row[key..]) / divisor).CopyTo(row[key..]);
        }

        for (; key < row.Length; key++)
        {
            row[key] = TPrecision.Round(row[key] / denominator);
        }
    }
}
