using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Comparison;

/// <summary>Logits as distributions: in float64, over the whole vocabulary.</summary>
internal sealed class LogitsStatistics
{
    private const int WorstCount = 5;
    private const int Best = 5;

    private readonly List<LogitsPosition> positions = [];
    private double forward;
    private double backward;
    private double agreement;
    private double likelihood;
    private int likelihoods;
    private int sameBest;
    private int worstRank;

    /// <summary>Mean Σ p·(log p − log q).</summary>
    public double ReferenceToCandidate => forward / positions.Count;

    /// <summary>The share of positions with the same best token.</summary>
    public double SameBest => (double)sameBest / positions.Count;

    /// <summary>Compares.</summary>
    /// <param name="reference">[tokens, vocabulary].</param>
    /// <param name="candidate">[tokens, vocabulary].</param>
    /// <param name="present">Which tokens the candidate has.</param>
    /// <param name="ids">The ids that were fed.</param>
    /// <param name="tokensPerSequence">Tokens per sequence.</param>
    /// <returns>The statistics.</returns>
    public static LogitsStatistics Between(
        float[] reference, float[] candidate, bool[] present, long[] ids, int tokensPerSequence)
    {
        LogitsStatistics statistics = new();
        int width = reference.Length / present.Length;
        for (int token = 0; token < present.Length; token++)
        {
            if (present[token])
            {
                long? next = (token + 1) % tokensPerSequence == 0 ? null : ids[token + 1];
                statistics.Add(
                    token,
                    ids[token],
                    next,
                    reference.AsSpan(token * width, width),
                    candidate.AsSpan(token * width, width));
            }
        }

        return statistics;
    }

    /// <summary>The finding.</summary>
    /// <param name="noise">The same of every legal variant.</param>
    /// <returns>The finding; null when the candidate has no position.</returns>
    public LogitsFinding? Finding(IReadOnlyList<LogitsStatistics> noise) => positions.Count == 0 ? null : new()
    {
        Positions = positions.Count,
        ReferenceToCandidate = ReferenceToCandidate,
        CandidateToReference = backward / positions.Count,
        NoiseReferenceToCandidate = noise.Select(one => one.ReferenceToCandidate).DefaultIfEmpty(0).Max(),
        SameBest = SameBest,
        NoiseSameBest = noise.Select(one => one.SameBest).DefaultIfEmpty(1).Min(),
        BestFiveAgreement = agreement / positions.Count,
        WorstRank = worstRank,
        LikelihoodDifference = likelihoods == 0 ? null : likelihood / likelihoods,
        Worst = [.. positions.OrderByDescending(position => double.IsNaN(position.ReferenceToCandidate)
            ? double.PositiveInfinity
            : position.ReferenceToCandidate).Take(WorstCount)],
    };

    private void Add(int token, long id, long? next, ReadOnlySpan<float> reference, ReadOnlySpan<float> candidate)
    {
        double p0 = LogSumExp(reference), q0 = LogSumExp(candidate), there = 0, back = 0;
        for (int index = 0; index < reference.Length; index++)
        {
            double logP = reference[index] - p0, logQ = candidate[index] - q0;
            there += logP == double.NegativeInfinity ? 0 : Math.Exp(logP) * (logP - logQ);
            back += logQ == double.NegativeInfinity ? 0 : Math.Exp(logQ) * (logQ - logP);
        }

        int[] best = BestOf(reference), theirs = BestOf(candidate);
        int rank = 1;
        for (int index = 0; index < candidate.Length; index++)
        {
            rank += candidate[index] > candidate[best[0]]
                || (candidate[index] == candidate[best[0]] && index < best[0]) ? 1 : 0;
        }

        forward += there;
        backward += back;
        agreement += (double)best.Intersect(theirs).Count() / best.Length;
        sameBest += best[0] == theirs[0] ? 1 : 0;
        worstRank = Math.Max(worstRank, rank);
        positions.Add(new LogitsPosition(token, id, there, best[0], theirs[0], rank));
        if (next is long known)
        {
            likelihood += (q0 - candidate[(int)known]) - (p0 - reference[(int)known]);
            likelihoods++;
        }
    }

    private static double LogSumExp(ReadOnlySpan<float> logits)
    {
        double maximum = double.NegativeInfinity, sum = 0;
        foreach (float logit in logits)
        {
            maximum = Math.Max(maximum, logit);
        }

        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - maximum);
        }

        return maximum + Math.Log(sum);
    }

    private static int[] BestOf(ReadOnlySpan<float> logits)
    {
        int[] best = new int[Math.Min(Best, logits.Length)];
        for (int place = 0; place < best.Length; place++)
        {
            int found = -1;
            for (int index = 0; index < logits.Length; index++)
            {
                if (!best.AsSpan(0, place).Contains(index) && (found < 0 || logits[index] > logits[found]))
                {
                    found = index;
                }
            }

            best[place] = found;
        }

        return best;
    }
}
