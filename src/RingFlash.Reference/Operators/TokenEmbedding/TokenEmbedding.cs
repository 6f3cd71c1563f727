using System;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Operators;

/// <summary>Looks up the embedding row of each token.</summary>
/// <remarks>
/// <para>Maths: h[t] = E[ids[t]]; no scaling, no positional term.</para>
/// <para>Axes: ids [tokens]; E [vocabulary, hidden]; h [tokens, hidden].</para>
/// <para>Rounding points: none; a copy. The row of the padding token is used as stored, not zeroed. There is no vector
/// path of its own: moving bytes has no arithmetic.</para>
/// <para>Errors: an id outside 0 … vocabulary − 1 throws <see cref="ArgumentOutOfRangeException"/> before anything is
/// read.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py,
/// BailingMoeV2Model.word_embeddings.</para>
/// </remarks>
public static partial class TokenEmbedding
{
    /// <summary>Looks up rows.</summary>
    /// <param name="ids">[tokens], token ids, read.</param>
    /// <param name="table">[vocabulary, hidden].</param>
    /// <param name="hiddenStates">[tokens, hidden], float32, written.</param>
    public static void Scalar(ReadOnlySpan<long> ids, WeightMatrix table, Span<float> hiddenStates)
    {
        ArgumentNullException.ThrowIfNull(table);
        CheckIds(ids, table.Outputs);
        for (int t = 0; t < ids.Length; t++)
        {
            table.ReadRow((int)ids[t], hiddenStates.Slice(t * table.Inputs, table.Inputs));
        }
    }

    /// <summary>Refuses ids that are not in the table; a kernel could not say so.</summary>
    /// <param name="ids">[tokens], token ids, read.</param>
    /// <param name="vocabulary">The rows of the table.</param>
    internal static void CheckIds(ReadOnlySpan<long> ids, int vocabulary)
    {
        foreach (long id in ids)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(id, nameof(ids));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, vocabulary, nameof(ids));
        }
    }
}
