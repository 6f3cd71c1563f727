using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>A place of which server and reference both have numbers.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="Token">The token that predicts: an index of the reference's log-probabilities.</param>
/// <param name="IsPrompt">Whether the prompt's next token stands there; else a generated one.</param>
/// <param name="Served">The server's numbers.</param>
internal sealed record ComparedPlace(int Sequence, int Token, bool IsPrompt, ServedPlace Served);

/// <summary>The number that is furthest off.</summary>
/// <param name="Sequence">The prompt, from 1.</param>
/// <param name="Position">The token's position, from 0.</param>
/// <param name="Id">The token.</param>
/// <param name="Served">The server's number.</param>
/// <param name="Own">Ours.</param>
internal sealed record WorstNumber(int Sequence, int Position, int Id, double Served, float Own);

/// <summary>One line of the comparison.</summary>
/// <param name="What">Which numbers.</param>
/// <param name="Differences">How far off they are.</param>
/// <param name="Worst">The number that is furthest off; null where nothing was compared.</param>
internal sealed record ScoreRow(string What, Differences Differences, WorstNumber? Worst);

/// <summary>A server's log-probabilities against one of our runs.</summary>
internal sealed class ScoreComparison
{
    private readonly ReferenceRun run;
    private readonly Dictionary<string, ScoreRow> rows = [];

    private ScoreComparison(ReferenceRun run, IReadOnlyList<ComparedPlace> places)
    {
        this.run = run;
        foreach (ComparedPlace place in places)
        {
            string kind = place.IsPrompt ? "prompt" : "generated";
            if (place.Served.Token is ServedToken own)
            {
                Add($"{kind}: the tokens", place, own);
            }

            foreach (ServedToken token in place.Served.Top)
            {
                Add($"{kind}: the {ScoreRequest.TopCount} most likely", place, token);
            }

            Divergence = Math.Max(Divergence, DivergenceOf(place));
        }
    }

    /// <summary>The run that was compared with.</summary>
    public string Run => run.Name;

    /// <summary>The lines.</summary>
    public IReadOnlyList<ScoreRow> Rows => [.. rows.Values];

    /// <summary>All numbers together.</summary>
    public Differences All { get; } = new();

    /// <summary>
    /// The largest Kullback-Leibler divergence of a place, reference from server, in nats: over the most likely tokens
    /// and, as one more, all the others.
    /// </summary>
    public double Divergence { get; private set; }

    /// <summary>Ranks that the server told.</summary>
    public int Ranks { get; private set; }

    /// <summary>Ranks that our numbers do not allow.</summary>
    public int WrongRanks { get; private set; }

    /// <summary>Places that tell the most likely tokens.</summary>
    public int Lists { get; private set; }

    /// <summary>Lists with our most likely tokens.</summary>
    public int SameLists { get; private set; }

    /// <summary>Lists that lack a token that ours hold with a comfortable distance.</summary>
    public int WrongLists { get; private set; }

    /// <summary>The largest difference in multiples of the band, and the root mean squares likewise.</summary>
    /// <param name="band">The band.</param>
    /// <returns>At most 1 for a correct server.</returns>
    public double OfBand(NoiseBand band) => rows.Values
        .Select(row => row.Differences)
        .Where(differences => differences.Maximum > 0)
        .Select(differences => Math.Max(
            differences.Maximum / band.Maximum, differences.RootMeanSquare / band.RootMeanSquare))
        .DefaultIfEmpty(0)
        .Max();

    /// <summary>Compares with the run that is nearest.</summary>
    /// <param name="runs">Our runs.</param>
    /// <param name="places">The places.</param>
    /// <param name="band">The noise.</param>
    /// <returns>The comparison, and those with the other runs.</returns>
    public static (ScoreComparison Nearest, IReadOnlyList<ScoreComparison> All) With(
        ReferenceRuns runs, IReadOnlyList<ComparedPlace> places, NoiseBand band)
    {
        ScoreComparison[] all = [.. runs.Candidates.Select(run => new ScoreComparison(run, places))];
        ScoreComparison nearest = all.MinBy(
            comparison => comparison.All.Count == 0 ? 0 : comparison.All.RootMeanSquare)!;
        double slack = nearest.All.AllEqual ? 0 : band.Maximum;
        foreach (ComparedPlace place in places)
        {
            nearest.CompareRank(place, slack);
            nearest.CompareList(place, slack);
        }

        return (nearest, all);
    }

    private void Add(string what, ComparedPlace place, ServedToken token)
    {
        float[] own = run.Sequences[place.Sequence].LogProbabilities[place.Token];
        if (token is not { Id: int id, LogProbability: double served })
        {
            return;
        }

        ScoreRow row = rows.TryGetValue(what, out ScoreRow? known) ? known : new ScoreRow(what, new Differences(), null);
        bool worst = row.Differences.Add(served, own[id]);
        rows[what] = worst
            ? row with { Worst = new WorstNumber(place.Sequence + 1, place.Token + 1, id, served, own[id]) }
            : row;
        All.Add(served, own[id]);
    }

    // Two numbers of one place may move against each other, each by the slack.
    private void CompareRank(ComparedPlace place, double slack)
    {
        if (place.Served.Token is not { Id: int id, Rank: int rank })
        {
            return;
        }

        float[] own = run.Sequences[place.Sequence].LogProbabilities[place.Token];
        int above = own.Count(value => value > own[id] + (2 * slack));
        int notBelow = own.Count(value => value >= own[id] - (2 * slack));
        Ranks++;
        WrongRanks += rank > above && rank <= notBelow ? 0 : 1;
    }

    private void CompareList(ComparedPlace place, double slack)
    {
        int[] ids = [.. place.Served.Top.Where(token => token.Id is not null).Select(token => token.Id!.Value)];
        if (ids.Length == 0 || ids.Length < place.Served.Top.Count)
        {
            return;
        }

        float[] own = run.Sequences[place.Sequence].LogProbabilities[place.Token];
        int[] missing = [.. TopTokens.Of(own, ids.Length).Except(ids)];
        Lists++;
        SameLists += missing.Length == 0 ? 1 : 0;
        double least = ids.Min(id => own[id]);
        WrongLists += missing.Any(id => own[id] > least + (2 * slack)) ? 1 : 0;
    }

    private double DivergenceOf(ComparedPlace place)
    {
        float[] own = run.Sequences[place.Sequence].LogProbabilities[place.Token];
        double sum = 0, ours = 0, theirs = 0;
        foreach (ServedToken token in place.Served.Top)
        {
            if (token is { Id: int id, LogProbability: double served })
            {
                double probability = Math.Exp(own[id]);
                sum += probability * (own[id] - served);
                ours += probability;
                theirs += Math.Exp(served);
            }
        }

        const double Nothing = 1e-9; // less than the rounding of the sums
        double rest = 1 - ours, otherRest = 1 - theirs;
        return ours == 0 ? 0 : sum + (rest > Nothing && otherRest > Nothing ? rest * Math.Log(rest / otherRest) : 0);
    }
}
