using System;
using System.Buffers;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Tokenization;

/// <summary>An added token: it is found in the text before anything else is done with it.</summary>
/// <param name="Id">The token.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsSpecial">Whether it is left out of text for people.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial);

/// <summary>
/// Finds added tokens: the leftmost, and of those that begin there the longest (Hugging Face's
/// <c>LeftmostLongest</c>; the library would take the one that comes first in its list).
/// </summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, AddedToken> byContent;
    private readonly SearchValues<string> contents;
    private readonly ILookup<char, AddedToken> longestFirst;

    /// <summary>Creates the set.</summary>
    /// <param name="tokens">The tokens; texts not empty and all different.</param>
    public AddedTokens(IReadOnlyList<AddedToken> tokens)
    {
        byContent = tokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        contents = SearchValues.Create([.. byContent.Keys], StringComparison.Ordinal);
        longestFirst = tokens.OrderByDescending(token => token.Content.Length).ToLookup(token => token.Content[0]);
    }

    /// <summary>All of them.</summary>
    public IReadOnlyCollection<AddedToken> All => byContent.Values;

    /// <summary>The token of a text.</summary>
    /// <param name="content">The text.</param>
    /// <returns>The token, or null.</returns>
    public AddedToken? Find(string content) => byContent.GetValueOrDefault(content);

    /// <summary>The first token in a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="start">Where it begins, when there is one.</param>
    /// <returns>The token, or null.</returns>
    public AddedToken? FindFirst(ReadOnlySpan<char> text, out int start)
    {
        start = text.IndexOfAny(contents);
        if (start < 0)
        {
            return null;
        }

        ReadOnlySpan<char> rest = text[start..];
        foreach (AddedToken token in longestFirst[rest[0]])
        {
            if (rest.StartsWith(token.Content, StringComparison.Ordinal))
            {
                return token;
            }
        }

        throw new InvalidOperationException("The search found a token that is not in the list.");
    }
}
