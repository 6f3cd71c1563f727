using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// Which places of a sequence lie behind a choice of other experts than our run's. Where the server tells its experts,
/// that is known; where it does not, a place may lie behind one when a margin so far was within the noise of the
/// scores.
/// </summary>
/// <param name="runs">Our runs.</param>
/// <param name="run">The run that is compared with.</param>
/// <param name="band">The noise.</param>
internal sealed class Comparability(ReferenceRuns runs, ReferenceRun run, NoiseBand band)
{
    /// <summary>The largest of a server's jumps behind near ties may not be among the few that our runs show.</summary>
    public const int Jumps = 2;

    private readonly Dictionary<int, bool[]> behind = [];

    /// <summary>Notes what a server's experts say.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="history">Where they differ; read to its end.</param>
    /// <param name="tokens">The tokens that it covers.</param>
    public void Know(int sequence, RoutingHistory history, int tokens)
    {
        bool[] places = Of(sequence);
        for (int token = 0; token < places.Length; token++)
        {
            places[token] = token < tokens ? history.IsBehind(token) : places[token] || places[tokens - 1];
        }
    }

    /// <summary>The noise of a place.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="token">The token that predicts.</param>
    /// <returns>Whether the place is behind another choice, and what is allowed there.</returns>
    public (bool Behind, Noise Allowed) At(int sequence, int token)
    {
        bool isBehind = Of(sequence)[token];
        Noise allowed = (isBehind ? band.Behind : band.Clean) ?? band.Any;
        return (isBehind, isBehind ? allowed with { Maximum = Jumps * allowed.Maximum } : allowed);
    }

    private bool[] Of(int sequence)
    {
        if (!behind.TryGetValue(sequence, out bool[]? places))
        {
            places = Unsafe(run.Sequences[sequence]);
            behind.Add(sequence, places);
        }

        return places;
    }

    // A choice is safe while the errors of the scores stay below half of its margin; see GroupLimitedTopK.
    private bool[] Unsafe(ReferenceSequence sequence)
    {
        bool[] places = new bool[sequence.Ids.Count];
        bool any = false;
        for (int token = 0; token < places.Length; token++)
        {
            any |= Enumerable.Range(0, runs.ExpertBias.Count).Any(layer =>
                sequence.Routing[token][layer] is RoutedToken routed
                && routed.Margin <= 2 * (band.Scores[layer] ?? 0));
            places[token] = any;
        }

        return places;
    }
}
