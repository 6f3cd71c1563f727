using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class ResidualAdd
{
    /// <summary>Lanes: sixteen consecutive elements. Remainder: the scalar expression.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="residual">[tokens, hidden], float32, read.</param>
    /// <param name="update">[tokens, hidden], float32, read.</param>
    /// <param name="y">[tokens, hidden], float32, written.</param>
    public static void Vectorised<TPrecision>(ReadOnlySpan<float> residual, ReadOnlySpan<float> update, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        update = update[..residual.Length];
        y = y[..residual.Length];
        ref float residuals = ref MemoryMarshal.GetReference(residual);
        ref float updates = ref MemoryMarshal.GetReference(update), to = ref MemoryMarshal.GetReference(y);
        int index = 0;
        for (; index + 16 <= residual.Length; index += 16)
        {
            Vector512<float> sum =
                Vector512.LoadUnsafe(ref residuals, (nuint)index) + Vector512.LoadUnsafe(ref updates, (nuint)index);
            TPrecision.Round(sum).StoreUnsafe(ref to, (nuint)index);
        }

        Scalar<TPrecision>(residual[index..], update[index..], y[index..]);
    }

    private static void Split<TPrecision>(
        WorkerPool workers, ReadOnlySpan<float> residual, ReadOnlySpan<float> update, Span<float> y)
        where TPrecision : struct, IPrecision =>
        RowSplit.Run(workers, residual.Length, residual, update, y, 0, static (in _, _, residuals, updates, output) =>
            Vectorised<TPrecision>(residuals, updates, output));
}
