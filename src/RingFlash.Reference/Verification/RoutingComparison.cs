using System;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Verification;

/// <summary>Compares a layer's routing decisions: sets, order, groups and margins apart from weights.</summary>
internal sealed class RoutingComparison
{
    // A group's score is a sum of two scores, and two groups or two experts may move against each other.
    private const double MarginPerScoreError = 4;

    private readonly RouterDecision<float> ours;
    private readonly long[] golden;
    private readonly double? smallestMargin;
    private readonly double largestScoreError;
    private readonly bool[] sameExperts;
    private readonly int wrong;
    private readonly int nearTieCount;
    private readonly int sameOrder;
    private readonly int sameGroups;
    private readonly int skipped;
    private readonly string note = string.Empty;

    /// <summary>Compares.</summary>
    /// <param name="ours">Our decision.</param>
    /// <param name="golden">[tokens, topK], the reference's experts.</param>
    /// <param name="margins">[tokens], the reference's margins; null when the case has none, and ours are used.</param>
    /// <param name="scoreErrors">[tokens], the error that reached the router.</param>
    /// <param name="expertsPerGroup">Experts in a group.</param>
    /// <param name="nearTies">The near ties so far.</param>
    public RoutingComparison(
        RouterDecision<float> ours,
        long[] golden,
        float[]? margins,
        double[] scoreErrors,
        int expertsPerGroup,
        NearTies nearTies)
    {
        this.ours = ours;
        this.golden = golden;
        int topK = ours.TopK, tokens = golden.Length / topK;
        sameExperts = new bool[tokens];
        smallestMargin = margins is { Length: > 0 } ? margins.Min() : null;
        largestScoreError = scoreErrors.Max();
        for (int token = 0; token < tokens; token++)
        {
            if (nearTies.IsBehind(token))
            {
                skipped++;
                continue;
            }

            int[] mine = [.. ours.TopKIndices.AsSpan(token * topK, topK)];
            int[] reference = Array.ConvertAll(golden[(token * topK)..((token + 1) * topK)], index => (int)index);
            sameExperts[token] = mine.Order().SequenceEqual(reference.Order());
            sameGroups += mine.Select(expert => expert / expertsPerGroup).ToHashSet()
                .SetEquals(reference.Select(expert => expert / expertsPerGroup)) ? 1 : 0;
            sameOrder += mine.SequenceEqual(reference) ? 1 : 0;
            if (sameExperts[token])
            {
                continue;
            }

            double margin = margins?[token] ?? ours.Margins.Values[token];
            bool nearTie = margin <= MarginPerScoreError * scoreErrors[token];
            nearTieCount += nearTie ? 1 : 0;
            wrong += nearTie ? 0 : 1;
            if (note.Length == 0 || (!nearTie && wrong == 1))
            {
                note = string.Create(
                    CultureInfo.InvariantCulture,
                    $"token {token}: experts [{string.Join(' ', mine)}], published [{string.Join(' ', reference)}], "
                    + $"margin {margin:G3}, score error {scoreErrors[token]:G3}");
            }
        }
    }

    /// <summary>
    /// Notes the tokens that go on with other experts, by a near tie or an error: what follows cannot be compared. Not
    /// to be called where the reference's choice replaces ours.
    /// </summary>
    /// <param name="nearTies">The near ties so far; extended.</param>
    public void LeaveOutWhatFollows(NearTies nearTies)
    {
        for (int token = 0; token < sameExperts.Length; token++)
        {
            if (!sameExperts[token] && !nearTies.IsBehind(token))
            {
                nearTies.Add(token);
            }
        }
    }

    /// <summary>Whether a token has the reference's set of experts.</summary>
    /// <param name="token">The token.</param>
    /// <returns>Whether.</returns>
    public bool HasSameExperts(int token) => sameExperts[token];

    /// <summary>Per-slot values rearranged to the reference's order of experts.</summary>
    /// <param name="values">[tokens, topK] in our order.</param>
    /// <returns>[tokens, topK]; unchanged where the sets differ.</returns>
    public float[] InReferenceOrder(float[] values)
    {
        int topK = ours.TopK;
        float[] result = [.. values];
        for (int slot = 0; slot < golden.Length && slot < values.Length; slot++)
        {
            int first = slot / topK * topK;
            int mine = Array.IndexOf(ours.TopKIndices, (int)golden[slot], first, topK);
            result[slot] = mine >= 0 ? values[mine] : values[slot];
        }

        return result;
    }

    /// <summary>The result.</summary>
    /// <param name="gate">The router's name.</param>
    /// <returns>The result.</returns>
    public RoutingResult Result(string gate) => new()
    {
        Gate = gate,
        Tokens = sameExperts.Length - skipped,
        SameExperts = sameExperts.Count(value => value),
        SameOrder = sameOrder,
        SameGroups = sameGroups,
        NearTies = nearTieCount,
        Wrong = wrong,
        BehindNearTie = skipped,
        SmallestMargin = smallestMargin,
        ScoreError = largestScoreError,
        Verdict = sameExperts.Length == skipped ? Verdict.NotChecked : wrong > 0 ? Verdict.Failed : Verdict.Passed,
        Note = note,
    };
}
