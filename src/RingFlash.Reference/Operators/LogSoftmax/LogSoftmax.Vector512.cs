using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LogSoftmax
{
    /// <summary>
    /// Lanes: sixteen consecutive entries. Order: the stripes of <see cref="Summation.SumVectorised"/>, added while the
    /// exponentials are made, so that none is kept. Remainder: scalar, beside zeros.
    /// </summary>
    /// <param name="logits">[vocabulary], float32, read.</param>
    /// <returns>m and L.</returns>
    public static (float Maximum, float LogSum) Vectorised(ReadOnlySpan<float> logits)
    {
        float maximum = RowMaximum.Of(logits);
        ref float start = ref MemoryMarshal.GetReference(logits);
        Vector512<float> shift = Vector512.Create(maximum);
        Vector512<float> lower = Vector512<float>.Zero, upper = Vector512<float>.Zero;
        int v = 0;
        for (; v + Summation.StripeCount <= logits.Length; v += Summation.StripeCount)
        {
            lower += Exponential.Exp(Vector512.LoadUnsafe(ref start, (nuint)v) - shift);
            upper += Exponential.Exp(Vector512.LoadUnsafe(ref start, (nuint)v + 16) - shift);
        }

        Span<float> rest = stackalloc float[Summation.StripeCount];
        rest.Clear();
        for (int i = v; i < logits.Length; i++)
        {
            rest[i - v] = Exponential.Exp(logits[i] - maximum);
        }

        lower += Vector512.Create<float>(rest);
        upper += Vector512.Create<float>(rest[16..]);
        return (maximum, Logarithm.Log(Summation.Halve(lower, upper)));
    }
}
