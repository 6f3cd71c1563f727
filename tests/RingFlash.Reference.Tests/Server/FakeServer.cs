// Shared by the tests of `server check`. Red here: the fake servers do not answer.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Cli;

namespace RingFlash.Reference.Tests.Server;

/// <summary>A request that a fake server got.</summary>
internal sealed record SeenRequest(string Method, string Path, string Body, string? Authorization);

/// <summary>
/// A server that speaks as vLLM, SGLang or OpenAI do by users.md B.2 and as their sources have it, with faults to be
/// switched on.
/// </summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private readonly FakeModel model;
    private readonly WebApplication application;
    private int posts;

    private FakeServer(FakeModel model, string kind)
    {
        this.model = model;
        Kind = kind;
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(
            System.Net.IPAddress.Loopback, 0, endpoint => endpoint.Protocols = HttpProtocols.Http1));
        builder.Services.AddSingleton<IHostLifetime, Forever>();
        application = builder.Build();
        application.Run(Answer);
    }

    /// <summary><c>vllm</c>, <c>sglang</c>, <c>openai</c>, or <c>texts</c>: openai with tokens named by text.</summary>
    public string Kind { get; }

    public string Address => application.Urls.First();

    public ConcurrentQueue<SeenRequest> Seen { get; } = new();

    /// <summary>May answer in place of the server; gets the number of the scoring request, from 1, or 0.</summary>
    public Func<HttpContext, int, Task<bool>> Intercept { get; set; } = (_, _) => Task.FromResult(false);

    /// <summary>Changes a scoring answer; gets the request and the answer.</summary>
    public Func<JsonNode, JsonNode, JsonNode> Damage { get; set; } = (_, answer) => answer;

    /// <summary>Changes the text of a scoring answer.</summary>
    public Func<string, string> DamageText { get; set; } = text => text;

    public bool TellsExperts { get; set; } = true;

    /// <summary>The place of the token that is taken at temperature 0, from 0.</summary>
    public int GreedyPlace { get; set; }

    /// <summary>What the texts of tokens are, for <c>texts</c>.</summary>
    public Func<int, string> TextOf { get; set; } = id => $"t{id}";

    public static async Task<FakeServer> Start(FakeModel model, string kind = "vllm")
    {
        FakeServer server = new(model, kind);
        await server.application.StartAsync();
        return server;
    }

    public Task<ToolRun> Check(params string[] words) => Check(null, CancellationToken.None, words);

    public Task<ToolRun> Check(string? key, CancellationToken cancellation, params string[] words) => ToolRun.In(
        ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()) with { ApiKey = key },
        cancellation,
        ["server", "check", Address, model.Name, "--json", Report, .. words]);

    /// <summary>Where <see cref="Check(string[])"/> writes its JSON.</summary>
    public string Report => Path.Combine(model.Folder, "report.json");

    public JsonNode Json => JsonNode.Parse(File.ReadAllText(Report))!;

    public string[] Oddities => [.. Json["oddities"]!.AsArray().Select(oddity => (string)oddity!["name"]!)];

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(1));
        await application.StopAsync(limit.Token);
        await application.DisposeAsync();
    }

    private async Task Answer(HttpContext http)
    {
        using StreamReader reader = new(http.Request.Body);
        string body = await reader.ReadToEndAsync(), path = http.Request.Path;
        Seen.Enqueue(new SeenRequest(http.Request.Method, path, body, http.Request.Headers.Authorization));
        bool scores = http.Request.Method == "POST" && path is "/v1/completions" or "/generate";
        if (await Intercept(http, scores ? Interlocked.Increment(ref posts) : 0))
        {
            return;
        }

        JsonNode? answer = (Kind, path) switch
        {
            ("vllm", "/version") => new JsonObject { ["version"] = "0.11.2" },
            ("vllm", "/v1/models") => Models("vllm"),
            ("openai" or "texts", "/v1/models") => Models("somebody"),
            ("sglang", "/get_model_info") => new JsonObject { ["model_path"] = "/models/ring" },
            ("sglang", "/get_server_info") => new JsonObject
            {
                ["version"] = "0.5.4", ["dtype"] = "bfloat16", ["tp_size"] = 4, ["api_key"] = "secret-of-the-server",
            },
            ("vllm", "/v1/completions") => Damage(JsonNode.Parse(body)!, Vllm(JsonNode.Parse(body)!)),
            ("openai" or "texts", "/v1/completions") => Damage(JsonNode.Parse(body)!, OpenAI(JsonNode.Parse(body)!)),
            ("sglang", "/generate") => Damage(JsonNode.Parse(body)!, Sglang(JsonNode.Parse(body)!)),
            _ => null,
        };
        if (answer is null)
        {
            http.Response.StatusCode = 404;
            return;
        }

        await Send(http, scores ? DamageText(answer.ToJsonString()) : answer.ToJsonString());
    }

    public static async Task Send(HttpContext http, string text, int status = 200, string type = "application/json")
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = type;
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        http.Response.ContentLength = bytes.Length;
        await http.Response.Body.WriteAsync(bytes);
    }

    private static JsonObject Models(string owner) => new()
    {
        ["object"] = "list",
        ["data"] = new JsonArray(new JsonObject
        {
            ["id"] = "ring", ["object"] = "model", ["owned_by"] = owner, ["root"] = "/models/ring",
            ["max_model_len"] = 4096,
        }),
    };

    private static int[][] Prompts(JsonNode prompts) => prompts[0]! is JsonArray
        ? [.. prompts.AsArray().Select(prompt => Ids(prompt!))]
        : [Ids(prompts)];

    private static int[] Ids(JsonNode ids) => [.. ids.AsArray().Select(id => (int)id!)];

    private Sequence[] Generate(JsonNode prompts, int count, double temperature)
    {
        int[][] all = Prompts(prompts);
        return [.. all.Select(prompt =>
        {
            List<int> ids = [.. prompt];
            for (int token = 0; token < count; token++)
            {
                float[] row = model.Run(ids, all.Length).LogProbabilities[^1];
                ids.Add(Best(row, GreedyPlace + 2)[temperature == 0 ? GreedyPlace : 1]);
            }

            (float[][] rows, int[] experts) = model.Run([.. ids.SkipLast(1)], all.Length);
            return new Sequence(prompt, [.. ids.Skip(prompt.Length)], rows, experts);
        })];
    }

    public static int[] Best(float[] row, int count) =>
        [.. Enumerable.Range(0, row.Length).OrderByDescending(id => row[id]).ThenBy(id => id).Take(count)];

    private JsonObject Vllm(JsonNode request)
    {
        Sequence[] sequences = Generate(
            request["prompt"]!, (int)request["max_tokens"]!, (double)request["temperature"]!);
        int? top = (int?)request["prompt_logprobs"];
        JsonArray choices = [];
        foreach (Sequence sequence in sequences)
        {
            choices.Add(new JsonObject
            {
                ["index"] = choices.Count,
                ["text"] = string.Empty,
                ["logprobs"] = Lists(
                    sequence,
                    sequence.Prompt.Length,
                    (int)request["logprobs"]!,
                    id => request["return_tokens_as_token_ids"] is null ? TextOf(id) : $"token_id:{id}"),
                ["finish_reason"] = "length",
                ["prompt_logprobs"] = top is null ? null : new JsonArray([.. sequence.Prompt.Select((id, token) =>
                    token == 0 ? null : (JsonNode)Entries(sequence.Rows[token - 1], id, top.Value))]),
                ["token_ids"] = request["return_token_ids"] is null ? null : Array(sequence.Generated),
                ["prompt_token_ids"] = request["return_token_ids"] is null ? null : Array(sequence.Prompt),
                ["routed_experts"] = TellsExperts ? Numpy(sequence) : null,
            });
        }

        return new JsonObject
        {
            ["id"] = "cmpl-1", ["object"] = "text_completion", ["model"] = "ring", ["choices"] = choices,
            ["usage"] = new JsonObject
            {
                ["prompt_tokens"] = sequences.Sum(sequence => sequence.Prompt.Length),
                ["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = 16 },
            },
        };
    }

    private static JsonObject Entries(float[] row, int id, int top)
    {
        JsonObject entries = [];
        foreach (int one in Best(row, top).Where(one => one != id).Prepend(id))
        {
            entries[$"{one}"] = new JsonObject
            {
                ["logprob"] = (double)row[one],
                ["rank"] = row.Count(value => value >= row[one]), // vLLM counts those that are as likely
                ["decoded_token"] = string.Empty,
            };
        }

        return entries;
    }

    private static JsonObject Lists(Sequence sequence, int from, int top, Func<int, string> name)
    {
        int[] ids = [.. sequence.Prompt, .. sequence.Generated];
        JsonArray tokens = [], numbers = [], tops = [], offsets = [];
        for (int token = from; token < ids.Length; token++)
        {
            float[]? row = token == 0 ? null : sequence.Rows[token - 1];
            tokens.Add(name(ids[token]));
            numbers.Add(row is null ? null : (JsonNode)(double)row[ids[token]]);
            offsets.Add(-1);
            JsonObject? entries = row is null ? null : [];
            foreach (int one in row is null ? [] : Best(row, top).Append(ids[token]).Distinct())
            {
                entries![name(one)] = (double)row![one]; // of two with one text the last stays, as in Python
            }

            tops.Add(entries);
        }

        return new JsonObject
        {
            ["text_offset"] = offsets, ["token_logprobs"] = numbers, ["tokens"] = tokens, ["top_logprobs"] = tops,
        };
    }

    private JsonObject OpenAI(JsonNode request)
    {
        JsonArray choices = [];
        bool echo = (bool?)request["echo"] ?? false;
        bool byId = Kind == "openai" && request["return_tokens_as_token_ids"] is not null;
        foreach (Sequence sequence in Generate(
            request["prompt"]!, (int)request["max_tokens"]!, (double)request["temperature"]!))
        {
            choices.Add(new JsonObject
            {
                ["index"] = choices.Count,
                ["text"] = string.Empty,
                ["logprobs"] = Lists(
                    sequence,
                    echo ? 0 : sequence.Prompt.Length,
                    (int)request["logprobs"]!,
                    id => byId ? $"token_id:{id}" : TextOf(id)),
                ["finish_reason"] = "length",
            });
        }

        return new JsonObject { ["choices"] = choices };
    }

    private JsonNode Sglang(JsonNode request)
    {
        JsonNode sampling = request["sampling_params"]!;
        Sequence[] sequences = Generate(
            request["input_ids"]!, (int)sampling["max_new_tokens"]!, (double)sampling["temperature"]!);
        bool prompt = (int)request["logprob_start_len"]! == 0;
        int top = (int)request["top_logprobs_num"]!;
        JsonNode[] answers = [.. sequences.Select(sequence =>
        {
            int[] ids = [.. sequence.Prompt, .. sequence.Generated];
            JsonObject meta = new()
            {
                ["id"] = "1",
                ["prompt_tokens"] = sequence.Prompt.Length,
                ["completion_tokens"] = sequence.Generated.Length,
                ["cached_tokens"] = 0,
                ["output_token_logprobs"] = Triples(sequence.Prompt.Length, ids.Length),
                ["output_top_logprobs"] = Tops(sequence.Prompt.Length, ids.Length),
            };
            if (prompt)
            {
                meta["input_token_logprobs"] = Triples(0, sequence.Prompt.Length);
                meta["input_top_logprobs"] = Tops(0, sequence.Prompt.Length);
            }

            if (TellsExperts && request["return_routed_experts"] is not null)
            {
                byte[] bytes = new byte[sequence.Experts.Length * sizeof(int)];
                Buffer.BlockCopy(sequence.Experts, 0, bytes, 0, bytes.Length);
                meta["routed_experts"] = Convert.ToBase64String(bytes);
            }

            return (JsonNode)new JsonObject
            {
                ["text"] = string.Empty, ["output_ids"] = Array(sequence.Generated), ["meta_info"] = meta,
            };

            JsonArray Triples(int from, int to) => new([.. Enumerable.Range(from, to - from).Select(token =>
                (JsonNode)Triple(token == 0 ? null : sequence.Rows[token - 1], ids[token]))]);

            JsonArray Tops(int from, int to) => new([.. Enumerable.Range(from, to - from).Select(token => token == 0
                ? null
                : (JsonNode)new JsonArray([.. Best(sequence.Rows[token - 1], top)
                    .Select(id => (JsonNode)Triple(sequence.Rows[token - 1], id))]))]);
        })];
        return answers.Length == 1 ? answers[0] : new JsonArray(answers);
    }

    private static JsonArray Triple(float[]? row, int id) => [row is null ? null : (JsonNode)(double)row[id], id, null];

    private static JsonArray Array(int[] ids) => new([.. ids.Select(id => (JsonNode)id)]);

    private string Numpy(Sequence sequence)
    {
        int layers = model.Configuration.LayerCount, topK = model.Configuration.ExpertsPerToken;
        string header =
            $"{{'descr': '|u1', 'fortran_order': False, 'shape': ({sequence.Rows.Length}, {layers}, {topK}), }}";
        header = header.PadRight(((header.Length + 11 + 63) / 64 * 64) - 11) + "\n";
        return Convert.ToBase64String(
        [
            0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, (byte)(header.Length >> 8),
            .. Encoding.ASCII.GetBytes(header),
            .. sequence.Experts.Select(expert => (byte)expert),
        ]);
    }

    /// <summary>Tokens and what the model says: rows and experts of all but the last token.</summary>
    private sealed record Sequence(int[] Prompt, int[] Generated, float[][] Rows, int[] Experts);

    private sealed class Forever : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
