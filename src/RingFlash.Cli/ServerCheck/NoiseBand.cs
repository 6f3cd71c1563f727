using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// How far a correct server of a precision may be from our numbers, measured on this model: S is the largest distance
/// of a legal run from the centre run, over every token of every sequence and the most likely tokens there. Server and
/// reference may each be S away from the exact numbers, to both sides, so they may differ by 2·S; and their root mean
/// square by twice the largest one of the runs.
/// </summary>
internal sealed record NoiseBand
{
    private const int Sides = 2; // the server's own error, and the reference's

    /// <summary>The precision.</summary>
    public required string Precision { get; init; }

    /// <summary>What the legal runs were measured by.</summary>
    public required string Centre { get; init; }

    /// <summary>The legal runs, each with its distance from the centre.</summary>
    public required IReadOnlyList<(string Name, Differences Distance)> Runs { get; init; }

    /// <summary>[layers]: 2 times the largest difference of a router score; null where none was measured.</summary>
    public required IReadOnlyList<double?> Scores { get; init; }

    /// <summary>The same for tokens behind a choice of other experts, their own or an earlier token's.</summary>
    public required IReadOnlyList<double?> ScoresBehind { get; init; }

    /// <summary>The most that two correct log-probabilities differ.</summary>
    public double Maximum => Sides * Runs.Max(run => run.Distance.Maximum);

    /// <summary>The most that the root mean square of many differences is.</summary>
    public double RootMeanSquare => Sides * Runs.Max(run => run.Distance.RootMeanSquare);

    /// <summary>Measures.</summary>
    /// <param name="runs">The runs.</param>
    /// <returns>The band.</returns>
    public static NoiseBand Measure(ReferenceRuns runs)
    {
        int layers = runs.Centre.Sequences[0].Routing[0].Length;
        double?[] clean = new double?[layers], behind = new double?[layers];
        foreach (ReferenceRun run in runs.Legal)
        {
            for (int sequence = 0; sequence < run.Sequences.Count; sequence++)
            {
                MeasureScores(run.Sequences[sequence], runs.Centre.Sequences[sequence], clean, behind);
            }
        }

        return new NoiseBand
        {
            Precision = runs.Precision,
            Centre = runs.Centre.Name,
            Runs = [.. runs.Legal.Select(run => (run.Name, Distance(run, runs.Centre)))],
            Scores = [.. clean.Select(error => Sides * error)],
            ScoresBehind = [.. behind.Select(error => Sides * error)],
        };
    }

    private static Differences Distance(ReferenceRun run, ReferenceRun centre)
    {
        Differences distance = new();
        for (int sequence = 0; sequence < run.Sequences.Count; sequence++)
        {
            ReferenceSequence mine = run.Sequences[sequence], theirs = centre.Sequences[sequence];
            for (int token = 0; token < mine.Ids.Count; token++)
            {
                float[] own = mine.LogProbabilities[token], other = theirs.LogProbabilities[token];
                if (token + 1 < mine.Ids.Count)
                {
                    distance.Add(other[mine.Ids[token + 1]], own[mine.Ids[token + 1]]);
                }

                foreach (int id in TopTokens.Of(other, ScoreRequest.TopCount))
                {
                    distance.Add(other[id], own[id]);
                }
            }
        }

        return distance;
    }

    private static void MeasureScores(
        ReferenceSequence mine, ReferenceSequence theirs, double?[] clean, double?[] behind)
    {
        RoutingHistory history = new(mine.Ids.Count);
        for (int layer = 0; layer < clean.Length; layer++)
        {
            for (int token = 0; token < mine.Ids.Count; token++)
            {
                if (mine.Routing[token][layer] is not RoutedToken own
                    || theirs.Routing[token][layer] is not RoutedToken other)
                {
                    continue;
                }

                double error = own.Scores.Zip(other.Scores, (a, b) => Math.Abs((double)a - b)).Max();
                double?[] kind = history.IsBehind(token) ? behind : clean;
                kind[layer] = Math.Max(kind[layer] ?? 0, error);
                history.Note(token, !own.Experts.ToHashSet().SetEquals(other.Experts));
            }

            history.EndLayer();
        }
    }
}

/// <summary>
/// Which tokens of a sequence have seen a choice of other experts: the token itself from the next layer on, and from
/// the next attention on every later one.
/// </summary>
/// <param name="tokens">Tokens.</param>
internal sealed class RoutingHistory(int tokens)
{
    private readonly bool[] behind = new bool[tokens];
    private readonly bool[] now = new bool[tokens];

    /// <summary>Whether a token is behind one.</summary>
    /// <param name="token">The token.</param>
    /// <returns>The answer.</returns>
    public bool IsBehind(int token) => behind[token];

    /// <summary>Notes a token's choice in this layer.</summary>
    /// <param name="token">The token.</param>
    /// <param name="differs">Whether it differs.</param>
    public void Note(int token, bool differs) => now[token] |= differs;

    /// <summary>Spreads, as the next attention does.</summary>
    public void EndLayer()
    {
        bool reached = false;
        for (int token = 0; token < behind.Length; token++)
        {
            reached |= now[token];
            behind[token] |= reached;
        }
    }
}

/// <summary>The most likely tokens.</summary>
internal static class TopTokens
{
    /// <summary>Finds them.</summary>
    /// <param name="logProbabilities">[vocabulary].</param>
    /// <param name="count">How many.</param>
    /// <returns>By falling log-probability and, among equal ones, rising id.</returns>
    public static int[] Of(float[] logProbabilities, int count)
    {
        PriorityQueue<int, (float, int)> kept = new();
        for (int id = 0; id < logProbabilities.Length; id++)
        {
            (float, int) priority = (logProbabilities[id], -id);
            if (kept.Count < count)
            {
                kept.Enqueue(id, priority);
            }
            else
            {
                kept.EnqueueDequeue(id, priority);
            }
        }

        int[] best = new int[kept.Count];
        for (int place = best.Length - 1; place >= 0; place--)
        {
            best[place] = kept.Dequeue();
        }

        return best;
    }
}
