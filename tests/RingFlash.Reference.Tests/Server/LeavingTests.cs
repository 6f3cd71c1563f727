// Red here means that the server goes on computing for clients who have left, and others wait for nothing.
using System;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Generation;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class LeavingTests
{
    private const string Path = "/v1/completions";

    // Far more than can be computed while this test runs.
    private static readonly object Endless = new { prompt = new[] { 1 }, max_tokens = 32_000, ignore_eos = true };

    private static readonly object EndlessStream =
        new { prompt = new[] { 1 }, max_tokens = 32_000, ignore_eos = true, stream = true };

    private static readonly object LongPrompt =
        new { prompt = Enumerable.Repeat(7, 32_000).ToArray(), max_tokens = 1 };

    private static readonly object Several =
        new { prompt = new[] { 1 }, n = 2, max_tokens = 32_000, ignore_eos = true };

    [Theory]
    [InlineData("whole")]
    [InlineData("stream")]
    [InlineData("prefill")]
    [InlineData("several")]
    public async Task WhoLeavesFreesTheirPlace(string how)
    {
        await using ServerUnderTest server = await ServerUnderTest.Start(
            limits: new GenerationLimits { RunningRequests = 1, WaitingRequests = 1 });
        for (int visit = 0; visit < 5; visit++)
        {
            object body = how switch
            {
                "whole" => Endless,
                "stream" => EndlessStream,
                "prefill" => LongPrompt,
                _ => Several,
            };
            using CancellationTokenSource leave = new();
            Task answer = Visit(server.Client, body, leave.Token);
            await Until(async () => (await server.Load()).Running == 1);
            if (how == "several")
            {
                Assert.Equal((1, 1), await server.Load());
                Assert.Equal(429, (await server.Post(Path, Endless)).Status); // both places are taken
            }

            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
            await server.Idle(TimeSpan.FromSeconds(5));
            Assert.Equal(200, (await server.Post(Path, new { prompt = new[] { 1 }, max_tokens = 1 })).Status);
        }

        Assert.Empty(server.Faults);
    }

    private static async Task Visit(HttpClient client, object body, CancellationToken leave)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, Path)
        {
            Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage response =
            await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave);
        await using Stream stream = await response.Content.ReadAsStreamAsync(leave);
        byte[] buffer = new byte[4096];
        while (await stream.ReadAsync(buffer, leave) > 0)
        {
        }
    }

    private static async Task Until(Func<Task<bool>> holds)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
        while (!await holds())
        {
            await Task.Delay(2, limit.Token);
        }
    }
}
