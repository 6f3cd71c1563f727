using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// A server against itself: what it said about a prompt alone, and what it says about it in other company.
/// </summary>
/// <param name="Name">The company.</param>
/// <param name="Differences">How far apart the numbers are.</param>
/// <param name="Note">Anything else; may be empty.</param>
internal sealed record InvarianceRow(string Name, Differences Differences, string Note)
{
    /// <summary>Tokens and layers where the server told other experts: near ties that went the other way.</summary>
    public int OtherExperts { get; private init; }

    /// <summary>Whether the server told its experts each time.</summary>
    public bool KnowsExperts { get; private init; }

    /// <summary>Compares places of the prompt and the first generated one.</summary>
    /// <param name="name">The company.</param>
    /// <param name="pairs">Alone, and in company.</param>
    /// <param name="note">Anything else.</param>
    /// <returns>The row.</returns>
    public static InvarianceRow Of(
        string name, IEnumerable<(ServedSequence Alone, ServedSequence Other)> pairs, string note = "")
    {
        Differences differences = new();
        int otherExperts = 0;
        bool knows = true;
        foreach ((ServedSequence alone, ServedSequence other) in pairs)
        {
            knows &= alone.Experts is not null && other.Experts is not null;
            otherExperts += CountOtherExperts(alone.Experts, other.Experts);
            if (alone.Prompt is not null && other.Prompt is not null)
            {
                for (int token = 0; token < alone.Prompt.Count && token < other.Prompt.Count; token++)
                {
                    Add(differences, alone.Prompt[token], other.Prompt[token]);
                }

                if (alone.Prompt.Count != other.Prompt.Count)
                {
                    continue; // one is the beginning of the other: what they generate has nothing in common
                }
            }

            if (alone.Generated is [ServedPlace first, ..] && other.Generated is [ServedPlace second, ..])
            {
                Add(differences, first, second);
            }
        }

        return new InvarianceRow(name, differences, note) { OtherExperts = otherExperts, KnowsExperts = knows };
    }

    private static int CountOtherExperts(ServedExperts? alone, ServedExperts? other)
    {
        if (alone is null || other is null || alone.Layers != other.Layers)
        {
            return 0;
        }

        // The last token of each was drawn or is the prompt's next one, so the shorter one's tokens are the other's.
        int tokens = Math.Min(alone.Tokens, other.Tokens), count = 0;
        for (int token = 0; token < tokens; token++)
        {
            for (int layer = 0; layer < alone.Layers; layer++)
            {
                count += alone.Of(token, layer).ToHashSet().SetEquals(other.Of(token, layer)) ? 0 : 1;
            }
        }

        return count;
    }

    private static void Add(Differences differences, ServedPlace? alone, ServedPlace? other)
    {
        if (alone is null || other is null)
        {
            return;
        }

        Dictionary<int, double> known = [];
        foreach (ServedToken token in alone.Token is null ? alone.Top : [alone.Token, .. alone.Top])
        {
            if (token is { Id: int id, LogProbability: double number })
            {
                known[id] = number;
            }
        }

        HashSet<int> seen = [];
        foreach (ServedToken token in other.Token is null ? other.Top : [other.Token, .. other.Top])
        {
            if (token is { Id: int id, LogProbability: double number } && seen.Add(id)
                && known.TryGetValue(id, out double before))
            {
                differences.Add(number, (float)before);
            }
        }
    }
}
