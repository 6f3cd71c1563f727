// Shared by the server's tests. Red here: the server does not start, or does not answer in JSON.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Server;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Generation;
using RingFlash.Reference.Tests.Model;
using RingFlash.Reference.Tests.Tokenization;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

/// <summary>An answer of the server.</summary>
internal sealed record Answer(int Status, string Body, HttpResponseMessage Message)
{
    public JsonNode Json => JsonNode.Parse(Body)!;

    public JsonNode Choice => Json["choices"]![0]!;

    public JsonNode Error => Json["error"]!;
}

/// <summary>A server on a free port over a small model, whose vocabulary is larger than its tokenizer's.</summary>
internal sealed class ServerUnderTest : IAsyncDisposable
{
    public const string ModelName = "tiny";

    public const int EndOfSequence = 481;

    private readonly WorkerPool workers;
    private readonly ApiServer server;
    private readonly ConcurrentQueue<Exception> faults;

    private ServerUnderTest(
        WorkerPool workers, GenerationEngine engine, ApiServer server, ConcurrentQueue<Exception> faults)
    {
        this.workers = workers;
        this.server = server;
        this.faults = faults;
        Engine = engine;
        Client = new HttpClient { BaseAddress = server.Address, Timeout = TimeSpan.FromMinutes(2) };
    }

    public GenerationEngine Engine { get; }

    public HttpClient Client { get; }

    public Uri Address => server.Address;

    /// <summary>Errors that the server took for its own fault.</summary>
    public IReadOnlyCollection<Exception> Faults => faults;

    public static async Task<ServerUnderTest> Start(
        Func<ServerSettings, ServerSettings>? change = null,
        GenerationLimits? limits = null,
        bool withTokenizer = true)
    {
        ModelConfiguration configuration = Configuration();
        WorkerPool workers = new(2);
        GenerationEngine engine = new(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers),
            limits ?? new GenerationLimits(),
            withTokenizer ? SmallTokenizer.Instance : null,
            [EndOfSequence]);
        ServerSettings settings = new() { ModelName = ModelName, Port = 0 };
        ServedModel model = withTokenizer
            ? new ServedModel(engine, ChatFormat.RingFlash20)
            : new ServedModel(engine, null, "it has no tokenizer");
        ConcurrentQueue<Exception> faults = new();
        ApiServer server = await ApiServer.Start(model, change?.Invoke(settings) ?? settings, faults.Enqueue);
        return new ServerUnderTest(workers, engine, server, faults);
    }

    public static ModelConfiguration Configuration() => Engines.Small(
        ("vocab_size", 512), ("max_position_embeddings", 32768));

    public Task<Answer> Post(string path, object body) => Send(path, JsonSerializer.Serialize(body));

    public async Task<Answer> Send(string path, string body, string type = "application/json")
    {
        using StringContent content = new(body, Encoding.UTF8, type);
        HttpResponseMessage response = await Client.PostAsync(path, content);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response);
    }

    /// <summary>Posts what must succeed.</summary>
    public async Task<JsonNode> Ask(string path, object body)
    {
        Answer answer = await Post(path, body);
        Assert.True(answer.Status == 200, answer.Body);
        return answer.Json;
    }

    /// <summary>Posts and reads a stream; the end mark is checked and left out.</summary>
    public async Task<List<JsonNode>> Stream(string path, object body)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, path)
        {
            Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        string[] events = text.Split("\n\n");
        Assert.Equal(["data: [DONE]", string.Empty], events[^2..]);
        return [.. events[..^2].Select(one =>
        {
            Assert.StartsWith("data: {", one, StringComparison.Ordinal);
            return JsonNode.Parse(one["data: ".Length..])!;
        })];
    }

    public async Task<(int Running, int Waiting)> Load()
    {
        JsonNode health = JsonNode.Parse(await Client.GetStringAsync("/health"))!;
        return ((int)health["running"]!, (int)health["waiting"]!);
    }

    /// <summary>Waits until nothing is computed, which must be soon.</summary>
    public async Task Idle(TimeSpan? within = null)
    {
        using CancellationTokenSource limit = new(within ?? TimeSpan.FromSeconds(10));
        while (Engine.Load != (0, 0))
        {
            await Task.Delay(5, limit.Token);
        }
    }

    public Task Stop() => server.Stop(TimeSpan.FromSeconds(20));

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await server.Stop(TimeSpan.FromSeconds(1));
        await server.DisposeAsync();
        await Engine.DisposeAsync();
        workers.Dispose();
    }
}
