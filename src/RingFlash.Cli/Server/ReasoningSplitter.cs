using System;

namespace RingFlash.Cli.Server;

/// <summary>
/// Tells the reasoning in <c>&lt;think&gt;…&lt;/think&gt;</c> from the answer behind it while the text comes in.
/// Reasoning is only what the text begins with, white space before it aside; an answer may speak of the words later on.
/// </summary>
/// <remarks>Nothing of either is changed; the two words themselves, and white space before the first, are left out.
/// </remarks>
internal sealed class ReasoningSplitter
{
    private const string Begin = "<think>";
    private const string End = "</think>";

    private State state = State.Before;
    private string held = string.Empty; // what may be a part of one of the words

    private enum State
    {
        Before,
        Reasoning,
        Answer,
    }

    /// <summary>Takes more of the text.</summary>
    /// <param name="text">The text.</param>
    /// <returns>What is certain to be reasoning, and what is certain to be the answer.</returns>
    public (string Reasoning, string Answer) Append(string text)
    {
        held += text;
        string reasoning = string.Empty;
        if (state == State.Before)
        {
            string trimmed = held.TrimStart();
            if (trimmed.StartsWith(Begin, StringComparison.Ordinal))
            {
                state = State.Reasoning;
                held = trimmed[Begin.Length..];
            }
            else if (!Begin.StartsWith(trimmed, StringComparison.Ordinal))
            {
                state = State.Answer;
            }
        }

        if (state == State.Reasoning)
        {
            int end = held.IndexOf(End, StringComparison.Ordinal);
            int certain = end < 0 ? held.Length - OverlapAtTheEnd(held) : end;
            reasoning = held[..certain];
            held = end < 0 ? held[certain..] : held[(end + End.Length)..];
            state = end < 0 ? State.Reasoning : State.Answer;
        }

        return (reasoning, state == State.Answer ? Take() : string.Empty);
    }

    /// <summary>Ends the text.</summary>
    /// <returns>What was held back.</returns>
    public (string Reasoning, string Answer) Flush() =>
        state == State.Reasoning ? (Take(), string.Empty) : (string.Empty, Take());

    private static int OverlapAtTheEnd(string text)
    {
        int length = Math.Min(text.Length, End.Length - 1);
        while (length > 0 && !text.EndsWith(End[..length], StringComparison.Ordinal))
        {
            length--;
        }

        return length;
    }

    private string Take()
    {
        string text = held;
        held = string.Empty;
        return text;
    }
}
