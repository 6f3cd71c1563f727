using System.Text.Json;

namespace RingFlash.Cli.Server;

/// <summary>Answers of <c>/v1/completions</c>.</summary>
/// <param name="call">The request.</param>
/// <param name="model">Who answers.</param>
/// <param name="modelName">Its name.</param>
internal sealed class CompletionJson(GenerationCall call, ServedModel model, string modelName)
    : AnswerJson(call, model, modelName)
{
    /// <inheritdoc/>
    protected override string IdPrefix => "cmpl";

    /// <inheritdoc/>
    protected override string WholeObject => "text_completion";

    /// <inheritdoc/>
    protected override string ChunkObject => "text_completion";

    /// <inheritdoc/>
    protected override void WriteWholeChoice(Utf8JsonWriter json, ChoicePart choice)
    {
        WriteText(json, choice);
        LogProbabilities.WritePrompt(json, choice.PromptScores);
        WriteIds(json, "prompt_token_ids", Fields.ReturnTokenIds ? Call.PromptOf(choice.Index).Ids : null);
    }

    /// <inheritdoc/>
    protected override void WriteChunkChoice(Utf8JsonWriter json, ChoicePart part)
    {
        WriteText(json, part);
        if (Fields.ReturnTokenIds)
        {
            WriteIds(json, "prompt_token_ids", part.Opens ? Call.PromptOf(part.Index).Ids : null);
        }
    }

    private void WriteText(Utf8JsonWriter json, ChoicePart part)
    {
        json.WriteString("text", part.Text);
        if (Fields.TopCount is int most)
        {
            LogProbabilities.WriteCompletion(json, part.Scores, most, part.TextOffset);
        }
        else
        {
            json.WriteNull("logprobs");
        }
    }
}
