using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.ServerCheck;

/// <summary>How a kind of server is asked and how it answers; knows nothing of HTTP.</summary>
internal abstract class ServerDialect
{
    private static readonly string[] ExtraFields =
    [
        "return_token_ids", "return_tokens_as_token_ids", "sampling_seed", "top_k", "min_p", "repetition_penalty",
        "ignore_eos",
    ];

    /// <summary>Its word for <c>--api</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Where requests go.</summary>
    public abstract string Path { get; }

    /// <summary>Writes a request: token ids, and every field that chooses a token.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="request">The request.</param>
    /// <param name="model">The model's name there.</param>
    public abstract void Write(Utf8JsonWriter json, ScoreRequest request, string? model);

    /// <summary>Reads an answer.</summary>
    /// <param name="root">The answer.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="reading">What is needed to understand it.</param>
    /// <returns>One sequence for each prompt.</returns>
    /// <exception cref="InvalidInputException">It has another form.</exception>
    /// <exception cref="ServerFaultException">The server read other ids.</exception>
    public abstract IReadOnlyList<ServedSequence> Read(AnswerFields root, ScoreRequest request, AnswerReading reading);

    /// <summary>Without what a server does not take: what its message names, else one thing after the other.</summary>
    /// <param name="request">The request.</param>
    /// <param name="message">Why it was refused.</param>
    /// <returns>Less of it, and what is missing; null where nothing can be left out.</returns>
    public static (ScoreRequest Request, string Without)? Less(ScoreRequest request, string message)
    {
        (bool Can, string[] Fields, ScoreRequest Less, string Without)[] parts =
        [
            (request.Experts, ["routed_experts"], request with { Experts = false }, "routed experts"),
            (request.Extras, ExtraFields, request with { Extras = false }, "fields that not every server knows"),
            (request.PromptScores, ["prompt_logprobs", "prompt logprobs", "logprob_start_len", "echo"],
                request with { PromptScores = false }, "prompt log-probabilities"),
        ];
        (bool Can, string[] Fields, ScoreRequest Less, string Without)[] possible = [.. parts.Where(part => part.Can)];
        if (possible.Length == 0)
        {
            return null;
        }

        int named = Array.FindIndex(
            possible, part => part.Fields.Any(field => message.Contains(field, StringComparison.Ordinal)));
        return (possible[Math.Max(named, 0)].Less, possible[Math.Max(named, 0)].Without);
    }

    /// <summary>The dialect of a word.</summary>
    /// <param name="word">The word.</param>
    /// <returns>The dialect; null for another word.</returns>
    public static ServerDialect? Of(string word) =>
        new ServerDialect[] { new VllmDialect(), new SglangDialect(), new OpenAIDialect() }
            .FirstOrDefault(dialect => dialect.Name == word);

    /// <summary>A request as bytes.</summary>
    /// <param name="request">The request.</param>
    /// <param name="model">The model's name there.</param>
    /// <returns>UTF-8.</returns>
    public byte[] Body(ScoreRequest request, string? model)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            Write(json, request, model);
        }

        return stream.ToArray();
    }

    /// <summary>Writes one prompt as ids, several as lists of ids.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="name">The field.</param>
    /// <param name="prompts">The prompts.</param>
    protected static void WriteIds(Utf8JsonWriter json, string name, IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        json.WritePropertyName(name);
        if (prompts.Count == 1)
        {
            WriteIds(json, prompts[0]);
            return;
        }

        json.WriteStartArray();
        foreach (IReadOnlyList<int> prompt in prompts)
        {
            WriteIds(json, prompt);
        }

        json.WriteEndArray();
    }

    private static void WriteIds(Utf8JsonWriter json, IReadOnlyList<int> ids)
    {
        json.WriteStartArray();
        foreach (int id in ids)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();
    }
}

/// <summary>What is needed to understand an answer.</summary>
/// <param name="Configuration">The model.</param>
/// <param name="Names">Its tokens.</param>
/// <param name="Oddities">Takes notes.</param>
internal sealed record AnswerReading(ModelConfiguration Configuration, TokenNames Names, OddityList Oddities)
{
    /// <summary>
    /// Sorts a place's entries: the token that stands there, and the most likely ones. Repeated ids count once.
    /// </summary>
    /// <param name="id">The token that stands there; null where it is not known by id.</param>
    /// <param name="own">Its number where it is told apart; null where it is among the entries.</param>
    /// <param name="entries">The entries.</param>
    /// <param name="path">The place.</param>
    /// <returns>The place.</returns>
    public ServedPlace Place(int? id, ServedToken? own, IReadOnlyList<ServedToken> entries, string path)
    {
        own ??= id is null ? null : entries.FirstOrDefault(entry => entry.Id == id);
        if (own is null && id is not null && entries.Count > 0)
        {
            Oddities.Add(OddityKind.TokenMissing, path, $"token {id}");
        }

        ServedToken[] top =
        [
            .. entries.OrderByDescending(entry => entry.LogProbability ?? double.NegativeInfinity)
                .Take(ScoreRequest.TopCount),
        ];
        if (entries.Count > 0 && top.Length < Math.Min(ScoreRequest.TopCount, Configuration.VocabularySize))
        {
            Oddities.Add(OddityKind.FewerTop, path, $"{top.Length} of {ScoreRequest.TopCount}");
        }

        return new ServedPlace(own, top);
    }

    /// <summary>Compares ids before any number is looked at.</summary>
    /// <param name="sent">What was sent.</param>
    /// <param name="read">What the server says that it read.</param>
    /// <param name="path">The place.</param>
    /// <exception cref="ServerFaultException">They differ.</exception>
    public static void RequireIds(IReadOnlyList<int> sent, IReadOnlyList<int?> read, string path)
    {
        if (sent.Count != read.Count)
        {
            throw new ServerFaultException(
                OddityKind.IdsDiffer, path, $"{read.Count} tokens where {sent.Count} were sent");
        }

        for (int token = 0; token < sent.Count; token++)
        {
            if (read[token] is int id && id != sent[token])
            {
                throw new ServerFaultException(
                    OddityKind.IdsDiffer, path, $"token {token} is {id}, and {sent[token]} was sent");
            }
        }
    }

    /// <summary>The same for ids that are all known.</summary>
    /// <param name="sent">What was sent.</param>
    /// <param name="read">What the server says that it read.</param>
    /// <param name="path">The place.</param>
    public static void RequireIds(IReadOnlyList<int> sent, IReadOnlyList<int> read, string path) =>
        RequireIds(sent, [.. read.Select(id => (int?)id)], path);
}
