using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Commands;

/// <summary>What was typed about prompts.</summary>
/// <param name="Texts">Of <c>--prompt</c>.</param>
/// <param name="Conversations">Files of <c>--messages</c>.</param>
/// <param name="Ids">Of <c>--ids</c>.</param>
/// <param name="Format">Of <c>--template</c>; null for the folder's own.</param>
/// <param name="Plain">Whether markup in them stays text.</param>
internal sealed record PromptWords(
    string[] Texts, string[] Conversations, string[] Ids, ChatFormat? Format, bool Plain);

/// <summary>A prompt as the model reads it.</summary>
/// <param name="Ids">[tokens].</param>
/// <param name="IsText">Whether the answer is wanted as text; else as ids.</param>
/// <param name="Format">The chat format that it was made with; null without one.</param>
internal sealed record GenerationPrompt(IReadOnlyList<int> Ids, bool IsText, string? Format)
{
    private const long LongestFile = 64L << 20;

    /// <summary>Reads prompts: texts, then conversations, then ids.</summary>
    /// <param name="words">What was typed.</param>
    /// <param name="folder">The checkpoint folder, for its template; null for a synthetic model.</param>
    /// <param name="tokenizer">The tokenizer; null where there is none.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <returns>The prompts, at least one.</returns>
    /// <exception cref="UsageException">There is none, or text without a tokenizer.</exception>
    /// <exception cref="InvalidInputException">A conversation breaks a rule, or the template is unknown.</exception>
    public static GenerationPrompt[] Read(
        PromptWords words, string? folder, ModelTokenizer? tokenizer, string currentDirectory)
    {
        if (words.Texts.Length + words.Conversations.Length + words.Ids.Length == 0)
        {
            throw new UsageException("a prompt is missing; give --prompt, --messages or --ids");
        }

        if (tokenizer is null && words.Texts.Length + words.Conversations.Length > 0)
        {
            throw new UsageException(
                "--prompt and --messages need the model's tokenizer.json, and there is none; --ids needs none");
        }

        return
        [
            .. words.Texts.Select(text => new GenerationPrompt(tokenizer!.Encode(text, !words.Plain), true, null)),
            .. words.Conversations.Select(file => Converse(file, words, folder!, tokenizer!, currentDirectory)),
            .. words.Ids.Select(ids => new GenerationPrompt(ParseIds(ids, "--ids"), false, null)),
        ];
    }

    /// <summary>Reads a list of token ids.</summary>
    /// <param name="text">The value.</param>
    /// <param name="option">The option, for the message.</param>
    /// <returns>The ids.</returns>
    /// <exception cref="UsageException">A word is no token id.</exception>
    public static int[] ParseIds(string text, string option) =>
    [
        .. CommaList.Split(text, option).Select(word =>
            int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new UsageException($"{option}: '{word}' is not a token id")),
    ];

    private static GenerationPrompt Converse(
        string file, PromptWords words, string folder, ModelTokenizer tokenizer, string currentDirectory)
    {
        string path = Path.GetFullPath(file, currentDirectory);
        if (!File.Exists(path))
        {
            throw new EnvironmentException(file, "no such file");
        }

        if (new FileInfo(path).Length > LongestFile)
        {
            throw new InvalidInputException(file, string.Empty, $"is longer than {LongestFile} bytes");
        }

        using JsonDocument document = StrictJson.Parse(File.ReadAllBytes(path), file);
        JsonElement root = document.RootElement;
        ChatConversation conversation = root.ValueKind == JsonValueKind.Array
            ? new ChatConversation(ChatConversation.ReadMessages(root, file), true, [])
            : ChatConversation.Read(root, file);
        ChatFormat format = words.Format ?? ChatFormat.ForFolder(folder);
        ChatPrompt prompt = format.Compose(conversation.Messages, true, conversation.Tools);
        return new GenerationPrompt(tokenizer.Encode(prompt, words.Plain), true, format.Name);
    }
}
