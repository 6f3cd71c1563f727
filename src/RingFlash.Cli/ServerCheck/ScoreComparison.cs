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
internal sealed record ScoreRow(string What, Differences Differences)
{
    /// <summary>The number that is furthest over the noise, or nearest to it.</summary>
    public WorstNumber? Worst { get; set; }

    /// <summary>How far off that is, in multiples of what is allowed at its place.</summary>
    public double OfNoise { get; set; }
}

/// <summary>A server's log-probabilities against one of our runs.</summary>
internal sealed class ScoreComparison
{
    private const int Many = 30; // numbers that have a root mean square worth the name

    private readonly ReferenceRun run;
    private readonly IReadOnlyList<ComparedPlace> places;
    private readonly Dictionary<string, ScoreRow> rows = [];

    private ScoreComparison(ReferenceRun run, IReadOnlyList<ComparedPlace> places)
    {
        this.run = run;
        this.places = places;
        foreach (ComparedPlace place in places)
        {
            foreach ((_, int id, double served) in Numbers(place))
            {
                All.Add(served, Own(place)[id]);
            }
        }
    }

    /// <summary>The run that was compared with.</summary>
    public string Run => run.Name;

    /// <summary>The lines.</summary>
    public IReadOnlyList<ScoreRow> Rows => [.. rows.Values];

    /// <summary>All numbers together.</summary>
    public Differences All { get; } = new();

    /// <summary>Numbers where experts are the same all the way.</summary>
    public Differences Clean { get; } = new();

    /// <summary>Numbers behind a choice of other experts, or what may be one.</summary>
    public Differences Behind { get; } = new();

    /// <summary>The largest multiple of what is allowed; at most 1 for a correct server.</summary>
    public double OfNoise => Math.Max(OfNoiseSingle, Math.Max(OfNoiseClean, OfNoiseMedian));

    /// <summary>The same of single numbers.</summary>
    public double OfNoiseSingle { get; private set; }

    /// <summary>The same of the root mean square where experts are the same all the way.</summary>
    public double OfNoiseClean { get; private set; }

    /// <summary>The same of the median of all numbers, which jumps behind near ties do not move.</summary>
    public double OfNoiseMedian { get; private set; }

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

    /// <summary>Compares with every run.</summary>
    /// <param name="runs">Our runs.</param>
    /// <param name="places">The places.</param>
    /// <returns>The comparisons, the nearest first; not judged yet.</returns>
    public static IReadOnlyList<ScoreComparison> With(ReferenceRuns runs, IReadOnlyList<ComparedPlace> places) =>
    [
        .. runs.Candidates.Select(run => new ScoreComparison(run, places))
            .OrderBy(comparison => comparison.All.Count == 0 ? 0 : comparison.All.RootMeanSquare),
    ];

    /// <summary>Holds every number against the noise of its place.</summary>
    /// <param name="comparability">The places.</param>
    /// <param name="band">The noise.</param>
    public void Judge(Comparability comparability, NoiseBand band)
    {
        foreach (ComparedPlace place in places)
        {
            (bool behind, Noise allowed) = comparability.At(place.Sequence, place.Token);
            foreach ((string what, int id, double served) in Numbers(place))
            {
                Add(what, place, id, served, allowed.Maximum);
                (behind ? Behind : Clean).Add(served, Own(place)[id]);
            }

            double slack = All.AllEqual ? 0 : allowed.Maximum;
            CompareRank(place, slack);
            CompareList(place, slack);
            Divergence = Math.Max(Divergence, DivergenceOf(place));
        }

        OfNoiseSingle = rows.Values.Select(row => row.OfNoise).DefaultIfEmpty(0).Max();
        OfNoiseClean = Clean.Count < Many || Clean.Maximum == 0
            ? 0
            : Clean.RootMeanSquare / (band.Clean ?? band.Any).RootMeanSquare;
        OfNoiseMedian = All.Count < Many || All.Median == 0 ? 0 : All.Median / band.Median;
    }

    private static IEnumerable<(string What, int Id, double Served)> Numbers(ComparedPlace place)
    {
        string kind = place.IsPrompt ? "prompt" : "generated";
        if (place.Served.Token is { Id: int own, LogProbability: double ownNumber })
        {
            yield return ($"{kind}: the tokens", own, ownNumber);
        }

        foreach (ServedToken token in place.Served.Top)
        {
            if (token is { Id: int id, LogProbability: double number })
            {
                yield return ($"{kind}: the {ScoreRequest.TopCount} most likely", id, number);
            }
        }
    }

    private float[] Own(ComparedPlace place) => run.Sequences[place.Sequence].LogProbabilities[place.Token];

    private void Add(string what, ComparedPlace place, int id, double served, double allowed)
    {
        if (!rows.TryGetValue(what, out ScoreRow? row))
        {
            row = new ScoreRow(what, new Differences());
            rows.Add(what, row);
        }

        float own = Own(place)[id];
        row.Differences.Add(served, own);
        double difference = Math.Abs(served - own);
        double times = difference == 0 ? 0 : difference / allowed;
        if (row.Worst is null || times > row.OfNoise)
        {
            row.OfNoise = times;
            row.Worst = new WorstNumber(place.Sequence + 1, place.Token + 1, id, served, own);
        }
    }

    // Two numbers of one place may move against each other, each by the slack.
    private void CompareRank(ComparedPlace place, double slack)
    {
        if (place.Served.Token is not { Id: int id, Rank: int rank })
        {
            return;
        }

        float[] own = Own(place);
        int above = own.Count(value => value > own[id] + (2 * slack));
        int notBelow = own.Count(value => value >= own[id] - (2 * slack));
        Ranks++;
        WrongRanks += rank > above && rank <= notBelow ? 0 : 1;
    }

    private void CompareList(ComparedPlace place, double slack)
    {
        int[] ids = [.. place.Served.Top.Where(token => token.Id is not null).Select(token => token.Id!.Value)];
        if (ids.Length < ScoreRequest.TopCount)
        {
            return; // a short list may hold the token itself in the place of a more likely one
        }

        float[] own = Own(place);
        int[] missing = [.. TopTokens.Of(own, ids.Length).Except(ids)];
        Lists++;
        SameLists += missing.Length == 0 ? 1 : 0;
        double least = ids.Min(id => own[id]);
        WrongLists += missing.Any(id => own[id] > least + (2 * slack)) ? 1 : 0;
    }

    private double DivergenceOf(ComparedPlace place)
    {
        float[] own = Own(place);
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
