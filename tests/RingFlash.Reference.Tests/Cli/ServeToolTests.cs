// Red here means that `ringflash serve` does not start as its help says, is open to others without a key, or does not
// end as a script expects.
using System;
using System.Diagnostics;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class ServeToolTests : IDisposable
{
    private static readonly string Tiny = Path.Combine(RepositoryRoot.Golden, "tiny-f32", "config.json");

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public async Task AFolderIsServedUntilCtrlC()
    {
        string folder = temporary.File("model");
        StringWriter none = new();
        Assert.Equal(0, await Program.RunAsync(
            ["synth", "--config", Tiny, "--out", folder],
            ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()) with { Output = none, Error = none }));
        File.Copy(SmallTokenizer.PathOf("tokenizer.json"), Path.Combine(folder, "tokenizer.json"));
        await Serve(
            [
                "serve", folder, "--served-model-name", "mine", "--template", "ling-2.0", "--context", "100", "--port",
                "0",
            ],
            async (client, output) =>
            {
                Assert.StartsWith(
                    "mine: context 100 tokens, 8 answers at once, 4 may wait\n", output, StringComparison.Ordinal);
                Assert.Contains("chat format: ling-2.0", output, StringComparison.Ordinal);
                JsonNode chat = await Post(
                    client,
                    "/v1/chat/completions",
                    """
                    {"model": "mine", "messages": [{"role": "user", "content": "hi"}], "return_prompt_text": true}
                    """);
                Assert.Equal(
                    "<role>SYSTEM</role>detailed thinking off<|role_end|><role>HUMAN</role>hi<|role_end|>"
                    + "<role>ASSISTANT</role>",
                    (string)chat["prompt_text"]!);
                int total = (int)chat["usage"]!["total_tokens"]!;
                string finish = (string)chat["choices"]![0]!["finish_reason"]!;
                Assert.True(finish == "stop" || total == 100, chat.ToJsonString());
            });
    }

    [Fact]
    public async Task AFolderWithAnUnknownTemplateSaysWhyItDoesNotChat()
    {
        string folder = temporary.File("model");
        StringWriter none = new();
        Assert.Equal(0, await Program.RunAsync(
            ["synth", "--config", Tiny, "--out", folder],
            ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()) with { Output = none, Error = none }));
        File.Copy(SmallTokenizer.PathOf("tokenizer.json"), Path.Combine(folder, "tokenizer.json"));
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "{{ messages }}");
        await Serve(["serve", folder, "--port", "0"], async (client, output) =>
        {
            Assert.Contains("chats are refused: ", output, StringComparison.Ordinal);
            using StringContent content = new(
                """{"messages": [{"role": "user", "content": "hi"}]}""", Encoding.UTF8, "application/json");
            using HttpResponseMessage refused = await client.PostAsync("/v1/chat/completions", content);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Contains("--template", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            await Post(client, "/v1/completions", """{"prompt": "one", "max_tokens": 2}""");
        });
    }

    [Fact]
    public async Task ASyntheticModelServesIds() => await Serve(
        [
            "serve", $"synthetic:{Tiny}@7", "--port", "0", "--max-logprobs", "-1", "--yarn", "4", "--precision",
            "bfloat16",
        ],
        async (client, output) =>
        {
            Assert.Contains("context 131,072 tokens", output, StringComparison.Ordinal);
            Assert.Contains("tokenizer: none, token ids only", output, StringComparison.Ordinal);
            JsonNode answer = await Post(
                client, "/v1/completions", """{"prompt": [1, 2], "max_tokens": 1, "logprobs": -1}""");
            Assert.Equal(512, answer["choices"]![0]!["logprobs"]!["top_logprobs"]![0]!.AsObject().Count);
        });

    [Theory]
    [InlineData("--host", "0.0.0.0")]
    [InlineData("--host", "somewhere")]
    [InlineData("--port", "65536")]
    [InlineData("--port", "-1")]
    [InlineData("--port", "x")]
    [InlineData("--api-key", " ")]
    [InlineData("--template", "chatml")]
    [InlineData("--max-logprobs", "-2")]
    [InlineData("--running", "0")]
    [InlineData("--waiting", "-1")]
    [InlineData("--timeout", "0")]
    [InlineData("--context", "1")]
    [InlineData("--context", "32769")]
    [InlineData("--cache-tokens", "1")]
    [InlineData("--yarn", "1")]
    [InlineData("--precision", "float16")]
    [InlineData("--memory-limit", "much")]
    [InlineData("--cors", "*")]
    public async Task AWrongWordIsUsage(string option, string value)
    {
        ToolRun run = await ToolRun.In(
            ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()),
            CancellationToken.None,
            "serve", $"synthetic:{Tiny}@7", option, value);
        Assert.True(run.Code == ExitCodes.WrongUsage, run.Error);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task ATakenPortIsTheSurroundings()
    {
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        string port = $"{((IPEndPoint)taken.LocalEndpoint).Port}";
        ToolRun run = await ToolRun.In(
            ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()),
            CancellationToken.None,
            "serve", $"synthetic:{Tiny}@7", "--port", port);
        Assert.Equal(ExitCodes.Environment, run.Code);
        Assert.Contains(port, Assert.Single(run.Error.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASignalEndsTheProcessWith130()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // there is no kill to send it with
        }

        string dotnet = Environment.ProcessPath is string path && Path.GetFileNameWithoutExtension(path) == "dotnet"
            ? path
            : "dotnet";
        ProcessStartInfo start = new(dotnet)
        {
            ArgumentList =
            {
                typeof(Program).Assembly.Location, "serve", $"synthetic:{Tiny}@7", "--port", "0", "--host", "0.0.0.0",
            },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["RINGFLASH_API_KEY"] = "k";
        using Process process = Process.Start(start)!;
        string? line;
        do
        {
            line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1));
        }
        while (line is not null && !line.StartsWith("listening on http://0.0.0.0:", StringComparison.Ordinal));
        Assert.NotNull(line);
        using Process kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(ExitCodes.Interrupted, process.ExitCode);
        Assert.Equal("ringflash: stopped by Ctrl-C\n", await process.StandardError.ReadToEndAsync());
    }

    private static async Task<JsonNode> Post(HttpClient client, string path, string body)
    {
        using StringContent content = new(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await client.PostAsync(path, content);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    private static async Task Serve(string[] words, Func<HttpClient, string, Task> use)
    {
        using CancellationTokenSource stop = new();
        StringWriter output = new(), error = new();
        TextWriter shared = TextWriter.Synchronized(output);
        ToolContext context = ToolRun.Surroundings((_, _, _) => throw new NotSupportedException());
        Task<int> running = Task.Run(() => Program.RunAsync(
            words, context with { Output = shared, Error = error }, stop.Token));
        Match listening;
        do
        {
            await Task.Delay(10);
            Assert.False(running.IsCompleted, error.ToString());
            listening = Regex.Match(Text(), @"listening on (http://\S+); Ctrl-C stops\n");
        }
        while (!listening.Success);

        using (HttpClient client = new() { BaseAddress = new Uri(listening.Groups[1].Value) })
        {
            await use(client, Text());
        }

        await stop.CancelAsync();
        Assert.Equal(ExitCodes.Interrupted, await running);
        Assert.Equal("ringflash: stopped by Ctrl-C\n", error.ToString());

        string Text()
        {
            lock (shared)
            {
                return output.ToString();
            }
        }
    }
}
