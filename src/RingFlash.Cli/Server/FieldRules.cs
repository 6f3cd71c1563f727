using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace RingFlash.Cli.Server;

/// <summary>
/// The fields of OpenAI's and vLLM's requests that this server does not carry out. A value that would change the answer
/// is refused by name; one that changes nothing passes, because clients send defaults. README.md lists them all.
/// </summary>
/// <remarks>
/// Fields that neither of the two knows pass and are named in the header <c>X-Ignored-Fields</c>: vLLM takes them and
/// notes them in its log (vllm-project/vllm@040a2cc vllm/entrypoints/openai/engine/protocol.py, OpenAIBaseModel).
/// </remarks>
internal static class FieldRules
{
    /// <summary>Fields without an effect on what is generated.</summary>
    private static readonly string[] WithoutEffect =
    [
        "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
        "cache_salt", "session_id", "parallel_tool_calls", "add_special_tokens", "spaces_between_special_tokens",
        "return_mm_kwargs", "return_token_offsets", "truncation_side",
    ];

    private static readonly (string Name, Func<JsonElement, bool> ChangesNothing, string Why)[] Unsupported =
    [
        ("allowed_token_ids", Never, "tokens are not masked"),
        ("audio", Never, "the model is one of text"),
        ("bad_words", IsEmpty, "tokens are not masked"),
        ("best_of", value => IsNumber(value, 1), "n answers are n draws; none is chosen among more"),
        ("chat_template", Never, "the two published formats are written in C#; choose one with serve --template"),
        ("chat_template_kwargs", IsEmpty, "the published formats read none"),
        ("continue_final_message", IsFalse, "render the text yourself and use /v1/completions"),
        ("documents", IsEmpty, "the published formats read none"),
        ("ec_transfer_params", Never, "there is one engine"),
        ("function_call", value => IsText(value, "none"), "calls of tools are not read from answers"),
        ("functions", IsEmpty, "calls of tools are not read from answers"),
        ("guided_choice", Never, "answers are not constrained"),
        ("guided_grammar", Never, "answers are not constrained"),
        ("guided_json", Never, "answers are not constrained"),
        ("guided_regex", Never, "answers are not constrained"),
        ("kv_transfer_params", Never, "there is one engine"),
        ("length_penalty", value => IsNumber(value, 1), "there is no beam search"),
        ("logit_bias", IsEmpty, "logits are the model's own"),
        ("logprob_token_ids", Never, "ask for logprobs -1 and pick"),
        ("media_io_kwargs", IsEmpty, "the model is one of text"),
        ("min_tokens", value => IsNumber(value, 0), "tokens are not masked"),
        ("mm_processor_kwargs", IsEmpty, "the model is one of text"),
        ("modalities", IsTextOnly, "the model is one of text"),
        ("prediction", Never, "answers are not predicted"),
        ("priority", value => IsNumber(value, 0), "requests are served as they come"),
        ("prompt_embeds", Never, "prompts are texts or token ids"),
        ("reasoning_effort", Never, "the published formats do not read it"),
        ("repetition_detection", Never, "outputs end by the rules of stop, stop_token_ids and max_tokens"),
        ("response_format", value => IsOfType(value, "text"), "answers are not constrained"),
        ("stream_interval", value => IsNumber(value, 1), "every token is sent when it is there"),
        ("structured_outputs", Never, "answers are not constrained"),
        ("suffix", value => IsText(value, string.Empty), "the model continues texts only"),
        ("thinking_token_budget", value => IsNumber(value, -1), "reasoning is not cut short"),
        ("tool_choice", value => IsText(value, "none"), "calls of tools are not read from answers"),
        ("tools", Never, "calls of tools are not read from answers"),
        ("truncate_prompt_tokens", Never, "prompts are taken whole"),
        ("use_beam_search", IsFalse, "there is no beam search"),
        ("verbosity", Never, "the published formats do not read it"),
        ("vllm_xargs", IsEmpty, "vLLM's extensions are not here"),
        ("watermarking", IsFalse, "tokens are drawn from the model's distribution"),
        ("web_search_options", Never, "nothing is searched"),
    ];

    /// <summary>The fields that may be refused.</summary>
    public static IEnumerable<string> UnsupportedNames => Unsupported.Select(rule => rule.Name);

    /// <summary>The fields that pass whatever they hold.</summary>
    public static IReadOnlyList<string> NamesWithoutEffect => WithoutEffect;

    /// <summary>Refuses what would change the answer and is not carried out.</summary>
    /// <param name="fields">The request.</param>
    public static void Check(RequestFields fields)
    {
        foreach ((string name, Func<JsonElement, bool> changesNothing, string why) in Unsupported)
        {
            if (fields.Find(name) is JsonElement value && !changesNothing(value))
            {
                throw fields.Refuse(name, $"is not supported: {why}; found {RequestFields.Found(value)}");
            }
        }

        foreach (string name in WithoutEffect)
        {
            _ = fields.Find(name);
        }
    }

    private static bool Never(JsonElement value) => false;

    private static bool IsFalse(JsonElement value) => value.ValueKind == JsonValueKind.False;

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    private static bool IsNumber(JsonElement value, double number) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double found) && found == number;

    private static bool IsText(JsonElement value, string text) =>
        value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    private static bool IsOfType(JsonElement value, string type) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty("type", out JsonElement found)
        && IsText(found, type);

    private static bool IsTextOnly(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => IsText(item, "text"));
}
