using System;
using System.Numerics;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LossAggregation
{
    /// <summary>
    /// Lanes: sixteen consecutive positions of one row. Order: <see cref="Summation.SumVectorised"/>. Remainder: the
    /// scalar selection.
    /// </summary>
    /// <param name="kind">The aggregation.</param>
    /// <param name="contributions">[rollouts, response], float32, read.</param>
    /// <param name="responseMask">[rollouts, response], read.</param>
    /// <param name="rollouts">B of these rows.</param>
    /// <param name="denominators">The counts of the whole batch.</param>
    /// <returns>L.</returns>
    public static float Vectorised(
        LossAggregationKind kind,
        ReadOnlySpan<float> contributions,
        ReadOnlySpan<byte> responseMask,
        int rollouts,
        LossDenominators denominators)
    {
        float[] terms = new float[rollouts];
        int response = rollouts == 0 ? 0 : contributions.Length / rollouts;
        float[] selected = new float[response];
        for (int row = 0; row < rollouts; row++)
        {
            int start = row * response, count = 0, t = 0;
            for (; t + 16 <= response; t += 16)
            {
                Vector512<int> padding = Vector512.Equals(
                    IcePopMask.WidenBytes(responseMask[(start + t)..]), Vector512<int>.Zero);
                Vector512.ConditionalSelect(
                    padding.AsSingle(), Vector512<float>.Zero, Vector512.Create(contributions[(start + t)..]))
                    .CopyTo(selected, t);
                count += 16 - BitOperations.PopCount(padding.ExtractMostSignificantBits());
            }

            for (; t < response; t++)
            {
                bool valid = responseMask[start + t] != 0;
                selected[t] = valid ? contributions[start + t] : 0f;
                count += valid ? 1 : 0;
            }

            terms[row] = (float)Coefficient(kind, count, denominators) * Summation.SumVectorised(selected);
        }

        Array.Sort(terms);
        return Summation.SumVectorised(terms);
    }
}
