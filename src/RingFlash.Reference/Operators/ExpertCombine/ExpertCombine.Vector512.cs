using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class ExpertCombine
{
    /// <summary>Lanes: sixteen consecutive channels of one token; k ascends. Remainder: <see cref="Scalar"/>.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="expertOutputs">[topK, hidden], float32, read.</param>
    /// <param name="topKWeights">[topK], float32, read.</param>
    /// <param name="y">[hidden], float32, written.</param>
    public static void Vectorised<TPrecision>(
        ReadOnlySpan<float> expertOutputs, ReadOnlySpan<float> topKWeights, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int h = 0;
        for (; h + 16 <= y.Length; h += 16)
        {
            Vector512<float> sum = Vector512<float>.Zero;
            for (int k = 0; k < topKWeights.Length; k++)
            {
                sum += Vector512.Create(topKWeights[k]) * Vector512.Create(expertOutputs[((k * y.Length) + h)..]);
            }

            TPrecision.Round(sum).CopyTo(y[h..]);
        }

        Scalar<TPrecision>(expertOutputs, topKWeights, y, h);
    }
}
