using System;
using System.Runtime.CompilerServices;
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
        int index = 0, whole = routerLogits.Length / 16 * 16;
        for (; index < whole; index += 16)
        {
            index = Plain(ref from, ref to, index, whole);
            if (index == whole)
            {
                break;
            }

            Sigmoid.Apply(Vector512.LoadUnsafe(ref from, (nuint)index)).StoreUnsafe(ref to, (nuint)index);
        }

        Scalar(routerLogits[index..], scores[index..]);
    }

    /// <summary>
    /// Goes on while no logit is extreme. The loop calls nothing, so that everything stays in registers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Plain(ref float from, ref float to, int index, int end)
    {
        for (; index < end; index += 16)
        {
            Vector512<float> logits = Vector512.LoadUnsafe(ref from, (nuint)index);
            if (!Sigmoid.IsPlain(logits))
            {
                break;
            }

            Sigmoid.ApplyToPlain(logits).StoreUnsafe(ref to, (nuint)index);
        }

        return index;
    }

    private static void Split(WorkerPool workers, ReadOnlySpan<float> routerLogits, Span<float> scores) =>
        RowSplit.Run(workers, routerLogits.Length, routerLogits, [], scores, 0, static (in _, _, logits, _, output) =>
            Vectorised(logits, output));
}
