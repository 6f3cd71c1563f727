using System;

namespace RingFlash.Reference.Operators;

public static partial class RouterScores
{
    /// <summary>In float64.</summary>
    /// <param name="routerLogits">[tokens, experts], float64, read.</param>
    /// <param name="scores">[tokens, experts], float64, written.</param>
    public static void Exact(ReadOnlySpan<double> routerLogits, Span<double> scores)
    {
        for (int index = 0; index < routerLogits.Length; index++)
        {
            scores[index] = 1 / (1 + Math.Exp(-routerLogits[index]));
        }
    }
}
