// Red here means that answers are lost, mixed or cut when many ask at once, or that company changes an answer.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net.Http;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Generation;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class ManyClientsTests(ITestOutputHelper output)
{
    private const int Clients = 64;

    [Fact]
    public Task EveryAnswerIsAsAlone() => Run(TimeSpan.FromSeconds(4));

    [Fact(Explicit = true)]
    [Trait("Category", "Endurance")]
    public Task EveryAnswerIsAsAloneForAMinute() => Run(TimeSpan.FromMinutes(1));

    private async Task Run(TimeSpan time)
    {
        // Fewer places than clients: some are sent away and come back.
        await using ServerUnderTest server = await ServerUnderTest.Start(
            limits: new GenerationLimits { RunningRequests = 16, WaitingRequests = 24, PromptTokensPerPass = 64 });
        JsonObject[] requests = [.. Enumerable.Range(0, 48).Select(Request)];
        string[] expected = new string[requests.Length];
        for (int index = 0; index < requests.Length; index++)
        {
            expected[index] = await Ask(server.Client, requests[index]) ?? throw new InvalidOperationException("429");
        }

        Assert.Equal(requests.Length, expected.Distinct().Count());
        int answered = 0, sentAway = 0;
        Stopwatch watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => Task.Run(async () =>
        {
            Random random = new(client);
            using HttpClient own = new() { BaseAddress = server.Address };
            while (watch.Elapsed < time)
            {
                int index = random.Next(requests.Length);
                string? found = await Ask(own, requests[index]);
                while (found is null)
                {
                    Interlocked.Increment(ref sentAway);
                    await Task.Delay(random.Next(50, 250)); // Retry-After asks for more
                    found = await Ask(own, requests[index]);
                }

                Assert.Equal(expected[index], found);
                Interlocked.Increment(ref answered);
            }
        })));
        output.WriteLine(
            $"{answered} answers to {Clients} clients in {watch.Elapsed.TotalSeconds:0.0} s, {sentAway} times 429");
        Assert.InRange(answered, Clients, int.MaxValue);
        Assert.InRange(sentAway, 1, int.MaxValue);
        await server.Idle();
        Assert.Empty(server.Faults);
    }

    private static JsonObject Request(int index)
    {
        bool chat = index % 3 == 0;
        JsonObject request = new()
        {
            ["seed"] = index,
            ["max_tokens"] = 3 + (index * 7 % 40),
            ["temperature"] = index % 5 == 0 ? 0 : 1,
            ["stream"] = index % 2 == 0,
            ["return_token_ids"] = true,
            ["n"] = 1 + (index % 4 == 1 ? 1 : 0),
        };
        string words = string.Join(
            ' ', Enumerable.Range(0, 1 + (index * 5 % 60)).Select(word => $"word {word * index}"));
        int[] ids = [.. Enumerable.Range(0, 1 + (index * 11 % 200)).Select(id => id * index % 512)];
        if (chat)
        {
            request["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = words });
            request["logprobs"] = true;
            request["top_logprobs"] = 2;
        }
        else
        {
            request["prompt"] = index % 2 == 0
                ? new JsonArray([.. ids.Select(id => (JsonNode)id)])
                : words;
            request["logprobs"] = 2;
            request["echo"] = index % 4 == 2;
        }

        return request;
    }

    /// <summary>What was answered, without what is new each time, in an order that does not depend on who came first.
    /// </summary>
    private static async Task<string?> Ask(HttpClient client, JsonObject request)
    {
        using StringContent content = new(request.ToJsonString(), Encoding.UTF8, "application/json");
        string path = request.ContainsKey("messages") ? "/v1/chat/completions" : "/v1/completions";
        using HttpResponseMessage response = await client.PostAsync(path, content);
        string text = await response.Content.ReadAsStringAsync();
        if ((int)response.StatusCode == 429)
        {
            Assert.NotNull(response.Headers.RetryAfter);
            return null;
        }

        Assert.True(response.IsSuccessStatusCode, text);
        if (!(bool)request["stream"]!)
        {
            return Strip(text);
        }

        string[] events = text.Split("\n\n");
        Assert.Equal(["data: [DONE]", string.Empty], events[^2..]);
        return string.Join('\n', events[..^2]
            .Select(one => Strip(one["data: ".Length..]))
            .GroupBy(chunk => (int)JsonNode.Parse(chunk)!["choices"]![0]!["index"]!)
            .OrderBy(choice => choice.Key)
            .Select(choice => string.Join('\n', choice)));
    }

    private static string Strip(string json)
    {
        JsonObject answer = JsonNode.Parse(json)!.AsObject();
        Assert.True(answer.Remove("id") && answer.Remove("created"));
        return answer.ToJsonString();
    }
}
