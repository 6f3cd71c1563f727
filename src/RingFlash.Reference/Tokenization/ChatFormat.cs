using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// How a conversation becomes one text: the published chat templates, written in C#. Rendering equals Hugging Face's
/// <c>@huggingface/jinja</c> over the published template, character for character.
/// </summary>
/// <remarks>
/// Where a template would fail, as for a user's message without content, the message is refused. In one point the two
/// programs that render these templates differ: <c>strip('\n')</c> removes line feeds in Python's Jinja2, which vLLM
/// and Transformers use, and all white space in Hugging Face's JavaScript. The vectors that this is held to come from
/// the latter; it matters only for white space at the edges of reasoning and answers in the Ling format.
/// </remarks>
public sealed partial class ChatFormat
{
    private readonly Action<ChatWriter, IReadOnlyList<ChatMessage>, bool, IReadOnlyList<JsonElement>> render;

    private ChatFormat(
        string name,
        string templateSha256,
        Action<ChatWriter, IReadOnlyList<ChatMessage>, bool, IReadOnlyList<JsonElement>> render)
    {
        Name = name;
        TemplateSha256 = templateSha256;
        this.render = render;
    }

    /// <summary>The template that lies beside Ring-flash-2.0.</summary>
    public static ChatFormat RingFlash20 { get; } = new(
        "ring-flash-2.0", "194900ce7bc7190dbe359ba6f83d54656bc3be8780abaa97a1d01bf1a9c5489c", RenderRingFlash);

    /// <summary>The template of the Ling-2.0 models: system line, tools, reasoning, end of role.</summary>
    public static ChatFormat Ling20 { get; } = new(
        "ling-2.0", "a503d55b21709d881b07ee2e9d8ce29505fa95d9f758379a9fc4ccc94272734a", RenderLing);

    /// <summary>The formats there are.</summary>
    public static IReadOnlyList<ChatFormat> All { get; } = [RingFlash20, Ling20];

    /// <summary>
    /// The word for options and reports: <c>ring-flash-2.0</c> or <c>ling-2.0</c>. A transcript is worth little without
    /// it: both formats circulate for the same weights.
    /// </summary>
    public string Name { get; }

    /// <summary>The SHA-256 of the published template's text, by which a folder's template is recognised.</summary>
    public string TemplateSha256 { get; }

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
        IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, IReadOnlyList<JsonElement>? tools = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ChatWriter writer = new();
        render(writer, messages, addGenerationPrompt, tools ?? []);
        return writer.ToPrompt();
    }

    // "For every message, the role in capitals, then the content"; no end of turn, no tools, no system text of its own.
    private static void RenderRingFlash(
        ChatWriter writer,
        IReadOnlyList<ChatMessage> messages,
        bool addGenerationPrompt,
        IReadOnlyList<JsonElement> tools)
    {
        for (int index = 0; index < messages.Count; index++)
        {
            string role = messages[index].Role;
            if (!System.Text.Ascii.IsValid(role))
            {
                throw Refuse(index, "role", $"must be ASCII in this format; found {role}");
            }

            role = role.ToLowerInvariant();
            writer.Markup("<role>");
            writer.Content(role == "user" ? "HUMAN" : role.ToUpperInvariant());
            writer.Markup("</role>");
            writer.Content(RequiredContent(messages, index));
        }

        if (addGenerationPrompt)
        {
            writer.Markup("<role>ASSISTANT</role>");
        }
    }

    private static string RequiredContent(IReadOnlyList<ChatMessage> messages, int index) => messages[index].Content
        ?? throw Refuse(index, "content", "must be a string in this format");

    private static InvalidInputException Refuse(int index, string key, string rule) => new(
        "messages", string.Create(CultureInfo.InvariantCulture, $"$[{index}].{key}"), rule);
}
