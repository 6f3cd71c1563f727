using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Generation;

namespace RingFlash.Cli.Server;

/// <summary>How answers are written: the same parts as one object, or as the chunks of a stream.</summary>
/// <param name="call">The request.</param>
/// <param name="model">Who answers.</param>
/// <param name="modelName">Its name.</param>
internal abstract class AnswerJson(GenerationCall call, ServedModel model, string modelName)
{
    private readonly string name = call.Fields.RequestId ?? Guid.NewGuid().ToString("N");
    private readonly long created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>What ids begin with.</summary>
    protected abstract string IdPrefix { get; }

    /// <summary>The value of <c>object</c> in an answer.</summary>
    protected abstract string WholeObject { get; }

    /// <summary>The value of <c>object</c> in a chunk.</summary>
    protected abstract string ChunkObject { get; }

    /// <summary>The request.</summary>
    protected GenerationCall Call { get; } = call;

    /// <summary>What is wanted.</summary>
    protected GenerationFields Fields => Call.Fields;

    /// <summary>Who answers.</summary>
    protected ServedModel Model { get; } = model;

    /// <summary>The writer of log-probabilities.</summary>
    protected LogProbabilityJson LogProbabilities { get; } = new(model.Tokenizer, call.Fields.TokensAsIds);

    /// <summary>Writes the answer.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="choices">One whole part for each answer.</param>
    public void WriteWhole(Utf8JsonWriter json, IReadOnlyList<ChoicePart> choices)
    {
        json.WriteStartObject();
        WriteHead(json, WholeObject);
        json.WriteStartArray("choices");
        foreach (ChoicePart choice in choices)
        {
            json.WriteStartObject();
            json.WriteNumber("index", choice.Index);
            WriteWholeChoice(json, choice);
            WriteFinish(json, choice);
            WriteIds(json, "token_ids", Fields.ReturnTokenIds ? choice.Ids : null);
            json.WriteString("routed_experts", Experts(choice.End!.RoutedExperts));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteUsage(json, Call.Prompts.Sum(prompt => prompt.Ids.Count), choices.Sum(choice => choice.Generated));
        WriteTail(json, choices[0]);
        json.WriteEndObject();
    }

    /// <summary>Writes a chunk of a stream.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="part">The part.</param>
    public void WriteChunk(Utf8JsonWriter json, ChoicePart part)
    {
        json.WriteStartObject();
        WriteHead(json, ChunkObject);
        WriteChunkHead(json, part);
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", part.Index);
        WriteChunkChoice(json, part);
        WriteFinish(json, part);
        if (Fields.ReturnTokenIds)
        {
            WriteIds(json, "token_ids", part.Ids);
        }

        json.WriteEndObject();
        json.WriteEndArray();
        if (Fields.ContinuousUsage)
        {
            WriteUsage(json, Call.PromptOf(part.Index).Ids.Count, part.Generated);
        }

        json.WriteEndObject();
    }

    /// <summary>Writes the chunk behind the last one.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="generated">Tokens of all answers.</param>
    public void WriteUsageChunk(Utf8JsonWriter json, int generated)
    {
        json.WriteStartObject();
        WriteHead(json, ChunkObject);
        json.WriteStartArray("choices");
        json.WriteEndArray();
        WriteUsage(json, Call.Prompts.Sum(prompt => prompt.Ids.Count), generated);
        json.WriteEndObject();
    }

    /// <summary>Whether a chunk would tell anything.</summary>
    /// <param name="part">The part.</param>
    /// <returns>The answer.</returns>
    public virtual bool Tells(ChoicePart part) =>
        part.End is not null || part.Text.Length > 0 || part.Reasoning.Length > 0 || part.Scores.Count > 0
        || (Fields.ReturnTokenIds && (part.Opens || part.Ids.Count > 0));

    /// <summary>Writes text and log-probabilities of a whole answer.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="choice">The answer.</param>
    protected abstract void WriteWholeChoice(Utf8JsonWriter json, ChoicePart choice);

    /// <summary>Writes text and log-probabilities of a chunk.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="part">The part.</param>
    protected abstract void WriteChunkChoice(Utf8JsonWriter json, ChoicePart part);

    /// <summary>Writes what an answer ends with.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="first">The first answer.</param>
    protected virtual void WriteTail(Utf8JsonWriter json, ChoicePart first)
    {
    }

    /// <summary>Writes what a chunk says beside its answer.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="part">The part.</param>
    protected virtual void WriteChunkHead(Utf8JsonWriter json, ChoicePart part)
    {
    }

    /// <summary>Writes ids.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="name">The field.</param>
    /// <param name="ids">The ids; null when not asked for.</param>
    protected static void WriteIds(Utf8JsonWriter json, string name, IReadOnlyList<int>? ids)
    {
        if (ids is null)
        {
            json.WriteNull(name);
            return;
        }

        json.WriteStartArray(name);
        foreach (int id in ids)
        {
            json.WriteNumberValue(id);
        }

        json.WriteEndArray();
    }

    private static void WriteUsage(Utf8JsonWriter json, int prompt, int generated)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", prompt);
        json.WriteNumber("total_tokens", prompt + generated);
        json.WriteNumber("completion_tokens", generated);
        json.WriteEndObject();
    }

    private static void WriteFinish(Utf8JsonWriter json, ChoicePart part)
    {
        json.WriteString("finish_reason", part.End?.Reason switch
        {
            null => null,
            FinishReason.Stop => "stop",
            _ => "length",
        });
        if (part.End?.StopTokenId is int id)
        {
            json.WriteNumber("stop_reason", id);
        }
        else
        {
            json.WriteString("stop_reason", part.End?.StopString);
        }
    }

    private void WriteHead(Utf8JsonWriter json, string kind)
    {
        json.WriteString("id", $"{IdPrefix}-{name}");
        json.WriteString("object", kind);
        json.WriteNumber("created", created);
        json.WriteString("model", modelName);
        json.WriteString("system_fingerprint", $"ringflash {ToolVersion.Text}");
    }

    private string? Experts(RoutedExperts? experts) => experts is null
        ? null
        : RoutedExpertsArray.Encode(experts, Fields.RoutedExpertsStart, Model.Engine.Configuration.ExpertCount);
}
