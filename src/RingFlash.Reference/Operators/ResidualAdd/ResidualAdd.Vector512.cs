using System;
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
        int index = 0;
        for (; index + 16 <= residual.Length; index += 16)
        {
            Vector512<float> sum = Vector512.Create(residual[index..]) + Vector512.Create(update[index..]);
            TPrecision.Round(sum).CopyTo(y[index..]);
        }

        Scalar<TPrecision>(residual[index..], update[index..], y[index..]);
    }
}
