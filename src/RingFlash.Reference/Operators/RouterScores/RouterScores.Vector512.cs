using System;
using System.Runtime.InteropServices;
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
        scores = scores[..routerLogits.Length];
        ref float from = ref MemoryMarshal.GetReference(routerLogits), to = ref MemoryMarshal.GetReference(scores);
        int index = 0;
        for (; index + 16 <= routerLogits.Length; index += 16)
        {
            Sigmoid.Apply(Vector512.LoadUnsafe(ref from, (nuint)index)).StoreUnsafe(ref to, (nuint)index);
        }

        Scalar(routerLogits[index..], scores[index..]);
    }

    private static void Split(WorkerPool workers, ReadOnlySpan<float> routerLogits, Span<float> scores) =>
        RowSplit.Run(workers, routerLogits.Length, routerLogits, [], scores, (_, logits, _, output) =>
            Vectorised(logits, output));
}
