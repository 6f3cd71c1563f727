using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>How far two numbers may be apart.</summary>
/// <param name="Maximum">A single one.</param>
/// <param name="RootMeanSquare">Many of them.</param>
internal sealed record Noise(double Maximum, double RootMeanSquare);

/// <summary>A legal run's distance from the centre run.</summary>
/// <param name="Name">The run.</param>
internal sealed record RunDistance(string Name)
{
    /// <summary>All numbers.</summary>
    public Differences All { get; } = new();

    /// <summary>Where both chose the same experts all the way.</summary>
    public Differences Clean { get; } = new();

    /// <summary>Behind a choice of other experts.</summary>
    public Differences Behind { get; } = new();
}

/// <summary>
/// How far a correct server of a precision may be from our numbers, measured on this model: S is the largest distance
/// of a legal run from the centre run, over every token of every sequence and the most likely tokens there. Server and
/// reference may each be S away from the exact numbers, to both sides, so they may differ by 2·S; and their root mean
/// square by twice the largest one of the runs.
/// </summary>
/// <remarks>
/// Places behind a choice of other experts, a near tie of the router, are measured apart: there numbers jump, and they
/// must not excuse errors where nothing jumped.
/// </remarks>
internal sealed record NoiseBand
{
    private const int Sides = 2; // the server's own error, and the reference's

    /// <summary>The precision.</summary>
    public required string Precision { get; init; }

    /// <summary>What the legal runs were measured by.</summary>
    public required string Centre { get; init; }

    /// <summary>The legal runs.</summary>
    public required IReadOnlyList<RunDistance> Runs { get; init; }

    /// <summary>[layers]: twice the largest difference of a router score; null where none was measured.</summary>
    public required IReadOnlyList<double?> Scores { get; init; }

    /// <summary>The same behind a choice of other experts.</summary>
    public required IReadOnlyList<double?> ScoresBehind { get; init; }

    /// <summary>Where experts are the same all the way; null where no place was.</summary>
    public Noise? Clean => Allowed(Runs.Select(run => run.Clean));

    /// <summary>Behind a choice of other experts; null where no run had one.</summary>
    public Noise? Behind => Allowed(Runs.Select(run => run.Behind));

    /// <summary>The most that the median of many differences is.</summary>
    public double Median => Sides * Runs.Max(run => run.All.Median);

    /// <summary>The larger of both.</summary>
    public Noise Any => new(
        Math.Max(Clean?.Maximum ?? 0, Behind?.Maximum ?? 0),
        Math.Max(Clean?.RootMeanSquare ?? 0, Behind?.RootMeanSquare ?? 0));

    /// <summary>Measures.</summary>
    /// <param name="runs">The runs.</param>
    /// <returns>The band.</returns>
    public static NoiseBand Measure(ReferenceRuns runs)
    {
        int layers = runs.Centre.Sequences[0].Routing[0].Length;
        double?[] clean = new double?[layers], behind = new double?[layers];
        List<RunDistance> distances = [];
        foreach (ReferenceRun run in runs.Legal)
        {
            RunDistance distance = new(run.Name);
            for (int sequence = 0; sequence < run.Sequences.Count; sequence++)
            {
                ReferenceSequence mine = run.Sequences[sequence], theirs = runs.Centre.Sequences[sequence];
                Measure(mine, theirs, MeasureScores(mine, theirs, clean, behind), distance);
            }

            distances.Add(distance);
        }

        return new NoiseBand
        {
            Precision = runs.Precision,
            Centre = runs.Centre.Name,
            Runs = distances,
            Scores = [.. clean.Select(error => Sides * error)],
            ScoresBehind = [.. behind.Select(error => Sides * error)],
        };
    }

    private static Noise? Allowed(IEnumerable<Differences> distances)
    {
        Differences[] measured = [.. distances.Where(distance => distance.Count > 0)];
        return measured.Length == 0
            ? null
            : new Noise(
                Sides * measured.Max(distance => distance.Maximum),
                Sides * measured.Max(distance => distance.RootMeanSquare));
    }

    private static void Measure(
        ReferenceSequence mine, ReferenceSequence theirs, RoutingHistory history, RunDistance distance)
    {
        for (int token = 0; token < mine.Ids.Count; token++)
        {
            float[] own = mine.LogProbabilities[token], other = theirs.LogProbabilities[token];
            Differences kind = history.IsBehind(token) ? distance.Behind : distance.Clean;
            IEnumerable<int> ids = TopTokens.Of(other, ScoreRequest.TopCount);
            foreach (int id in token + 1 < mine.Ids.Count ? ids.Prepend(mine.Ids[token + 1]) : ids)
            {
                kind.Add(other[id], own[id]);
                distance.All.Add(other[id], own[id]);
            }
        }
    }

    private static RoutingHistory MeasureScores(
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
                history.Note(token, !own.Used.ToHashSet().SetEquals(other.Used));
            }

            history.EndLayer();
        }

        return history;
    }
}
