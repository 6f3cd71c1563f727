using System;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Operators;

public static partial class TokenEmbedding
{
    /// <summary>The same, widened to float64.</summary>
    /// <param name="ids">[tokens], token ids, read.</param>
    /// <param name="table">[vocabulary, hidden].</param>
    /// <param name="hiddenStates">[tokens, hidden], float64, written.</param>
    public static void Exact(ReadOnlySpan<long> ids, WeightMatrix table, Span<double> hiddenStates)
    {
        float[] rows = new float[hiddenStates.Length];
        Scalar(ids, table, rows);
        for (int index = 0; index < rows.Length; index++)
        {
            hiddenStates[index] = rows[index];
        }
    }
}
