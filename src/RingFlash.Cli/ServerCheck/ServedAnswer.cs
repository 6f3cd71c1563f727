using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>A token of a list of log-probabilities.</summary>
/// <param name="Id">The token; null where it is named by a text that is not one token's alone.</param>
/// <param name="LogProbability">In nats, finite; null where the server told no number.</param>
/// <param name="Rank">From 1; null where it is not told.</param>
internal sealed record ServedToken(int? Id, double? LogProbability, int? Rank);

/// <summary>A place of a sequence.</summary>
/// <param name="Token">The token that stands there; null where it is not told.</param>
/// <param name="Top">The most likely ones, by falling log-probability; empty where they are not told.</param>
internal sealed record ServedPlace(ServedToken? Token, IReadOnlyList<ServedToken> Top);

/// <summary>What a server says about one prompt, whatever its interface.</summary>
internal sealed record ServedSequence
{
    /// <summary>[prompt tokens] as the server read them; null where it does not tell.</summary>
    public IReadOnlyList<int>? PromptIds { get; init; }

    /// <summary>[prompt tokens]; the first is null. Null where nothing is told.</summary>
    public IReadOnlyList<ServedPlace?>? Prompt { get; init; }

    /// <summary>[generated tokens]; null where they are not told by id.</summary>
    public IReadOnlyList<int>? GeneratedIds { get; init; }

    /// <summary>[generated tokens]; null where nothing is told.</summary>
    public IReadOnlyList<ServedPlace>? Generated { get; init; }

    /// <summary>Who was routed where; null where it is not told.</summary>
    public ServedExperts? Experts { get; init; }

    /// <summary>Prompt tokens that came from a cache; null where it is not told.</summary>
    public int? CachedTokens { get; init; }
}

/// <summary>The experts of the tokens that went through the model.</summary>
/// <param name="Tokens">Tokens, from the first one on.</param>
/// <param name="Layers">Layers: all main layers, or those with experts.</param>
/// <param name="TopK">Experts per token.</param>
/// <param name="Indices">[tokens, layers, topK].</param>
internal sealed record ServedExperts(int Tokens, int Layers, int TopK, IReadOnlyList<int> Indices)
{
    /// <summary>The experts of a token.</summary>
    /// <param name="token">The token.</param>
    /// <param name="layer">The layer, of those that are told.</param>
    /// <returns>[topK].</returns>
    public IEnumerable<int> Of(int token, int layer) =>
        Enumerable.Range(((token * Layers) + layer) * TopK, TopK).Select(index => Indices[index]);
}

/// <summary>What is asked of a server.</summary>
/// <param name="Prompts">[prompts][tokens].</param>
/// <param name="MaxTokens">Tokens to generate for each.</param>
internal sealed record ScoreRequest(IReadOnlyList<IReadOnlyList<int>> Prompts, int MaxTokens)
{
    /// <summary>The most likely tokens to tell at a place.</summary>
    public const int TopCount = 5;

    /// <summary>Whether the most likely token is taken; else one is drawn at temperature 1.</summary>
    public bool Greedy { get; init; }

    /// <summary>Whether the prompt's own log-probabilities are wanted.</summary>
    public bool PromptScores { get; init; }

    /// <summary>Whether the routed experts are wanted.</summary>
    public bool Experts { get; init; }

    /// <summary>Whether fields may be sent that not every server of its kind knows.</summary>
    public bool Extras { get; init; } = true;
}
