using System;
using System.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LossAggregation
{
    /// <summary>
    /// dL/dy: c_i at every response token and exactly 0 at the others; times the caller's derivative of y. One product
    /// per token, so one definition serves every engine and precision.
    /// </summary>
    /// <typeparam name="T">The number type.</typeparam>
    /// <param name="tokenGradient">[response], read: dy/dx of one row.</param>
    /// <param name="responseMask">[response], read.</param>
    /// <param name="coefficient">c_i.</param>
    /// <param name="gradient">[response], written; may be tokenGradient.</param>
    public static void Backward<T>(
        ReadOnlySpan<T> tokenGradient, ReadOnlySpan<byte> responseMask, T coefficient, Span<T> gradient)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        for (int t = 0; t < tokenGradient.Length; t++)
        {
            gradient[t] = responseMask[t] == 0 ? T.Zero : coefficient * tokenGradient[t];
        }
    }
}
