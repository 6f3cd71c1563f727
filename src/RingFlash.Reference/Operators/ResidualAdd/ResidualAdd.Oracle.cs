using System;

namespace RingFlash.Reference.Operators;

public static partial class ResidualAdd
{
    /// <summary>In float64, unrounded.</summary>
    /// <param name="residual">[tokens, hidden], float64, read.</param>
    /// <param name="update">[tokens, hidden], float64, read.</param>
    /// <param name="y">[tokens, hidden], float64, written.</param>
    public static void Exact(ReadOnlySpan<double> residual, ReadOnlySpan<double> update, Span<double> y)
    {
        for (int index = 0; index < residual.Length; index++)
        {
            y[index] = residual[index] + update[index];
        }
    }
}
