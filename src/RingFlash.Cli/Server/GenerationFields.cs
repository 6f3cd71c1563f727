using System;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Server;

/// <summary>What completions and chats have in common, under vLLM's names.</summary>
internal sealed record GenerationFields
{
    private const int MostStops = 64;
    private const int LongestRequestId = 256;

    /// <summary>Whether tokens are sent as they come.</summary>
    public required bool Stream { get; init; }

    /// <summary>Whether a stream ends with the usage.</summary>
    public required bool IncludeUsage { get; init; }

    /// <summary>Whether every chunk of a stream tells the usage so far.</summary>
    public required bool ContinuousUsage { get; init; }

    /// <summary>Answers per prompt.</summary>
    public required int Count { get; init; }

    /// <summary>How tokens are chosen, for the first answer.</summary>
    public required SamplingOptions Sampling { get; init; }

    /// <summary>The most tokens to generate; null for what the context has room for.</summary>
    public required int? MaxTokens { get; init; }

    /// <summary>The field that said so.</summary>
    public required string MaxTokensName { get; init; }

    /// <summary>The most likely tokens told with each generated one; null for no log-probabilities.</summary>
    public required int? TopCount { get; init; }

    /// <summary>The same for the prompt.</summary>
    public required int? PromptTopCount { get; init; }

    /// <summary>Whether the answer begins with the prompt.</summary>
    public bool Echo { get; init; }

    /// <summary>Whether ids are told.</summary>
    public required bool ReturnTokenIds { get; init; }

    /// <summary>Whether log-probabilities name tokens as <c>token_id:N</c>.</summary>
    public required bool TokensAsIds { get; init; }

    /// <summary>Whether special tokens are left out of the text.</summary>
    public required bool SkipSpecialTokens { get; init; }

    /// <summary>Whether the stop string that was found stays in the text.</summary>
    public required bool IncludeStopString { get; init; }

    /// <summary>Whether the routed experts are told.</summary>
    public required bool RoutedExperts { get; init; }

    /// <summary>Tokens of the prompt whose experts are not told.</summary>
    public required int RoutedExpertsStart { get; init; }

    /// <summary>The client's name for the request; null where it has none.</summary>
    public required string? RequestId { get; init; }

    /// <summary>Whether nothing is to be generated: the prompt is echoed, and scored.</summary>
    public bool IsEchoOnly => Echo && MaxTokens == 0;

    /// <summary>Reads the fields.</summary>
    /// <param name="fields">The request.</param>
    /// <param name="settings">The server's limits.</param>
    /// <param name="vocabulary">Tokens of the model.</param>
    /// <param name="topName">The field that counts the most likely tokens.</param>
    /// <param name="maxTokens">The most tokens, by the rules of the endpoint, and the field that said so.</param>
    /// <returns>The values.</returns>
    /// <exception cref="InvalidInputException">A field breaks a rule.</exception>
    public static GenerationFields Read(
        RequestFields fields,
        ServerSettings settings,
        int vocabulary,
        string topName,
        (int? Value, string Name) maxTokens)
    {
        FieldRules.Check(fields);
        bool stream = fields.Flag("stream");
        (bool usage, bool continuous) = ReadStreamOptions(fields, stream);
        int? promptTop = ReadTop(fields, "prompt_logprobs", settings, vocabulary);
        if (stream && promptTop is not null)
        {
            throw fields.Refuse("prompt_logprobs", "is not available with stream; logprobs with echo are");
        }

        bool? experts = fields.Find("return_routed_experts") is null ? null : fields.Flag("return_routed_experts");
        if (stream && experts == true)
        {
            throw fields.Refuse("return_routed_experts", "is not available with stream");
        }

        string? requestId = fields.Text("request_id");
        if (requestId is not null && (requestId.Length > LongestRequestId || requestId.Any(char.IsControl)))
        {
            throw fields.Refuse("request_id", $"must be at most {LongestRequestId} printable characters");
        }

        return new GenerationFields
        {
            Stream = stream,
            IncludeUsage = usage,
            ContinuousUsage = continuous,
            Count = fields.Integer("n", 1) ?? 1,
            Sampling = ReadSampling(fields),
            MaxTokens = maxTokens.Value,
            MaxTokensName = maxTokens.Name,
            TopCount = ReadTop(fields, topName, settings, vocabulary),
            PromptTopCount = promptTop,
            ReturnTokenIds = fields.Flag("return_token_ids"),
            TokensAsIds = fields.Flag("return_tokens_as_token_ids"),
            SkipSpecialTokens = fields.Flag("skip_special_tokens", absent: true),
            IncludeStopString = fields.Flag("include_stop_str_in_output"),
            RoutedExperts = experts ?? (settings.RoutedExperts && !stream),
            RoutedExpertsStart = fields.Integer("routed_experts_prompt_start", 0) ?? 0,
            RequestId = requestId,
        };
    }

    private static (bool Usage, bool Continuous) ReadStreamOptions(RequestFields fields, bool stream)
    {
        if (fields.Find("stream_options") is not JsonElement value)
        {
            return (false, false);
        }

        RequestFields options = new(value, "stream_options");
        if (!stream)
        {
            throw fields.Refuse("stream_options", "needs stream true");
        }

        bool usage = options.Flag("include_usage", absent: true);
        return (usage, options.Flag("continuous_usage_stats") && usage);
    }

    // −1 asks for the whole vocabulary; the server's own limit holds for it too.
    private static int? ReadTop(RequestFields fields, string name, ServerSettings settings, int vocabulary)
    {
        int? count = fields.Integer(name, -1);
        int most = settings.MaxLogProbabilities == -1
            ? vocabulary
            : Math.Min(vocabulary, settings.MaxLogProbabilities);
        return count is null || (count == -1 ? vocabulary : count) <= most
            ? count
            : throw fields.Refuse(
                name, $"must be at most {most} here; serve --max-logprobs raises it, to {vocabulary} for -1");
    }

    private static SamplingOptions ReadSampling(RequestFields fields) => new()
    {
        Temperature = fields.Number("temperature", 1),
        TopK = fields.Integer("top_k", -1) ?? 0,
        TopP = fields.Number("top_p", 1),
        MinP = fields.Number("min_p", 0),
        RepetitionPenalty = fields.Number("repetition_penalty", 1),
        PresencePenalty = fields.Number("presence_penalty", 0),
        FrequencyPenalty = fields.Number("frequency_penalty", 0),
        Seed = (ulong?)fields.Integer("seed", long.MinValue, long.MaxValue) ?? RandomSeed(),
        StopStrings = fields.Find("stop") switch
        {
            null => [],
            { ValueKind: JsonValueKind.String } text => [fields.TextOf(text, "stop")],
            JsonElement list =>
                [.. fields.ItemsOf(list, "stop", MostStops).Select(item => fields.TextOf(item.Value, item.Name))],
        },
        StopTokenIds =
        [
            .. fields.Items("stop_token_ids").Select(
                item => (int)fields.IntegerOf(item.Value, item.Name, 0, int.MaxValue)),
        ],
        IgnoreEndOfSequence = fields.Flag("ignore_eos"),
    };

    // Who names no seed wants another answer each time, as vLLM gives it.
    private static ulong RandomSeed() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
}
