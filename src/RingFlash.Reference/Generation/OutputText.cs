using System;
using System.Collections.Generic;

namespace RingFlash.Reference.Generation;

/// <summary>
/// The text of an output as it grows. The first stop string, by where it begins and then by the order of the list, ends
/// it and is cut off; the longest end of the text that may become one is held back until it is certain.
/// </summary>
/// <param name="stops">The stop strings.</param>
internal sealed class OutputText(IReadOnlyList<string> stops)
{
    private string held = string.Empty;

    /// <summary>The stop string that ended the text; null so far.</summary>
    public string? Found { get; private set; }

    /// <summary>Takes what the text grows by.</summary>
    /// <param name="text">The text of the next token.</param>
    /// <returns>The text that is certain now.</returns>
    public string Append(string text)
    {
        if (Found is not null)
        {
            return string.Empty;
        }

        held += text;
        int first = -1;
        foreach (string stop in stops)
        {
            int at = held.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (first < 0 || at < first))
            {
                (first, Found) = (at, stop);
            }
        }

        int certain = Found is null ? held.Length - LongestStart() : first;
        (string released, held) = (held[..certain], Found is null ? held[certain..] : string.Empty);
        return released;
    }

    /// <summary>Ends the text.</summary>
    /// <param name="text">The last of it.</param>
    /// <returns>That and what was held back.</returns>
    public string End(string text)
    {
        string released = Append(text);
        (string rest, held) = (held, string.Empty);
        return released + rest;
    }

    /// <summary>The length of the longest end of the held text that a stop string begins with.</summary>
    private int LongestStart()
    {
        int longest = 0;
        foreach (string stop in stops)
        {
            for (int length = Math.Min(stop.Length - 1, held.Length); length > longest; length--)
            {
                if (held.AsSpan(held.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }
}
