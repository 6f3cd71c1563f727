using System;
using System.Runtime.InteropServices;
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
        expertOutputs = expertOutputs[..(topKWeights.Length * y.Length)];
        ref float outputs = ref MemoryMarshal.GetReference(expertOutputs), to = ref MemoryMarshal.GetReference(y);
        int h = 0;
        for (; h + 32 <= y.Length; h += 32)
        {
            Vector512<float> sum0 = Vector512<float>.Zero, sum1 = Vector512<float>.Zero;
            nuint element = (nuint)h;
            foreach (float topKWeight in topKWeights)
            {
                Vector512<float> weight = Vector512.Create(topKWeight);
                sum0 += weight * Vector512.LoadUnsafe(ref outputs, element);
                sum1 += weight * Vector512.LoadUnsafe(ref outputs, element + 16);
                element += (nuint)y.Length;
            }

            TPrecision.Round(sum0).StoreUnsafe(ref to, (nuint)h);
            TPrecision.Round(sum1).StoreUnsafe(ref to, (nuint)h + 16);
        }

        Scalar<TPrecision>(expertOutputs, topKWeights, y, h);
    }

    private static void Split<TPrecision>(
        WorkerPool workers,
        ReadOnlySpan<float> expertOutputs,
        ReadOnlySpan<float> topKWeights,
        int topK,
        Span<float> y)
        where TPrecision : struct, IPrecision =>
        RowSplit.Run(
            workers,
            topKWeights.Length / topK,
            expertOutputs,
            topKWeights,
            y,
            topK,
            static (in topK, _, outputs, weights, output) =>
                Apply<TPrecision>(ExecutionEngine.Vector512, outputs, weights, topK, output));
}
