using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Reports;

/// <summary>What <c>ringflash generate</c> did, as JSON. A log-probability of −∞ is null.</summary>
internal static class GenerateJson
{
    private const string Schema = "ringflash-generate-report/1";

    /// <summary>Writes the report.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="model">The model as it was typed.</param>
    /// <param name="settings">How it was run.</param>
    /// <param name="engine">Who generated.</param>
    /// <param name="sampling">The sampling settings.</param>
    /// <param name="outputs">What came out.</param>
    public static void Write(
        Stream stream,
        string model,
        GenerationSettings settings,
        GenerationEngine engine,
        SamplingOptions sampling,
        IReadOnlyList<GenerationOutput> outputs)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteString("tool", ToolVersion.Text);
        json.WriteString("model", model);
        json.WriteString("precision", settings.Precision);
        json.WriteString("engine", settings.Engine.Word());
        json.WriteNumber("context", engine.ContextLimit);
        json.WriteString("rotary", engine.Configuration.Rotary.Describe());
        WriteSampling(json, sampling);
        Numbers(json, "end_of_sequence_ids", engine.EndOfSequenceIds);
        json.WriteStartArray("results");
        foreach (GenerationOutput output in outputs)
        {
            WriteOutput(json, output);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteSampling(Utf8JsonWriter json, SamplingOptions sampling)
    {
        json.WriteStartObject("sampling");
        json.WriteNumber("temperature", sampling.Temperature);
        json.WriteNumber("top_k", sampling.TopK);
        json.WriteNumber("top_p", sampling.TopP);
        json.WriteNumber("min_p", sampling.MinP);
        json.WriteNumber("repetition_penalty", sampling.RepetitionPenalty);
        json.WriteNumber("presence_penalty", sampling.PresencePenalty);
        json.WriteNumber("frequency_penalty", sampling.FrequencyPenalty);
        json.WriteString("seed", sampling.Seed.ToString(CultureInfo.InvariantCulture));
        json.WriteNumber("max_tokens", sampling.MaxTokens!.Value);
        json.WriteStartArray("stop");
        foreach (string stop in sampling.StopStrings)
        {
            json.WriteStringValue(stop);
        }

        json.WriteEndArray();
        Numbers(json, "stop_token_ids", sampling.StopTokenIds);
        json.WriteBoolean("ignore_eos", sampling.IgnoreEndOfSequence);
        json.WriteEndObject();
    }

    private static void WriteOutput(Utf8JsonWriter json, GenerationOutput output)
    {
        GenerationFinished end = output.End!;
        json.WriteStartObject();
        json.WriteString("chat_format", output.Prompt.Format);
        Numbers(json, "prompt_ids", output.Prompt.Ids);
        Numbers(json, "ids", output.Tokens.Select(token => token.Id));
        json.WriteString("text", output.Prompt.IsText ? output.Text.ToString() : null);
        json.WriteString("finish_reason", end.Reason == FinishReason.Stop ? "stop" : "length");
        json.WriteString("stop_string", end.StopString);
        if (end.StopTokenId is int stop)
        {
            json.WriteNumber("stop_token_id", stop);
        }

        if (output.Tokens[0].Score is not null)
        {
            json.WriteStartArray("logprobs");
            foreach (TokenGenerated token in output.Tokens)
            {
                json.WriteStartObject();
                WriteScored(json, token.Score!.Token);
                json.WriteStartArray("top");
                foreach (ScoredToken other in token.Score.Top)
                {
                    json.WriteStartObject();
                    WriteScored(json, other);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        if (end.Speculation is SpeculationStatistics drafts)
        {
            json.WriteStartObject("speculation");
            json.WriteNumber("passes", drafts.Passes);
            json.WriteNumber("tokens", drafts.Tokens);
            json.WriteNumber("tokens_per_pass", drafts.TokensPerPass);
            Numbers(json, "drafted", drafts.Drafted);
            Numbers(json, "accepted", drafts.Accepted);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteScored(Utf8JsonWriter json, ScoredToken token)
    {
        json.WriteNumber("id", token.Id);
        if (float.IsFinite(token.LogProbability))
        {
            json.WriteNumber("logprob", token.LogProbability);
        }
        else
        {
            json.WriteNull("logprob");
        }

        json.WriteNumber("rank", token.Rank);
    }

    private static void Numbers(Utf8JsonWriter json, string name, IEnumerable<int> values)
    {
        json.WriteStartArray(name);
        foreach (int value in values)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
