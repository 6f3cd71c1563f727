using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace RingFlash.Cli.ServerCheck;

/// <summary>vLLM's <c>/v1/completions</c>, which <c>ringflash serve</c> speaks too.</summary>
/// <remarks>Source: vllm-project/vllm@002032ee vllm/entrypoints/openai/completion/protocol.py.</remarks>
internal sealed class VllmDialect : ServerDialect
{
    /// <inheritdoc/>
    public override string Name => "vllm";

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
        json.WriteNumber("top_k", 0);
        json.WriteNumber("min_p", 0);
        json.WriteNumber("repetition_penalty", 1);
        json.WriteNumber("presence_penalty", 0);
        json.WriteNumber("frequency_penalty", 0);
        json.WriteNumber("seed", 0);
        json.WriteBoolean("ignore_eos", true);
        json.WriteBoolean("skip_special_tokens", false);
        json.WriteBoolean("add_special_tokens", false);
        json.WriteBoolean("echo", false);
        json.WriteBoolean("stream", false);
        json.WriteNumber("logprobs", ScoreRequest.TopCount);
        if (request.PromptScores)
        {
            json.WriteNumber("prompt_logprobs", ScoreRequest.TopCount);
        }

        if (request.Extras)
        {
            json.WriteBoolean("return_token_ids", true);
            json.WriteBoolean("return_tokens_as_token_ids", true);
        }

        if (request.Experts)
        {
            json.WriteBoolean("return_routed_experts", true);
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
        AnswerFields? told = choice.Find("prompt_token_ids") ?? root.Find("prompt_token_ids");
        if (told is AnswerFields list)
        {
            AnswerReading.RequireIds(sent, list.Integers(), list.Path);
        }
        else if (request.Prompts.Count == 1
            && root.Find("usage")?.Find("prompt_tokens") is AnswerFields count
            && count.Integer() != sent.Count)
        {
            throw new ServerFaultException(
                OddityKind.IdsDiffer, count.Path, $"{count.Integer()} tokens where {sent.Count} were sent");
        }
        else
        {
            reading.Oddities.Add(OddityKind.IdsNotTold, choice.Path);
        }

        IReadOnlyList<int>? generated = choice.Find("token_ids")?.Integers();
        return new ServedSequence
        {
            PromptIds = told?.Integers(),
            Prompt = request.PromptScores && choice.Find("prompt_logprobs") is AnswerFields scores
                ? ReadPrompt(scores, sent, reading)
                : null,
            GeneratedIds = generated,
            Generated = choice.Find("logprobs") is AnswerFields lists
                ? CompletionLists.Read(lists, generated, reading)
                : null,
            Experts = choice.Find("routed_experts") is AnswerFields experts
                ? ExpertsReader.ReadNumpy(experts, reading.Configuration)
                : null,
            CachedTokens = root.Find("usage")?.Find("prompt_tokens_details")?.Find("cached_tokens")?.Integer(),
        };
    }

    private static ServedPlace?[] ReadPrompt(
        AnswerFields scores, IReadOnlyList<int> sent, AnswerReading reading)
    {
        IReadOnlyList<AnswerFields> items = scores.Items();
        int missing = sent.Count - items.Count;
        if (missing == 1)
        {
            reading.Oddities.Add(OddityKind.FirstMissing, scores.Path);
        }
        else if (missing != 0)
        {
            throw scores.Refuse($"has {items.Count} places for {sent.Count} tokens");
        }

        ServedPlace?[] places = new ServedPlace?[sent.Count];
        for (int token = missing; token < sent.Count; token++)
        {
            AnswerFields item = items[token - missing];
            if (token == 0)
            {
                if (!item.IsNull)
                {
                    reading.Oddities.Add(OddityKind.FirstScored, item.Path);
                }
            }
            else if (item.IsNull)
            {
                reading.Oddities.Add(OddityKind.Null, item.Path);
            }
            else
            {
                ServedToken[] entries = [.. item.Members().Select(member => ReadEntry(member, reading))];
                places[token] = reading.Place(sent[token], null, entries, item.Path);
            }
        }

        return places;
    }

    private static ServedToken ReadEntry((string Name, AnswerFields Value) member, AnswerReading reading)
    {
        int id = reading.Names.Parse(member.Name)
            ?? throw member.Value.Refuse("the key must be a token id of the vocabulary");
        AnswerFields number = member.Value.IsNull ? member.Value : member.Value.NeedEvenNull("logprob");
        return new ServedToken(
            id,
            number.LogProbability(reading.Oddities),
            member.Value.IsNull ? null : member.Value.Find("rank")?.Integer());
    }
}
