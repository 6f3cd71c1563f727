using System.Collections.Generic;
using System.Text;

namespace RingFlash.Reference.Tokenization;

/// <summary>Collects a rendered conversation and what of it people wrote.</summary>
internal sealed class ChatWriter
{
    private readonly StringBuilder text = new();
    private readonly List<(int Start, int Length)> content = [];

    /// <summary>Appends words of the format.</summary>
    public void Markup(string words) => text.Append(words);

    /// <summary>Appends what somebody wrote.</summary>
    public void Content(string words)
    {
        content.Add((text.Length, words.Length));
        text.Append(words);
    }

    /// <summary>All of it.</summary>
    public ChatPrompt ToPrompt() => new(text.ToString(), content);
}
