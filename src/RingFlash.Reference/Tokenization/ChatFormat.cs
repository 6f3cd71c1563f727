using System;
using System.Collections.Generic;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>How a conversation becomes one text: the published chat templates, written in C#.</summary>
public sealed class ChatFormat
{
    private ChatFormat(string name) => Name = name;

    /// <summary>The template that lies beside Ring-flash-2.0.</summary>
    public static ChatFormat RingFlash20 { get; } = new("ring-flash-2.0");

    /// <summary>The template of the Ling-2.0 models: system line, tools, reasoning, end of role.</summary>
    public static ChatFormat Ling20 { get; } = new("ling-2.0");

    /// <summary>The formats there are.</summary>
    public static IReadOnlyList<ChatFormat> All { get; } = [RingFlash20, Ling20];

    /// <summary>The word for options and reports: <c>ring-flash-2.0</c> or <c>ling-2.0</c>. A transcript is worth
    /// little without it: both formats circulate for the same weights.</summary>
    public string Name { get; }

    /// <summary>Recognises the template of a folder by its SHA-256.</summary>
    /// <param name="folder">
    /// A checkpoint folder; <c>chat_template.jinja</c> is looked at first, then <c>tokenizer_config.json</c>.
    /// </param>
    /// <returns>The format.</returns>
    /// <exception cref="InvalidInputException">There is no template, or it is unknown.</exception>
    public static ChatFormat ForFolder(string folder) => throw new NotImplementedException();

    /// <summary>Renders a conversation.</summary>
    /// <param name="messages">The messages, oldest first.</param>
    /// <param name="addGenerationPrompt">Whether the text ends where the assistant's answer begins.</param>
    /// <param name="tools">Descriptions of functions; null or empty for none.</param>
    /// <returns>The text.</returns>
    /// <exception cref="InvalidInputException">A message lacks what the format needs.</exception>
    public string Render(
        IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, IReadOnlyList<JsonElement>? tools = null) =>
        Compose(messages, addGenerationPrompt, tools).Text;

    /// <summary>Renders a conversation and remembers what people wrote.</summary>
    /// <param name="messages">The messages, oldest first.</param>
    /// <param name="addGenerationPrompt">Whether the text ends where the assistant's answer begins.</param>
    /// <param name="tools">Descriptions of functions; null or empty for none.</param>
    /// <returns>The text and its parts, for <see cref="ModelTokenizer.Encode(ChatPrompt, bool)"/>.</returns>
    /// <exception cref="InvalidInputException">A message lacks what the format needs.</exception>
    public ChatPrompt Compose(
        IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, IReadOnlyList<JsonElement>? tools = null) =>
        throw new NotImplementedException();
}
