using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;

namespace RingFlash.Cli.ServerCheck;

/// <summary>Compares a server's answers with our runs.</summary>
/// <param name="report">Filled.</param>
/// <param name="configuration">The model.</param>
/// <param name="alone">[prompts], each asked alone at temperature 1.</param>
/// <param name="greedy">[prompts], each asked at temperature 0, with what was odd about that.</param>
internal sealed class ServerComparison(
    ServerCheckReport report,
    ModelConfiguration configuration,
    IReadOnlyList<ServedSequence> alone,
    IReadOnlyList<(int Sequence, ServedSequence Served, OddityList Oddities)> greedy)
{
    private ReferenceRuns runs = null!;
    private bool isMerged;

    /// <summary>Fills the report; may be called again with other runs.</summary>
    /// <param name="ours">Our runs; a sequence is a prompt and what the server generated at temperature 0.</param>
    /// <returns>
    /// Experts that our model is to follow, because the server chose others within the noise; null for none.
    /// </returns>
    public RoutingReplay? Fill(ReferenceRuns ours)
    {
        runs = ours;
        NoiseBand band = NoiseBand.Measure(runs);
        report.Band = band;
        report.Jumps = Math.Max(report.Jumps, Comparability.Jumps * (band.Behind?.Maximum ?? 0));
        List<ComparedPlace> places = [.. alone.SelectMany((served, index) => Places(served, index))];
        bool processed = IsProcessed(band);
        foreach ((int sequence, ServedSequence served, OddityList oddities) in greedy)
        {
            if (!isMerged)
            {
                Merge(oddities, processed);
            }

            if (!processed)
            {
                places.AddRange(Generated(served, sequence));
            }
        }

        if (processed && !isMerged)
        {
            report.Oddities.Add(OddityKind.Processed, $"POST /{report.Identity!.Dialect.Path}");
        }

        report.AllScores = ScoreComparison.With(runs, places);
        ScoreComparison scores = report.AllScores[0];
        ReferenceRun nearest = runs.Candidates.First(run => run.Name == scores.Run);
        Comparability comparability = new(runs, nearest, band);
        CompareExperts(nearest, band, comparability);
        scores.Judge(comparability, band);
        report.Scores = scores;
        if (scores.OfNoise > 1)
        {
            report.Hint = ScoreHint.Of(nearest, places, band);
        }

        CompareGreedy(nearest, comparability);
        isMerged = true;
        bool differs = report.Experts?.Rows.Any(row => row.NearTies + row.Behind > 0) ?? false;
        ServedExperts[] told = [.. Enumerable.Range(0, alone.Count).Select(Experts).OfType<ServedExperts>()];
        return differs && told.Length == alone.Count ? new RoutingReplay(told, band.Scores) : null;
    }

    private static IEnumerable<ComparedPlace> Generated(ServedSequence served, int sequence, int prompt, int most) =>
        (served.Generated ?? []).Take(most)
            .Select((place, index) => new ComparedPlace(sequence, prompt - 1 + index, false, place));

    private IEnumerable<ComparedPlace> Places(ServedSequence served, int sequence)
    {
        int prompt = report.Prompts[sequence].Count;
        IEnumerable<ComparedPlace> own = (served.Prompt ?? [])
            .Select((place, token) => (place, token))
            .Where(item => item.place is not null && item.token > 0)
            .Select(item => new ComparedPlace(sequence, item.token - 1, true, item.place!));
        return own.Concat(Generated(served, sequence, prompt, 1));
    }

    private IEnumerable<ComparedPlace> Generated(ServedSequence served, int sequence) =>
        Generated(served, sequence, report.Prompts[sequence].Count, Known(sequence));

    // Without ids nobody knows what the second generated token stands behind.
    private int Known(int sequence) =>
        runs.Centre.Sequences[sequence].Ids.Count - report.Prompts[sequence].Count + 1;

    // At temperature 0 such a server calls its token certain, where the model does not.
    private bool IsProcessed(NoiseBand band)
    {
        bool any = false;
        foreach ((int sequence, ServedSequence served, _) in greedy)
        {
            foreach (ComparedPlace place in Generated(served, sequence))
            {
                if (place.Served.Token is not { Id: int id, LogProbability: double number } || number != 0)
                {
                    return false;
                }

                any |= runs.Centre.Sequences[sequence].LogProbabilities[place.Token][id] < -band.Any.Maximum;
            }
        }

        return any;
    }

    private void Merge(OddityList oddities, bool processed)
    {
        OddityKind[] explained =
            [OddityKind.MinusInfinity, OddityKind.Null, OddityKind.NotANumber, OddityKind.FewerTop];
        foreach (Oddity oddity in oddities.Found.Where(oddity => !processed || !explained.Contains(oddity.Kind)))
        {
            report.Oddities.Add(oddity);
        }
    }

    private void CompareGreedy(ReferenceRun nearest, Comparability comparability)
    {
        GreedyComparison comparison = new();
        foreach ((int sequence, ServedSequence served, _) in greedy)
        {
            if (served.GeneratedIds is not IReadOnlyList<int> ids)
            {
                continue;
            }

            int prompt = report.Prompts[sequence].Count;
            if (ids.Count < ServerChecker.GreedyTokens && !isMerged)
            {
                report.Oddities.Add(
                    OddityKind.EndedEarly,
                    $"prompt {sequence + 1}",
                    $"{ids.Count} of {ServerChecker.GreedyTokens} tokens");
            }

            comparison.Add(
                sequence,
                nearest.Sequences[sequence],
                prompt,
                [.. ids.Take(nearest.Sequences[sequence].Ids.Count - prompt + 1)],
                token => report.Scores!.All.AllEqual ? 0 : comparability.At(sequence, token).Allowed.Maximum,
                report.Names);
        }

        report.Greedy = comparison.Tokens > 0 ? comparison : null;
    }

    private void CompareExperts(ReferenceRun nearest, NoiseBand band, Comparability comparability)
    {
        ExpertComparison comparison = new(configuration, nearest, runs.ExpertBias, band);
        for (int sequence = 0; sequence < alone.Count; sequence++)
        {
            if (Experts(sequence) is ServedExperts served)
            {
                (RoutingHistory history, int tokens) = comparison.Add(sequence, served);
                comparability.Know(sequence, history, tokens);
            }
        }

        report.Experts = comparison.Rows.Count > 0 ? comparison : null;
    }

    // At temperature 0 the tokens behind the prompt are those that our runs read, too; at 1 another one was drawn.
    private ServedExperts? Experts(int sequence) =>
        greedy[sequence].Served.Experts is ServedExperts served
            ? served with { Tokens = Math.Min(served.Tokens, runs.Centre.Sequences[sequence].Ids.Count) }
            : alone[sequence].Experts is ServedExperts prompt
                ? prompt with { Tokens = Math.Min(prompt.Tokens, report.Prompts[sequence].Count) }
                : null;
}
