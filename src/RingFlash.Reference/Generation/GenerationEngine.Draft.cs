using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Generation;

/// <content>Drafting with the MTP layer (NEXTN).</content>
/// <remarks>
/// <para>Behind every pass of the main model the MTP layer reads the rows that stand: row t is the pair of token t + 1
/// and the main model's hidden state of t, at position t. The output of the last row predicts the token after the one
/// that was just chosen: the first draft. Its own output and that draft are the next row, and so on for k drafts. Rows
/// of drafts are forgotten before the next pass, which has true hidden states for them or does not accept them.</para>
/// <para>The published code, decoding with a cache, shows the layer token 0 instead of the next token, because it moves
/// the ids of each call by one. That is not repeated here: its drafts would be noise.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py (the layer); SGLang's NEXTN draft model
/// (feeding it its own output).</para>
/// </remarks>
public sealed partial class GenerationEngine
{
    private void Draft(List<DraftRows> drafting)
    {
        // Near the end nothing more will be verified, so the layer need not be kept up either.
        List<DraftRows> rows = drafting.FindAll(row => row.Sequence.DraftsWanted > 0);
        while (rows.Count > 0)
        {
            rows = DraftStep(rows);
        }

        foreach (DraftRows row in drafting)
        {
            row.Sequence.Cache.Truncate(row.Sequence.Cache.Length); // the MTP slot has drafts beyond the main layers
        }
    }

    /// <summary>One call of the MTP layer.</summary>
    /// <returns>The rows of the next call: those who want more drafts.</returns>
    private List<DraftRows> DraftStep(List<DraftRows> rows)
    {
        int width = Configuration.HiddenSize;
        HostTensor<float> hidden = new(1, rows.Sum(row => row.NextIds.Length), width);
        List<int> lastRows = [];
        int first = 0;
        foreach (DraftRows row in rows)
        {
            row.Hidden.CopyTo(hidden.Span[(first * width)..]);
            first += row.NextIds.Length;
            lastRows.Add(first - 1);
        }

        DraftRows[] predicting = [.. rows.Where(row => !row.Sequence.ReadsPrompt)];
        int[] logitRows = [.. lastRows.Where((_, index) => !rows[index].Sequence.ReadsPrompt)];
        ForwardResult<float> result = model.ForwardMultiToken(
            new ForwardInput([.. rows.SelectMany(row => row.NextIds)], 1) { LogitRows = logitRows },
            hidden,
            [.. rows.Select(row => new SequenceRows<float>(row.NextIds.Length, row.Sequence.Cache))]);
        List<DraftRows> next = [];
        for (int index = 0; index < predicting.Length; index++)
        {
            Sequence sequence = predicting[index].Sequence;
            try
            {
                sequence.Draft(result.Logits.Row(index));
            }
            catch (InvalidInputException failure)
            {
                Drop(sequence, failure);
                continue;
            }

            if (sequence.Drafts.Count < sequence.DraftsWanted && !sequence.IsAbandoned)
            {
                next.Add(new DraftRows(
                    sequence, [sequence.Drafts[^1]], result.HiddenStates.Row(logitRows[index]).ToArray()));
            }
        }

        return next;
    }

    /// <summary>Rows for the MTP layer.</summary>
    /// <param name="Sequence">Whose.</param>
    /// <param name="NextIds">The token after each row.</param>
    /// <param name="Hidden">[rows, hidden], copied: the model's next pass writes over its results.</param>
    private sealed record DraftRows(Sequence Sequence, long[] NextIds, float[] Hidden);
}
