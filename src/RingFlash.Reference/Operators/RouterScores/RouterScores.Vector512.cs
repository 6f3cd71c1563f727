using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class RouterScores
{
    /// <summary>Lanes: sixteen consecutive experts. Remainder: the scalar expression.</summary>
    /// <param name="routerLogits">[tokens, experts], float32, read.</param>
    /// <param name="scores">[tokens, experts], float32, written.</param>
    public static void Vectorised(ReadOnlySpan<float> routerLogits, Span<float> scores)
    {
        int index = 0;
        for (; index + 16 <= routerLogits.Length; index += 16)
        {
            Sigmoid.Apply(Vector512.Create(routerLogits[index..])).CopyTo(scores[index..]);
        }

        Scalar(routerLogits[index..], scores[index..]);
    }
}
