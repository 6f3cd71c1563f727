using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Server;

/// <summary>Reads a request of <c>/v1/completions</c>.</summary>
internal static class CompletionReader
{
    private const int DefaultMaxTokens = 16; // OpenAI's

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
        int vocabulary = model.Engine.Configuration.VocabularySize;
        bool echo = fields.Flag("echo");
        int? maxTokens = fields.Integer("max_tokens", echo ? 0 : 1);
        GenerationFields read = GenerationFields.Read(
            fields, settings, vocabulary, "logprobs", (maxTokens ?? DefaultMaxTokens, "max_tokens")) with
        {
            Echo = echo,
        };
        IReadOnlyList<Prompt> prompts = ReadPrompts(fields, model, settings, echo);
        if (maxTokens is null)
        {
            int room = prompts.Min(prompt => model.Engine.ContextLimit - prompt.Ids.Count);
            read = read with { MaxTokens = Math.Clamp(room, 1, DefaultMaxTokens) };
        }

        return new GenerationCall(read, prompts) { IgnoredFields = fields.Unknown };
    }

    private static IReadOnlyList<Prompt> ReadPrompts(
        RequestFields fields, ServedModel model, ServerSettings settings, bool needsText)
    {
        const string Rule = "must be a text, a list of token ids, a list of texts, or a list of lists of token ids";
        JsonElement prompt = fields.Find("prompt") ?? throw fields.Refuse("prompt", "is required");
        if (prompt.ValueKind != JsonValueKind.Array)
        {
            return prompt.ValueKind == JsonValueKind.String
                ? [OfText(prompt, "prompt")]
                : throw fields.Refuse("prompt", $"{Rule}; found {RequestFields.Found(prompt)}");
        }

        IReadOnlyList<(JsonElement Value, string Name)> items = fields.ItemsOf(prompt, "prompt");
        return items.Count == 0
            ? throw fields.Refuse("prompt", "must not be empty")
            : items[0].Value.ValueKind switch
            {
                JsonValueKind.Number => [OfIds(prompt, "prompt")],
                JsonValueKind.String => [.. items.Select(item => OfText(item.Value, item.Name))],
                JsonValueKind.Array => [.. items.Select(item => OfIds(item.Value, item.Name))],
                _ => throw fields.Refuse("prompt", $"{Rule}; found {RequestFields.Found(prompt)}"),
            };

        Prompt OfText(JsonElement value, string name)
        {
            string text = fields.TextOf(value, name);
            if (text.Length == 0)
            {
                throw fields.Refuse(name, "must not be empty");
            }

            ModelTokenizer tokenizer = model.Tokenizer
                ?? throw fields.Refuse(name, "must be token ids: this model has no tokenizer");
            return new Prompt(text, tokenizer.Encode(text, specialTokens: !settings.PlainContent));
        }

        Prompt OfIds(JsonElement value, string name)
        {
            int last = model.Engine.Configuration.VocabularySize - 1;
            int[] ids =
            [
                .. fields.ItemsOf(value, name).Select(
                    item => (int)fields.IntegerOf(item.Value, item.Name, 0, last)),
            ];
            return ids.Length == 0
                ? throw fields.Refuse(name, "must not be empty")
                : new Prompt(needsText ? TokenWords.Text(model.Tokenizer, ids) : string.Empty, ids);
        }
    }
}
