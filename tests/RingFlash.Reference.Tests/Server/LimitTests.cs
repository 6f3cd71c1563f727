// Red here means that a client can hold the server up, fill its memory, or get in without a key.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Cli.Server;
using RingFlash.Reference.Generation;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class LimitTests
{
    private const string Path = "/v1/completions";

    private static readonly object Short = new { prompt = new[] { 1, 2 }, max_tokens = 2 };

    [Fact]
    public async Task ABodyThatIsTooLongIs413()
    {
        await using ServerUnderTest server = await ServerUnderTest.Start();
        int longest = new ServerSettings { ModelName = "x" }.LongestBody;
        Assert.Equal(4 << 20, longest);
        string padding = new(' ', longest - 40);
        Answer fits = await server.Send(Path, $$"""{"prompt": [1], "max_tokens": 1}{{padding}}""");
        Assert.Equal(200, fits.Status);

        string head = $"POST {Path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        string declared = await Talk(server, head + $"Content-Length: {longest + 1}\r\n\r\n{{");
        Assert.StartsWith("HTTP/1.1 413 ", declared, StringComparison.Ordinal);
        Assert.Contains("Connection: close", declared, StringComparison.Ordinal);
        Assert.Contains("\"code\":413", declared, StringComparison.Ordinal);

        string endless = await Talk(
            server,
            head + "Transfer-Encoding: chunked\r\n\r\n",
            Enumerable.Repeat($"10000\r\n{new string(' ', 65536)}\r\n", 200));
        Assert.StartsWith("HTTP/1.1 413 ", endless, StringComparison.Ordinal);
        await AssertServing(server);
    }

    [Fact]
    public async Task TenThousandHeadersAre431()
    {
        await using ServerUnderTest server = await ServerUnderTest.Start();
        StringBuilder request = new("GET /health HTTP/1.1\r\nHost: localhost\r\n");
        for (int header = 0; header < 10_000; header++)
        {
            request.Append($"X-{header}: 1\r\n");
        }

        string answer = await Talk(server, request.Append("\r\n").ToString());
        Assert.StartsWith("HTTP/1.1 431 ", answer, StringComparison.Ordinal);
        await AssertServing(server);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ASlowSenderIsCutOff(bool headers)
    {
        await using ServerUnderTest server = await ServerUnderTest.Start(settings => settings with
        {
            HeaderTime = TimeSpan.FromSeconds(1), SlowBodyTime = TimeSpan.FromSeconds(1.5),
        });
        string begun = headers
            ? "POST /v1/completions HTTP/1.1\r\nX-Slow: "
            : "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: 1000\r\n\r\n{";
        long start = Environment.TickCount64;
        string answer = await Talk(server, begun, Enumerable.Repeat("x", 60), TimeSpan.FromMilliseconds(250));
        Assert.InRange(Environment.TickCount64 - start, 500, 12_000);
        Assert.True(
            answer.Length == 0 || answer.StartsWith("HTTP/1.1 408 ", StringComparison.Ordinal), answer);
        await AssertServing(server);
    }

    [Fact]
    public async Task WhoeverDoesNotFitIsToldToComeBack()
    {
        await using ServerUnderTest server = await ServerUnderTest.Start(
            limits: new GenerationLimits { RunningRequests = 1, WaitingRequests = 4 });
        Answer[] answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(client => server.Post(
            Path, new { prompt = new[] { client + 1 }, max_tokens = 200, ignore_eos = true })));
        int good = answers.Count(answer => answer.Status == 200);
        Assert.Equal(100, good + answers.Count(answer => answer.Status == 429));
        Assert.InRange(good, 5, 99);
        foreach (Answer answer in answers.Where(answer => answer.Status == 429))
        {
            Assert.InRange(answer.Message.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
            Assert.Equal("TooManyRequestsError", (string)answer.Error["type"]!);
        }

        await AssertServing(server);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AnAnswerThatTakesTooLongIsBrokenOff(bool stream)
    {
        await using ServerUnderTest server = await ServerUnderTest.Start(
            settings => settings with { AnswerTime = TimeSpan.FromMilliseconds(300) });
        object body = new { prompt = new[] { 1 }, max_tokens = 30_000, ignore_eos = true, stream };
        if (stream)
        {
            List<JsonNode> chunks = await server.Stream(Path, body);
            Assert.True(chunks.Count > 1);
            Assert.Equal(504, (int)chunks[^1]["error"]!["code"]!);
        }
        else
        {
            Answer answer = await server.Post(Path, body);
            Assert.Equal(504, answer.Status);
            Assert.Contains("0.3 s", (string)answer.Error["message"]!, StringComparison.Ordinal);
        }

        await AssertServing(server);
    }

    [Fact]
    public async Task AKeyOpensEverythingButHealthIsOpen()
    {
        await using ServerUnderTest server =
            await ServerUnderTest.Start(settings => settings with { ApiKey = "s3cret" });
        Assert.Equal((0, 0), await server.Load());
        string?[] keys = [null, "Bearer wrong", "Bearer s3cre", "Bearer s3crett", "Basic s3cret", "s3cret"];
        string[] paths = [Path, "/v1/chat/completions", "/tokenize", "/detokenize", "/v1/models", "/x"];
        foreach (string? key in keys)
        {
            server.Client.DefaultRequestHeaders.Remove("Authorization");
            if (key is not null)
            {
                server.Client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", key);
            }

            foreach (string path in paths)
            {
                Answer refused = await server.Post(path, Short);
                Assert.Equal((401, "AuthenticationError"), (refused.Status, (string)refused.Error["type"]!));
                Assert.Equal("Bearer", refused.Message.Headers.WwwAuthenticate.ToString());
            }
        }

        server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "s3cret");
        await AssertServing(server);
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("192.0.2.1")]
    public void BeyondLoopbackAKeyIsRequired(string address)
    {
        ServerSettings settings = new() { ModelName = "x", Address = IPAddress.Parse(address) };
        Assert.Throws<UsageException>(() => ApiServer.CheckOpenness(settings));
        ApiServer.CheckOpenness(settings with { ApiKey = "k" });
        ApiServer.CheckOpenness(settings with { Address = IPAddress.IPv6Loopback });
        ApiServer.CheckOpenness(settings with { Address = IPAddress.Parse("127.8.8.8") });
    }

    [Theory]
    [InlineData("localhost:8000", 200)]
    [InlineData("127.0.0.1", 200)]
    [InlineData("[::1]:80", 200)]
    [InlineData("evil.example", 403)]
    [InlineData("localhost.evil.example:8000", 403)]
    [InlineData("10.0.0.1", 403)]
    public async Task APageFromElsewhereDoesNotGetIn(string host, int status)
    {
        await using ServerUnderTest server = await ServerUnderTest.Start();
        using HttpRequestMessage request = new(HttpMethod.Get, "/health");
        request.Headers.Host = host;
        using HttpResponseMessage response = await server.Client.SendAsync(request);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task AServerThatStopsFinishesItsAnswers()
    {
        ServerUnderTest server = await ServerUnderTest.Start();
        Task<List<JsonNode>> answer = server.Stream(Path, new
        {
            prompt = new[] { 1 }, max_tokens = 300, ignore_eos = true, stream = true, return_token_ids = true,
        });
        while ((await server.Load()).Running == 0 && !answer.IsCompleted)
        {
            await Task.Delay(1);
        }

        await server.Stop();
        List<JsonNode> chunks = await answer;
        Assert.Equal(300, chunks.Sum(chunk => chunk["choices"]![0]!["token_ids"]!.AsArray().Count));
        Assert.Equal("length", (string)chunks[^1]["choices"]![0]!["finish_reason"]!);
        await server.DisposeAsync();
    }

    private static async Task AssertServing(ServerUnderTest server)
    {
        await server.Idle();
        Answer answer = await server.Post(Path, Short);
        Assert.True(answer.Status == 200, answer.Body);
        Assert.Empty(server.Faults);
    }

    /// <summary>Sends bytes as they are, and what follows until the server has had enough.</summary>
    private static async Task<string> Talk(
        ServerUnderTest server, string begin, IEnumerable<string>? more = null, TimeSpan pause = default)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        using TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, server.Address.Port, limit.Token);
        await using NetworkStream stream = client.GetStream();
        Task<string> answer = ReadAll(stream, limit.Token);
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(begin), limit.Token);
            foreach (string piece in more ?? [])
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes(piece), limit.Token);
                if (pause > TimeSpan.Zero)
                {
                    await Task.Delay(pause, limit.Token);
                }

                if (answer.IsCompleted)
                {
                    break;
                }
            }
        }
        catch (IOException)
        {
            // The server has closed the connection; what it said before is read below.
        }

        return await answer;
    }

    private static async Task<string> ReadAll(NetworkStream stream, CancellationToken cancellation)
    {
        StringBuilder text = new();
        byte[] buffer = new byte[65536];
        try
        {
            for (int read; (read = await stream.ReadAsync(buffer, cancellation)) > 0;)
            {
                text.Append(Encoding.UTF8.GetString(buffer, 0, read));
            }
        }
        catch (IOException)
        {
            // A reset ends it as well.
        }

        return text.ToString();
    }
}
