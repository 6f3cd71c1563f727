using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace RingFlash.Cli.ServerCheck;

/// <summary>What a server says about itself.</summary>
internal sealed record ServerIdentity
{
    // Never the whole list: SGLang's tells its keys.
    private static readonly string[] ToldFlags =
    [
        "dtype", "quantization", "kv_cache_dtype", "tp_size", "ep_size", "dp_size", "pp_size", "attention_backend",
        "moe_runner_backend", "chunked_prefill_size", "disable_radix_cache", "enable_deterministic_inference",
        "enable_return_routed_experts", "sampling_backend", "context_length",
    ];

    /// <summary>How it is spoken to.</summary>
    public required ServerDialect Dialect { get; init; }

    /// <summary>How that was found out.</summary>
    public required string FoundBy { get; init; }

    /// <summary>The model's name in requests; null where none is told.</summary>
    public string? ModelName { get; init; }

    /// <summary>The model's path there; null where it is not told.</summary>
    public string? ModelPath { get; init; }

    /// <summary>The most tokens of a sequence; null where it is not told.</summary>
    public int? LongestSequence { get; init; }

    /// <summary>Its version; null where it is not told.</summary>
    public string? Version { get; init; }

    /// <summary>Its flags that matter for numbers, as <c>name=value</c>.</summary>
    public IReadOnlyList<string> Flags { get; init; } = [];

    /// <summary>Asks.</summary>
    /// <param name="connection">The server.</param>
    /// <param name="wanted">How it is to be spoken to; null to find out.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>What it says.</returns>
    /// <exception cref="ServerFaultException">It cannot be reached, or speaks nothing that is known here.</exception>
    public static async Task<ServerIdentity> Ask(
        ServerConnection connection, ServerDialect? wanted, CancellationToken cancellation)
    {
        JsonElement? models = await connection.Find("v1/models", cancellation).ConfigureAwait(false);
        JsonElement model = FirstModel(models);
        string owner = Text(model, "owned_by") ?? string.Empty;
        JsonElement? vllm = wanted is null or VllmDialect
            ? await connection.Find("version", cancellation).ConfigureAwait(false)
            : null;
        JsonElement? info = null, flags = null;
        if (wanted is SglangDialect || (wanted is null && vllm is null && owner is not ("vllm" or "ringflash")))
        {
            info = await connection.Find("get_model_info", cancellation).ConfigureAwait(false)
                ?? await connection.Find("model_info", cancellation).ConfigureAwait(false);
            flags = info is null ? null
                : await connection.Find("get_server_info", cancellation).ConfigureAwait(false)
                    ?? await connection.Find("server_info", cancellation).ConfigureAwait(false);
        }

        (ServerDialect dialect, string foundBy) =
            wanted is not null ? (wanted, "--api")
            : info is not null ? ((ServerDialect)new SglangDialect(), "it answers /get_model_info")
            : owner is "vllm" or "ringflash" ? (new VllmDialect(), $"/v1/models is owned by {owner}")
            : vllm is not null ? (new VllmDialect(), "it answers /version")
            : models is not null ? (new OpenAIDialect(), "it answers /v1/models")
            : throw new ServerFaultException(
                OddityKind.NotFound,
                "GET /v1/models",
                "neither /v1/models nor /version nor /get_model_info is there; --api names an interface");
        return new ServerIdentity
        {
            Dialect = dialect,
            FoundBy = foundBy,
            ModelName = Text(model, "id"),
            ModelPath = Text(info, "model_path") ?? Text(model, "root"),
            LongestSequence = Integer(model, "max_model_len"),
            Version = Text(vllm, "version") ?? Text(flags, "version"),
            Flags = [.. ToldFlags.Select(name => (name, value: Text(flags, name)))
                .Where(flag => flag.value is not null)
                .Select(flag => $"{flag.name}={flag.value}")],
        };
    }

    private static JsonElement FirstModel(JsonElement? models) =>
        models is { ValueKind: JsonValueKind.Object } list
        && list.TryGetProperty("data", out JsonElement data)
        && data.ValueKind == JsonValueKind.Array
        && data.GetArrayLength() > 0
            ? data[0]
            : default;

    private static string? Text(JsonElement? element, string name) =>
        element is { ValueKind: JsonValueKind.Object } found && found.TryGetProperty(name, out JsonElement value)
            ? value.ValueKind switch
            {
                JsonValueKind.String => value.GetString(),
                JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
                _ => null,
            }
            : null;

    private static int? Integer(JsonElement element, string name) =>
        int.TryParse(Text(element, name), NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            ? value
            : null;
}
