using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class LogSoftmax
{
    /// <summary>
    /// Lanes: sixteen consecutive entries. Order: <see cref="Summation.SumVectorised"/>. Remainder: scalar. No
    /// exponential is kept.
    /// </summary>
    /// <param name="logits">[vocabulary], float32, read.</param>
    /// <returns>m and L.</returns>
    public static (float Maximum, float LogSum) Vectorised(ReadOnlySpan<float> logits)
    {
        float maximum = RowMaximum.Of(logits);
        return (maximum, Logarithm.Log(ShiftedExponentials.Sum(logits, maximum, [])));
    }
}
