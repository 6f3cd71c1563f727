using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Configuration;

namespace RingFlash.Cli.ServerCheck;

/// <summary>A layer's routing.</summary>
/// <param name="Layer">The layer.</param>
internal sealed record ExpertRow(int Layer)
{
    /// <summary>Tokens compared.</summary>
    public int Tokens { get; set; }

    /// <summary>Tokens with our set of experts.</summary>
    public int SameExperts { get; set; }

    /// <summary>Tokens with our experts in our order.</summary>
    public int SameOrder { get; set; }

    /// <summary>Other sets that the noise of the scores explains.</summary>
    public int NearTies { get; set; }

    /// <summary>Other sets that it does not.</summary>
    public int Wrong { get; set; }

    /// <summary>Other sets behind a near tie, where the noise of the scores is not known.</summary>
    public int Behind { get; set; }
}

/// <summary>
/// A server's routed experts against one of our runs. Another set is a near tie when our own router chooses it once the
/// scores of that set are raised, and all others lowered, by the measured noise of the scores in that layer.
/// </summary>
internal sealed class ExpertComparison
{
    private readonly ModelConfiguration configuration;
    private readonly ReferenceRun run;
    private readonly IReadOnlyList<float[]?> bias;
    private readonly NoiseBand band;
    private readonly ExpertRow[] rows;

    /// <summary>Begins.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="run">The run to compare with.</param>
    /// <param name="bias">[layers][experts], the routers' bias; null for dense layers.</param>
    /// <param name="band">The noise.</param>
    public ExpertComparison(
        ModelConfiguration configuration, ReferenceRun run, IReadOnlyList<float[]?> bias, NoiseBand band)
    {
        this.configuration = configuration;
        this.run = run;
        this.bias = bias;
        this.band = band;
        rows = [.. Enumerable.Range(0, configuration.LayerCount).Select(layer => new ExpertRow(layer))];
    }

    /// <summary>The layers that have routers.</summary>
    public IReadOnlyList<ExpertRow> Rows => [.. rows.Where(row => row.Tokens + row.Behind > 0)];

    /// <summary>The first wrong set; empty where there is none.</summary>
    public string FirstWrong { get; private set; } = string.Empty;

    /// <summary>Sets compared.</summary>
    public int Compared => rows.Sum(row => row.Tokens);

    /// <summary>Whether every set is ours.</summary>
    public bool AllSame => Compared > 0 && rows.All(row => row.SameExperts == row.Tokens && row.Behind == 0);

    /// <summary>Sets that the noise does not explain.</summary>
    public int Wrong => rows.Sum(row => row.Wrong);

    /// <summary>Compares a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="served">The server's experts.</param>
    /// <returns>Where the sets differ, and the tokens that were compared.</returns>
    public (RoutingHistory History, int Tokens) Add(int sequence, ServedExperts served)
    {
        ReferenceSequence own = run.Sequences[sequence];
        int tokens = Math.Min(served.Tokens, own.Ids.Count), first = configuration.LayerCount - served.Layers;
        RoutingHistory history = new(tokens);
        for (int layer = first; layer < configuration.LayerCount; layer++)
        {
            for (int token = 0; token < tokens; token++)
            {
                if (own.Routing[token][layer] is RoutedToken mine)
                {
                    int[] theirs = [.. served.Of(token, layer - first)];
                    history.Note(token, Compare(sequence, token, layer, mine, theirs, history.IsBehind(token)));
                }
            }

            history.EndLayer();
        }

        return (history, tokens);
    }

    private bool Compare(int sequence, int token, int layer, RoutedToken mine, int[] theirs, bool behind)
    {
        ExpertRow row = rows[layer];
        HashSet<int> set = [.. theirs];
        bool same = set.SetEquals(mine.Experts);
        double? noise = behind ? band.ScoresBehind[layer] : band.Scores[layer];
        if (!same && behind && noise is null)
        {
            row.Behind++;
            return true;
        }

        row.Tokens++;
        bool followed = set.SetEquals(mine.Used);
        row.SameExperts += same ? 1 : 0;
        row.SameOrder += theirs.SequenceEqual(mine.Experts) ? 1 : 0;
        if (same)
        {
            return !followed;
        }

        if (followed || RouterNearTie.Explains(configuration, mine.Scores, bias[layer]!, set, noise ?? 0))
        {
            row.NearTies++;
            return !followed;
        }

        row.Wrong++;
        if (FirstWrong.Length == 0)
        {
            FirstWrong = string.Create(
                CultureInfo.InvariantCulture,
                $"prompt {sequence + 1}, token {token}, layer {layer}: experts [{string.Join(' ', theirs)}], ours "
                + $"[{string.Join(' ', mine.Experts)}]; margin {mine.Margin:G3}, noise of the scores {noise ?? 0:G3}");
        }

        return true;
    }
}
