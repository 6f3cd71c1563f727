using System.Collections.Generic;
using System.Text.Json;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Server;

/// <summary>Reads a request of <c>/v1/chat/completions</c>.</summary>
internal static class ChatReader
{
    /// <summary>Reads a request.</summary>
    /// <param name="body">The body.</param>
    /// <param name="model">Who will be asked.</param>
    /// <param name="settings">The server's limits.</param>
    /// <returns>The request.</returns>
    /// <exception cref="InvalidInputException">A field breaks a rule.</exception>
    /// <exception cref="ApiException">The model is not ours.</exception>
    public static GenerationCall Read(JsonElement body, ServedModel model, ServerSettings settings)
    {
        RequestFields fields = new(body);
        ModelField.Check(fields, settings);
        if (fields.Flag("echo"))
        {
            throw fields.Refuse("echo", "is not supported in chats; prompt_logprobs scores the prompt");
        }

        bool logProbabilities = fields.Flag("logprobs");
        int? old = fields.Integer("max_tokens", 1), current = fields.Integer("max_completion_tokens", 1);
        GenerationFields read = GenerationFields.Read(
            fields,
            settings,
            model.Engine.Configuration.VocabularySize,
            "top_logprobs",
            (current ?? old, current is null ? "max_tokens" : "max_completion_tokens"));
        if (!logProbabilities && read.TopCount is not (null or 0))
        {
            throw fields.Refuse("top_logprobs", "needs logprobs true");
        }

        bool reasoning = fields.Flag("include_reasoning", absent: true);
        if (!reasoning && !settings.SplitReasoning)
        {
            throw fields.Refuse(
                "include_reasoning", "false needs a server that tells it apart, serve --split-reasoning");
        }

        Prompt prompt = ReadPrompt(fields, model, settings);
        return new GenerationCall(
            read with { TopCount = logProbabilities ? read.TopCount ?? 0 : null }, [prompt])
        {
            PromptName = "messages",
            ReturnPromptText = fields.Flag("return_prompt_text"),
            IncludeReasoning = reasoning,
            IgnoredFields = fields.Unknown,
        };
    }

    /// <summary>Reads a conversation and renders it.</summary>
    /// <param name="fields">The request; <c>messages</c> and <c>add_generation_prompt</c> are read.</param>
    /// <param name="model">Whose format it is rendered in.</param>
    /// <param name="settings">Whether what people wrote stays text.</param>
    /// <returns>The prompt.</returns>
    /// <exception cref="InvalidInputException">A message breaks a rule.</exception>
    public static Prompt ReadPrompt(RequestFields fields, ServedModel model, ServerSettings settings)
    {
        if (model.ChatFormat is null || model.Tokenizer is null)
        {
            throw fields.Refuse("messages", $"are not supported by this model: {model.ChatRefusal}");
        }

        JsonElement messages = fields.Find("messages") ?? throw fields.Refuse("messages", "is required");
        IReadOnlyList<ChatMessage> conversation = ChatMessages.Read(messages);
        bool addGenerationPrompt = fields.Flag("add_generation_prompt", absent: true);
        ChatPrompt rendered;
        try
        {
            rendered = model.ChatFormat.Compose(conversation, addGenerationPrompt);
        }
        catch (InvalidInputException exception) when (exception.Place.StartsWith('$'))
        {
            throw fields.Refuse($"messages{exception.Place[1..]}", exception.Rule);
        }

        return new Prompt(rendered.Text, model.Tokenizer.Encode(rendered, settings.PlainContent));
    }
}
