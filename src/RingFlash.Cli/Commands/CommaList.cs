using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.Commands;

/// <summary>Values such as <c>isolated,free</c>.</summary>
internal static class CommaList
{
    /// <summary>Splits a value.</summary>
    /// <param name="text">The value.</param>
    /// <param name="option">The option, for the message.</param>
    /// <returns>The words.</returns>
    /// <exception cref="UsageException">A word is empty.</exception>
    public static IReadOnlyList<string> Split(string text, string option)
    {
        string[] words = text.Split(',', StringSplitOptions.TrimEntries);
        return words.All(word => word.Length > 0)
            ? words
            : throw new UsageException($"{option}: '{text}' has an empty word");
    }
}
