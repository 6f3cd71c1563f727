using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// OpenAI's <c>/v1/completions</c> and no more: the prompt's log-probabilities come by <c>echo</c>, tokens by text.
/// </summary>
/// <remarks>Source: platform.openai.com, API reference, legacy completions.</remarks>
internal sealed class OpenAIDialect : ServerDialect
{
    /// <inheritdoc/>
    public override string Name => "openai";

    /// <inheritdoc/>
    public override string Path => "v1/completions";

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json, ScoreRequest request, string? model)
    {
        json.WriteStartObject();
        json.WriteString("model", model);
        WriteIds(json, "prompt", request.Prompts);
        json.WriteNumber("max_tokens", request.MaxTokens);
        json.WriteNumber("n", 1);
        json.WriteNumber("temperature", request.Greedy ? 0 : 1);
        json.WriteNumber("top_p", 1);
        json.WriteNumber("presence_penalty", 0);
        json.WriteNumber("frequency_penalty", 0);
        json.WriteNumber("seed", 0);
        json.WriteBoolean("echo", request.PromptScores);
        json.WriteBoolean("stream", false);
        json.WriteNumber("logprobs", ScoreRequest.TopCount);
        if (request.Extras)
        {
            json.WriteNumber("top_k", -1);
            json.WriteNumber("min_p", 0);
            json.WriteNumber("repetition_penalty", 1);
            json.WriteBoolean("ignore_eos", true);
            json.WriteBoolean("return_tokens_as_token_ids", true);
        }

        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<ServedSequence> Read(AnswerFields root, ScoreRequest request, AnswerReading reading)
    {
        AnswerFields choices = root.Need("choices");
        IReadOnlyList<AnswerFields> items = choices.Items();
        if (items.Count != request.Prompts.Count)
        {
            throw choices.Refuse($"has {items.Count} items for {request.Prompts.Count} prompts");
        }

        AnswerFields[] byIndex = [.. items.OrderBy(item => item.Find("index")?.Integer() ?? 0)];
        return [.. byIndex.Select((choice, index) => ReadChoice(choice, root, request, index, reading))];
    }

    private static ServedSequence ReadChoice(
        AnswerFields choice, AnswerFields root, ScoreRequest request, int index, AnswerReading reading)
    {
        IReadOnlyList<int> sent = request.Prompts[index];
        if (request.Prompts.Count == 1 && root.Find("usage")?.Find("prompt_tokens") is AnswerFields count
            && count.Integer() != sent.Count)
        {
            throw new ServerFaultException(
                OddityKind.IdsDiffer, count.Path, $"{count.Integer()} tokens where {sent.Count} were sent");
        }

        if (choice.Find("logprobs") is not AnswerFields lists)
        {
            return new ServedSequence();
        }

        if (!request.PromptScores || lists.Need("tokens").Items().Count <= request.MaxTokens)
        {
            // Without echo, or where it is ignored.
            ServedPlace[] told = CompletionLists.Read(lists, null, reading);
            return new ServedSequence { Generated = told, GeneratedIds = Ids(told) };
        }

        ServedPlace[] places = CompletionLists.Read(lists, null, reading, firstIsNull: true);
        if (places.Length < sent.Count || places.Length > sent.Count + request.MaxTokens)
        {
            throw lists.Refuse(
                $"has {places.Length} places for {sent.Count} tokens of the prompt and {request.MaxTokens} more");
        }

        ServedPlace[] prompt = places[..sent.Count], generated = places[sent.Count..];
        int?[] read = [.. prompt.Select(place => place.Token?.Id)];
        AnswerReading.RequireIds(sent, read, lists.Path);
        bool all = read.All(id => id is not null);
        if (!all)
        {
            reading.Oddities.Add(OddityKind.IdsNotTold, lists.Path);
        }

        // What is not told by id stands where it was sent: the number of tokens fits.
        ServedPlace?[] aligned =
        [
            .. prompt.Select((place, token) => token == 0
                ? null
                : place with { Token = place.Token! with { Id = sent[token] } }),
        ];
        return new ServedSequence
        {
            PromptIds = all ? sent : null,
            Prompt = aligned,
            Generated = generated,
            GeneratedIds = Ids(generated),
        };
    }

    private static int[]? Ids(ServedPlace[] places) =>
        places.All(place => place.Token?.Id is not null)
            ? [.. places.Select(place => place.Token!.Id!.Value)]
            : null;
}
