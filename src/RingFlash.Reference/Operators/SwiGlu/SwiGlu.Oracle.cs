using System;

namespace RingFlash.Reference.Operators;

public static partial class SwiGlu
{
    /// <summary>In float64, unrounded.</summary>
    /// <param name="gate">[tokens, intermediate], float64, read.</param>
    /// <param name="up">[tokens, intermediate], float64, read.</param>
    /// <param name="y">[tokens, intermediate], float64, written.</param>
    public static void Exact(ReadOnlySpan<double> gate, ReadOnlySpan<double> up, Span<double> y)
    {
        for (int index = 0; index < gate.Length; index++)
        {
            y[index] = gate[index] / (1 + Math.Exp(-gate[index])) * up[index];
        }
    }
}
