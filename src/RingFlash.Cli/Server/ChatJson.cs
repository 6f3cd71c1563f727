using System.Text.Json;

namespace RingFlash.Cli.Server;

/// <summary>Answers of <c>/v1/chat/completions</c>; they name the format that the prompt was rendered in.</summary>
/// <param name="call">The request.</param>
/// <param name="model">Who answers.</param>
/// <param name="modelName">Its name.</param>
internal sealed class ChatJson(GenerationCall call, ServedModel model, string modelName)
    : AnswerJson(call, model, modelName)
{
    /// <inheritdoc/>
    protected override string IdPrefix => "chatcmpl";

    /// <inheritdoc/>
    protected override string WholeObject => "chat.completion";

    /// <inheritdoc/>
    protected override string ChunkObject => "chat.completion.chunk";

    /// <inheritdoc/>
    public override bool Tells(ChoicePart part) => part.Opens || base.Tells(part);

    /// <inheritdoc/>
    protected override void WriteWholeChoice(Utf8JsonWriter json, ChoicePart choice)
    {
        // With reasoning alone there is no answer, and that is null in vLLM.
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", choice.Text.Length == 0 && choice.Reasoning.Length > 0 ? null : choice.Text);
        json.WriteNull("refusal");
        WriteReasoning(json, choice.Reasoning.Length > 0 ? choice.Reasoning : null);
        json.WriteEndObject();
        WriteLogProbabilities(json, choice);
    }

    /// <inheritdoc/>
    protected override void WriteChunkChoice(Utf8JsonWriter json, ChoicePart part)
    {
        json.WriteStartObject("delta");
        if (part.Opens)
        {
            json.WriteString("role", "assistant");
        }

        if (part.Opens || part.Text.Length > 0)
        {
            json.WriteString("content", part.Text);
        }

        if (part.Reasoning.Length > 0)
        {
            WriteReasoning(json, part.Reasoning);
        }

        json.WriteEndObject();
        WriteLogProbabilities(json, part);
    }

    /// <inheritdoc/>
    protected override void WriteTail(Utf8JsonWriter json, ChoicePart first)
    {
        LogProbabilities.WritePrompt(json, first.PromptScores);
        WriteIds(json, "prompt_token_ids", Fields.ReturnTokenIds ? Call.Prompts[0].Ids : null);
        json.WriteString("prompt_text", Call.ReturnPromptText ? Call.Prompts[0].Text : null);
        json.WriteString("chat_format", Model.ChatFormat!.Name);
    }

    /// <inheritdoc/>
    protected override void WriteChunkHead(Utf8JsonWriter json, ChoicePart part)
    {
        if (!part.Opens)
        {
            return;
        }

        json.WriteString("chat_format", Model.ChatFormat!.Name);
        if (Fields.ReturnTokenIds)
        {
            WriteIds(json, "prompt_token_ids", Call.Prompts[0].Ids);
        }

        if (Call.ReturnPromptText)
        {
            json.WriteString("prompt_text", Call.Prompts[0].Text);
        }
    }

    // vLLM renamed the field in 2025; clients of either age find theirs.
    private static void WriteReasoning(Utf8JsonWriter json, string? reasoning)
    {
        json.WriteString("reasoning_content", reasoning);
        json.WriteString("reasoning", reasoning);
    }

    private void WriteLogProbabilities(Utf8JsonWriter json, ChoicePart part)
    {
        if (part.Scores.Count > 0)
        {
            LogProbabilities.WriteChat(json, part.Scores);
        }
        else
        {
            json.WriteNull("logprobs");
        }
    }
}
