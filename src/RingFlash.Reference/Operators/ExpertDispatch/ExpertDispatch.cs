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
public sealed partial class ExpertDispatch
{
    private int[] rows = [], activeExperts = [], offsets = [0], ends = [];
    private int rowCount, activeCount;

    /// <summary>Slots per token.</summary>
    public int TopK { get; private set; } = 1;

    /// <summary>[tokens · topK] unless cut by <see cref="Only"/>, assignments sorted by expert.</summary>
    public ReadOnlySpan<int> Rows => rows.AsSpan(0, rowCount);

    /// <summary>Experts with at least one token, ascending.</summary>
    public ReadOnlySpan<int> ActiveExperts => activeExperts.AsSpan(0, activeCount);

    /// <summary>[ActiveExperts.Length + 1], where each active expert's rows begin.</summary>
    public ReadOnlySpan<int> Offsets => offsets.AsSpan(0, activeCount + 1);

    /// <summary>The assignments of one active expert.</summary>
    /// <param name="active">Its place in <see cref="ActiveExperts"/>.</param>
    /// <returns>Part of <see cref="Rows"/>.</returns>
    public ReadOnlySpan<int> RowsOf(int active) => rows.AsSpan(offsets[active]..offsets[active + 1]);

    /// <summary>The part that concerns some of the active experts.</summary>
    /// <param name="actives">Places in <see cref="ActiveExperts"/>, ascending.</param>
    /// <returns>Their grouping; the assignments keep their numbers.</returns>
    public ExpertDispatch Only(IReadOnlyList<int> actives)
    {
        ArgumentNullException.ThrowIfNull(actives);
        ExpertDispatch part = new();
        part.Reserve(TopK, rowCount, actives.Count);
        foreach (int active in actives)
        {
            ReadOnlySpan<int> own = RowsOf(active);
            own.CopyTo(part.rows.AsSpan(part.rowCount));
            part.rowCount += own.Length;
            part.Close(activeExperts[active]);
        }

        return part;
    }

    /// <summary>Groups assignments by expert.</summary>
    /// <param name="topKIndices">[tokens, topK], read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="experts">The number of experts.</param>
    /// <returns>The grouping.</returns>
    public static ExpertDispatch Group(ReadOnlySpan<int> topKIndices, int topK, int experts)
    {
        ExpertDispatch dispatch = new();
        dispatch.Regroup(topKIndices, topK, experts);
        return dispatch;
    }

    /// <summary>The same in place of what was grouped before, without new memory where there is enough.</summary>
    /// <param name="topKIndices">[tokens, topK], read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="experts">The number of experts.</param>
    public void Regroup(ReadOnlySpan<int> topKIndices, int topK, int experts)
    {
        Reserve(topK, topKIndices.Length, experts);
        ends.AsSpan(0, experts).Clear();
        foreach (int expert in topKIndices)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(expert, nameof(topKIndices));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(expert, experts, nameof(topKIndices));
            ends[expert]++;
        }

        for (int expert = 0; expert < experts; expert++)
        {
            int count = ends[expert];
            ends[expert] = rowCount; // moves to the end as its rows are filled in
            if (count > 0)
            {
                rowCount += count;
                Close(expert);
            }
        }

        for (int assignment = 0; assignment < topKIndices.Length; assignment++)
        {
            rows[ends[topKIndices[assignment]]++] = assignment;
        }
    }

    private void Reserve(int topK, int assignments, int experts)
    {
        TopK = topK;
        rowCount = activeCount = 0;
        rows = rows.Length < assignments ? new int[assignments] : rows;
        if (ends.Length < experts)
        {
            ends = new int[experts];
            activeExperts = new int[experts];
            offsets = new int[experts + 1];
        }
    }

    /// <summary>The rows so far that no expert has are those of this one.</summary>
    private void Close(int expert)
    {
        activeExperts[activeCount++] = expert;
        offsets[activeCount] = rowCount;
    }
}
