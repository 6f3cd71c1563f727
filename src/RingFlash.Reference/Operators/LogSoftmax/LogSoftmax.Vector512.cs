using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LogSoftmax
{
    /// <summary>
    /// Lanes: sixteen consecutive entries. Order: <see cref="Summation.SumVectorised"/>. Remainder: scalar.
    /// </summary>
    /// <param name="logits">[vocabulary], float32, read.</param>
    /// <returns>m and L.</returns>
    public static (float Maximum, float LogSum) Vectorised(ReadOnlySpan<float> logits)
    {
        float maximum = Maximum(logits);
        float[] exponentials = new float[logits.Length];
        Vector512<float> shift = Vector512.Create(maximum);
        int v = 0;
        for (; v + 16 <= logits.Length; v += 16)
        {
            Exponential.Exp(Vector512.Create(logits[v..]) - shift).CopyTo(exponentials.AsSpan(v));
        }

        for (; v < logits.Length; v++)
        {
            exponentials[v] = Exponential.Exp(logits[v] - maximum);
        }

        return (maximum, Logarithm.Log(Summation.SumVectorised(exponentials)));
    }
}
