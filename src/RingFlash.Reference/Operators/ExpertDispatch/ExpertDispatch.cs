using System;
using System.Collections.Generic;

namespace RingFlash.Reference.Operators;

/// <summary>
/// Groups the (token, slot) assignments of a layer by expert, so that an expert's weights are touched once.
/// </summary>
/// <remarks>
/// <para>Maths: assignment a = t·topK + k belongs to expert topKIndices[t,k]. Rows lists the assignments sorted by
/// expert, ascending within an expert (a stable counting sort); expert ActiveExperts[i] owns Rows[Offsets[i] …
/// Offsets[i+1] − 1].</para>
/// <para>Axes: topKIndices [tokens, topK]; Rows [tokens · topK]. Experts without tokens do not appear. There is no
/// capacity limit and no dropped token.</para>
/// <para>Rounding points: none. There is no vector path: the work is a few thousand integers.</para>
/// <para>Errors: an index outside 0 … experts − 1 throws <see cref="ArgumentOutOfRangeException"/>.</para>
/// <para>Differs: the published code sorts with torch.argsort, which is not stable; the result does not depend on
/// it.</para>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py,
/// BailingMoeV2SparseMoeBlock.moe_infer.</para>
/// </remarks>
public sealed class ExpertDispatch
{
    private ExpertDispatch(int topK, int[] rows, int[] activeExperts, int[] offsets)
    {
        TopK = topK;
        Rows = rows;
        ActiveExperts = activeExperts;
        Offsets = offsets;
    }

    /// <summary>Slots per token.</summary>
    public int TopK { get; }

    /// <summary>[tokens · topK] unless cut by <see cref="Only"/>, assignments sorted by expert.</summary>
    public int[] Rows { get; }

    /// <summary>Experts with at least one token, ascending.</summary>
    public int[] ActiveExperts { get; }

    /// <summary>[ActiveExperts.Length + 1], where each active expert's rows begin.</summary>
    public int[] Offsets { get; }

    /// <summary>The part that concerns some of the active experts.</summary>
    /// <param name="actives">Places in <see cref="ActiveExperts"/>, ascending.</param>
    /// <returns>Their grouping; the assignments keep their numbers.</returns>
    public ExpertDispatch Only(IReadOnlyList<int> actives)
    {
        ArgumentNullException.ThrowIfNull(actives);
        int[] experts = new int[actives.Count], offsets = new int[actives.Count + 1];
        List<int> rows = [];
        for (int index = 0; index < experts.Length; index++)
        {
            experts[index] = ActiveExperts[actives[index]];
            rows.AddRange(Rows.AsSpan(Offsets[actives[index]]..Offsets[actives[index] + 1]));
            offsets[index + 1] = rows.Count;
        }

        return new ExpertDispatch(TopK, [.. rows], experts, offsets);
    }

    /// <summary>Groups assignments by expert.</summary>
    /// <param name="topKIndices">[tokens, topK], read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="experts">The number of experts.</param>
    /// <returns>The grouping.</returns>
    public static ExpertDispatch Group(ReadOnlySpan<int> topKIndices, int topK, int experts)
    {
        int[] counts = new int[experts + 1];
        foreach (int expert in topKIndices)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(expert, nameof(topKIndices));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(expert, experts, nameof(topKIndices));
            counts[expert + 1]++;
        }

        List<int> active = [], offsets = [];
        for (int expert = 0; expert < experts; expert++)
        {
            if (counts[expert + 1] > 0)
            {
                active.Add(expert);
                offsets.Add(counts[expert]);
            }

            counts[expert + 1] += counts[expert];
        }

        offsets.Add(topKIndices.Length);
        int[] rows = new int[topKIndices.Length];
        for (int assignment = 0; assignment < topKIndices.Length; assignment++)
        {
            rows[counts[topKIndices[assignment]]++] = assignment;
        }

        return new ExpertDispatch(topK, rows, [.. active], [.. offsets]);
    }
}
