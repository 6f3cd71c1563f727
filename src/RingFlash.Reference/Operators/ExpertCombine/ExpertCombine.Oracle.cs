using System;

namespace RingFlash.Reference.Operators;

public static partial class ExpertCombine
{
    /// <summary>In float64, unrounded, for all tokens.</summary>
    /// <param name="expertOutputs">[tokens, topK, hidden], float64, read.</param>
    /// <param name="topKWeights">[tokens, topK], float64, read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="y">[tokens, hidden], float64, written.</param>
    public static void Exact(
        ReadOnlySpan<double> expertOutputs, ReadOnlySpan<double> topKWeights, int topK, Span<double> y)
    {
        int tokens = topKWeights.Length / topK, hidden = tokens == 0 ? 0 : y.Length / tokens;
        for (int t = 0; t < tokens; t++)
        {
            for (int h = 0; h < hidden; h++)
            {
                double sum = 0;
                for (int k = 0; k < topK; k++)
                {
                    sum += topKWeights[(t * topK) + k] * expertOutputs[(((t * topK) + k) * hidden) + h];
                }

                y[(t * hidden) + h] = sum;
            }
        }
    }
}
