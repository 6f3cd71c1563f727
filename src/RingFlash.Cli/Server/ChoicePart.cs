using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Generation;

namespace RingFlash.Cli.Server;

/// <summary>A token and its log-probability.</summary>
/// <param name="Id">The token.</param>
/// <param name="Score">Null for the first token of a prompt.</param>
internal readonly record struct NamedScore(int Id, TokenScore? Score);

/// <summary>A part of an answer, as a chunk of a stream tells it; the parts joined are the whole.</summary>
/// <param name="Index">Which answer.</param>
internal sealed record ChoicePart(int Index)
{
    /// <summary>Whether this is the answer's first part.</summary>
    public bool Opens { get; init; }

    /// <summary>The text, without reasoning where that is told apart.</summary>
    public string Text { get; init; } = string.Empty;

    /// <summary>The reasoning, where it is told apart.</summary>
    public string Reasoning { get; init; } = string.Empty;

    /// <summary>Characters of the answer before this part.</summary>
    public int TextOffset { get; init; }

    /// <summary>The generated tokens.</summary>
    public IReadOnlyList<int> Ids { get; init; } = [];

    /// <summary>The log-probabilities of the text's tokens, those of an echoed prompt included.</summary>
    public IReadOnlyList<NamedScore> Scores { get; init; } = [];

    /// <summary>The log-probabilities of the prompt; null when not asked for.</summary>
    public IReadOnlyList<TokenScore?>? PromptScores { get; init; }

    /// <summary>Tokens generated up to the end of this part.</summary>
    public int Generated { get; init; }

    /// <summary>How the answer ended; null before its last part.</summary>
    public GenerationFinished? End { get; init; }

    /// <summary>Joins the parts of one answer.</summary>
    /// <param name="parts">All of them, in order.</param>
    /// <returns>The answer.</returns>
    public static ChoicePart Join(IReadOnlyList<ChoicePart> parts) => parts[0] with
    {
        Text = string.Concat(parts.Select(part => part.Text)),
        Reasoning = string.Concat(parts.Select(part => part.Reasoning)),
        Ids = [.. parts.SelectMany(part => part.Ids)],
        Scores = [.. parts.SelectMany(part => part.Scores)],
        PromptScores = parts.Select(part => part.PromptScores).FirstOrDefault(scores => scores is not null),
        Generated = parts[^1].Generated,
        End = parts[^1].End,
    };
}
