using System;
using System.Collections.Generic;
using System.Globalization;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// The tokens that a server takes at temperature 0 against our most likely ones, each behind the server's own tokens.
/// </summary>
internal sealed class GreedyComparison
{
    /// <summary>Tokens.</summary>
    public int Tokens { get; private set; }

    /// <summary>Those that are our most likely ones.</summary>
    public int Same { get; private set; }

    /// <summary>Those nearly as likely as ours: the noise of the two explains it.</summary>
    public int NearTies { get; private set; }

    /// <summary>The others.</summary>
    public int Wrong => Tokens - Same - NearTies;

    /// <summary>The first of these; empty where there is none.</summary>
    public string FirstWrong { get; private set; } = string.Empty;

    /// <summary>Compares a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="own">Ours: prompt and output without its last token.</param>
    /// <param name="prompt">Tokens of the prompt.</param>
    /// <param name="generated">The server's tokens.</param>
    /// <param name="slack">The most that a number may move, behind each token.</param>
    /// <param name="names">Shows tokens.</param>
    public void Add(
        int sequence,
        ReferenceSequence own,
        int prompt,
        IReadOnlyList<int> generated,
        Func<int, double> slack,
        TokenNames names)
    {
        for (int place = 0; place < generated.Count; place++)
        {
            float[] row = own.LogProbabilities[prompt - 1 + place];
            int best = TopTokens.Of(row, 1)[0], taken = generated[place];
            bool known = taken < row.Length;
            Tokens++;
            if (known && row[taken] == row[best])
            {
                Same++;
            }
            else if (known && row[best] - row[taken] <= 2 * slack(prompt - 1 + place))
            {
                NearTies++;
            }
            else if (FirstWrong.Length == 0)
            {
                string less = known
                    ? string.Create(CultureInfo.InvariantCulture, $"{row[best] - row[taken]:G3} nats less likely than")
                    : "not in the vocabulary; ours is";
                FirstWrong = $"prompt {sequence + 1}, token {prompt + place}: {names.Show(taken)} is {less} "
                    + names.Show(best);
            }
        }
    }
}
