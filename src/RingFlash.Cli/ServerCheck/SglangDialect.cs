using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace RingFlash.Cli.ServerCheck;

/// <summary>SGLang's own <c>/generate</c>, which tells ids where its OpenAI route tells texts.</summary>
/// <remarks>Source: sgl-project/sglang@0101654f python/sglang/srt/managers/io_struct.py.</remarks>
internal sealed class SglangDialect : ServerDialect
{
    /// <inheritdoc/>
    public override string Name => "sglang";

    /// <inheritdoc/>
    public override string Path => "generate";

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter json, ScoreRequest request, string? model)
    {
        json.WriteStartObject();
        WriteIds(json, "input_ids", request.Prompts);
        json.WriteStartObject("sampling_params");
        json.WriteNumber("max_new_tokens", request.MaxTokens);
        json.WriteNumber("n", 1);
        json.WriteNumber("temperature", request.Greedy ? 0 : 1);
        json.WriteNumber("top_p", 1);
        json.WriteNumber("top_k", -1);
        json.WriteNumber("min_p", 0);
        json.WriteNumber("repetition_penalty", 1);
        json.WriteNumber("presence_penalty", 0);
        json.WriteNumber("frequency_penalty", 0);
        json.WriteBoolean("ignore_eos", true);
        json.WriteBoolean("skip_special_tokens", false);
        if (request.Extras)
        {
            json.WriteNumber("sampling_seed", 0);
        }

        json.WriteEndObject();
        json.WriteBoolean("stream", false);
        json.WriteBoolean("return_logprob", true);
        json.WriteNumber("logprob_start_len", request.PromptScores ? 0 : -1);
        json.WriteNumber("top_logprobs_num", ScoreRequest.TopCount);
        json.WriteBoolean("return_text_in_logprobs", false);
        if (request.Experts)
        {
            json.WriteBoolean("return_routed_experts", true);
        }

        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<ServedSequence> Read(AnswerFields root, ScoreRequest request, AnswerReading reading)
    {
        IReadOnlyList<AnswerFields> items = root.IsArray ? root.Items() : [root];
        return items.Count == request.Prompts.Count
            ? [.. items.Select((item, index) => ReadOne(item, request.Prompts[index], request, reading))]
            : throw root.Refuse($"has {items.Count} items for {request.Prompts.Count} prompts");
    }

    private static ServedSequence ReadOne(
        AnswerFields item, IReadOnlyList<int> sent, ScoreRequest request, AnswerReading reading)
    {
        AnswerFields meta = item.Need("meta_info");
        if (meta.Find("prompt_tokens") is AnswerFields count && count.Integer() != sent.Count)
        {
            throw new ServerFaultException(
                OddityKind.IdsDiffer, count.Path, $"{count.Integer()} tokens where {sent.Count} were sent");
        }

        AnswerFields? input = request.PromptScores ? meta.Find("input_token_logprobs") : null;
        if (input is null && request.PromptScores)
        {
            reading.Oddities.Add(OddityKind.IdsNotTold, meta.Path);
        }

        IReadOnlyList<int>? generated = item.Find("output_ids")?.Integers();
        ServedPlace[]? output = meta.Find("output_token_logprobs") is AnswerFields list
            ? [.. ReadPlaces(list, meta.Find("output_top_logprobs"), reading).Select(place => place!)]
            : null;
        generated ??= output is not null && output.All(place => place.Token?.Id is not null)
            ? [.. output.Select(place => place.Token!.Id!.Value)]
            : null;
        return new ServedSequence
        {
            PromptIds = input is null ? null : sent,
            Prompt = input is AnswerFields own ? ReadPrompt(own, meta, sent, reading) : null,
            GeneratedIds = generated,
            Generated = output,
            Experts = meta.Find("routed_experts") is AnswerFields experts
                ? ExpertsReader.ReadFlat(experts, sent.Count + (generated?.Count ?? 1), reading.Configuration)
                : null,
            CachedTokens = meta.Find("cached_tokens")?.Integer(),
        };
    }

    private static ServedPlace?[] ReadPrompt(
        AnswerFields own, AnswerFields meta, IReadOnlyList<int> sent, AnswerReading reading)
    {
        ServedPlace?[] places = ReadPlaces(own, meta.Find("input_top_logprobs"), reading, firstIsNull: true);
        int missing = sent.Count - places.Length;
        if (missing == 1)
        {
            reading.Oddities.Add(OddityKind.FirstMissing, own.Path);
            places = [null, .. ReadPlaces(own, meta.Find("input_top_logprobs"), reading)];
        }
        else if (missing != 0)
        {
            throw own.Refuse($"has {places.Length} places for {sent.Count} tokens");
        }

        AnswerReading.RequireIds(
            sent, [.. places.Select((place, token) => place is null ? sent[token] : place.Token?.Id)], own.Path);
        places[0] = null;
        return places;
    }

    // [logprob, id, text or null] for each token, and beside it a list of such, or null, for the most likely ones.
    private static ServedPlace?[] ReadPlaces(
        AnswerFields own, AnswerFields? tops, AnswerReading reading, bool firstIsNull = false)
    {
        IReadOnlyList<AnswerFields> items = own.Items();
        IReadOnlyList<AnswerFields>? topItems = tops?.Items();
        if (topItems is not null && topItems.Count != items.Count)
        {
            throw own.Refuse($"has {items.Count} tokens and {topItems.Count} lists of the most likely ones");
        }

        ServedPlace?[] places = new ServedPlace?[items.Count];
        for (int token = 0; token < items.Count; token++)
        {
            if (token == 0 && firstIsNull)
            {
                IReadOnlyList<AnswerFields> first = Triple(items[0]);
                if (!first[0].IsNull)
                {
                    reading.Oddities.Add(OddityKind.FirstScored, items[0].Path);
                }

                places[0] = new ServedPlace(new ServedToken(first[1].Integer(), null, null), []);
                continue;
            }

            ServedToken one = ReadToken(items[token], reading);
            ServedToken[] entries = topItems is null || topItems[token].IsNull
                ? []
                : [.. topItems[token].Items().Select(item => ReadToken(item, reading))];
            places[token] = reading.Place(one.Id, one, entries, items[token].Path);
        }

        return places;
    }

    private static ServedToken ReadToken(AnswerFields item, AnswerReading reading)
    {
        IReadOnlyList<AnswerFields> triple = Triple(item);
        int id = triple[1].Integer();
        return id < reading.Configuration.VocabularySize
            ? new ServedToken(id, triple[0].LogProbability(reading.Oddities), null)
            : throw triple[1].Refuse($"{id} is not in the vocabulary of {reading.Configuration.VocabularySize}");
    }

    private static IReadOnlyList<AnswerFields> Triple(AnswerFields item)
    {
        IReadOnlyList<AnswerFields> parts = item.Items();
        return parts.Count is 2 or 3 ? parts : throw item.Refuse("must be [log-probability, id, text]");
    }
}
