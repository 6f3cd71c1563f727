using System;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <summary>Tells a wrong choice of experts from one that the noise of the scores may turn.</summary>
internal static class RouterJudgement
{
    /// <summary>
    /// Two experts may move against each other, and a group's score is a sum of two: four times the noise of a score;
    /// half as much again because the noise comes from a few variants only.
    /// </summary>
    public const double MarginPerNoise = 6;

    /// <summary>Which tokens the noise may send to other experts.</summary>
    /// <param name="choice">The reference's choice, with the variants'.</param>
    /// <returns>One flag per token.</returns>
    public static bool[] Undecided(ChoiceItem choice) =>
        [.. choice.Undecided.Select((undecided, token) => undecided || IsNearTie(choice, token))];

    /// <summary>Compares a candidate's choice with the reference's on the same input.</summary>
    /// <param name="choice">The reference's choice, with the noise of the variants.</param>
    /// <param name="tap">The candidate's.</param>
    /// <param name="weights">Its weights, compared; null when it has none.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="shape">The router.</param>
    /// <param name="isLeftOut">Whether a token lies behind an undecided choice of an earlier layer.</param>
    /// <param name="worst">The first wrong token with the candidate's expert and the reference's; or null.</param>
    /// <returns>The finding.</returns>
    public static RouterFinding Judge(
        ChoiceItem choice,
        CandidateTap tap,
        TapFinding? weights,
        int layer,
        RouterShape shape,
        Func<int, bool> isLeftOut,
        out (WorstValue Value, double OverBudget)? worst)
    {
        int[] theirs = RouterChoice.Read(tap, choice.Margins.Length, shape);
        int tokens = 0, same = 0, order = 0, groups = 0, near = 0, wrong = 0;
        double smallest = double.PositiveInfinity, noise = 0;
        string note = string.Empty;
        worst = null;
        for (int token = 0; token < choice.Margins.Length; token++)
        {
            int[] mine = theirs[(token * shape.TopK)..((token + 1) * shape.TopK)];
            int[] reference = choice.Indices[(token * shape.TopK)..((token + 1) * shape.TopK)];
            if (mine.Contains(-1) || isLeftOut(token))
            {
                continue;
            }

            tokens++;
            smallest = Math.Min(smallest, choice.Margins[token]);
            noise = Math.Max(noise, choice.Noise[token]);
            order += mine.SequenceEqual(reference) ? 1 : 0;
            groups += mine.Select(expert => expert / shape.ExpertsPerGroup).ToHashSet()
                .SetEquals(reference.Select(expert => expert / shape.ExpertsPerGroup)) ? 1 : 0;
            if (RouterChoice.SameSet(mine, reference))
            {
                same++;
                continue;
            }

            if (choice.Undecided[token] || IsNearTie(choice, token))
            {
                near++;
                continue;
            }

            wrong++;
            double over = choice.Margins[token] / (MarginPerNoise * Noise(choice, token));
            if (worst is null || over > worst.Value.OverBudget)
            {
                int slot = Array.FindIndex(mine, expert => !reference.Contains(expert) || HasTwice(mine, expert));
                int other = Array.Find(reference, expert => !mine.Contains(expert));
                string place = FormattableString.Invariant($"[{token}, {slot}]");
                worst = (new WorstValue(place, token, mine[slot], other), over);
                note = string.Create(
                    CultureInfo.InvariantCulture,
                    $"token {token}: experts [{string.Join(' ', mine)}], reference [{string.Join(' ', reference)}], "
                    + $"margin {choice.Margins[token]:G3}, score noise {Noise(choice, token):G3}");
            }
        }

        return new RouterFinding
        {
            Id = FormattableString.Invariant($"{layer}/GroupLimitedTopK/{choice.Name}.topk_idx"),
            Layer = layer,
            Tokens = tokens,
            SameExperts = same,
            SameOrder = order,
            SameGroups = groups,
            NearTies = near,
            Wrong = wrong,
            SmallestMargin = smallest,
            ScoreNoise = noise,
            LargestWeightError = weights?.Distance.MaxAbsolute,
            Note = note,
            Verdict = tokens == 0 ? Verdict.NotChecked : wrong > 0 ? Verdict.Failed : Verdict.Passed,
        };
    }

    private static bool HasTwice(int[] experts, int expert) => experts.Count(other => other == expert) > 1;

    private static bool IsNearTie(ChoiceItem choice, int token) =>
        choice.Margins[token] <= MarginPerNoise * Noise(choice, token);

    private static double Noise(ChoiceItem choice, int token) =>
        Math.Max(choice.Noise[token], ErrorBudget.Float32Roundoff);
}
