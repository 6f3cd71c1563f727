// Red here means that `server check` accuses a server that is right, or compares less than it says.
using System;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Cli.Commands;
using RingFlash.Cli.Server;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Tests.Cli;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class ServerCheckTests
{
    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    public async Task OurOwnServerIsEqualToTheBit(string precision)
    {
        using FakeModel fake = new();
        GenerationSettings settings = new(precision, new GenerationLimits(), null, null) { CachedTokens = 4096 };
        await using GenerationModel model =
            GenerationModel.Start(ModelName.Open(fake.Name, fake.Folder), settings, null);
        ServedModel served = new(model.Engine, null, "no tokenizer");
        await using ApiServer server = await ApiServer.Start(
            served, new ServerSettings { ModelName = "mine", Port = 0 }, exception => throw exception);
        foreach (string api in new[] { "auto", "vllm", "openai" })
        {
            string file = System.IO.Path.Combine(fake.Folder, "own.json");
            ToolRun run = await ToolRun.In(
                ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()),
                CancellationToken.None,
                "server", "check", $"{server.Address}v1", fake.Name, "--api", api, "--json", file, "--concurrency",
                "4");
            Assert.True(run.Code == 0, run.Output + run.Error);
            Assert.StartsWith("PASSED ", run.Output, StringComparison.Ordinal);
            Assert.Contains("equal to the bit", run.Output, StringComparison.Ordinal);
            Assert.Contains($"({precision})", run.Output, StringComparison.Ordinal);
            JsonNode json = JsonNode.Parse(await System.IO.File.ReadAllTextAsync(file))!;
            Assert.True((bool)json["logProbabilities"]!["equalToTheBit"]!);
            Assert.InRange((int)json["compared"]!, 400, 500);
            Assert.Equal(12, (int)json["greedy"]!["same"]!);
            Assert.All(json["invariance"]!.AsArray(), row =>
            {
                Assert.True((int)row!["compared"]! > 0);
                Assert.Equal((int)row["compared"]!, (int)row["equal"]!);
            });
            Assert.Equal(5, json["invariance"]!.AsArray().Count);
            if (api != "openai")
            {
                Assert.Empty(json["oddities"]!.AsArray());
                Assert.Equal(3, json["experts"]!.AsArray().Count);
                Assert.All(json["experts"]!.AsArray(), row => Assert.Equal(71, (int)row!["sameExperts"]!));
            }
        }
    }

    [Theory]
    [InlineData("vllm", "vllm", "0.11.2", "/models/ring", "")]
    [InlineData("sglang", "sglang", "0.5.4", "/models/ring", "")]
    [InlineData("openai", "openai", null, "/models/ring", "no-experts")]
    public async Task AServerWithOurNumbersIsEqualToTheBit(
        string kind, string api, string? version, string path, string oddities)
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, kind);
        ToolRun run = await server.Check();
        Assert.True(run.Code == 0, run.Output + run.Error);
        JsonNode json = server.Json;
        Assert.True((bool)json["logProbabilities"]!["equalToTheBit"]!, run.Output);
        Assert.Equal("passed", (string)json["verdict"]!);
        Assert.Equal(api, (string)json["server"]!["api"]!);
        Assert.Equal(version, (string?)json["server"]!["version"]);
        Assert.Equal(path, (string)json["server"]!["modelPath"]!);
        Assert.Equal(oddities, string.Join(' ', server.Oddities));
        Assert.All(
            run.Output.Split('\n'), line => Assert.True(line.Length <= ToolContext.PlainWidth, line));
        if (kind == "sglang")
        {
            Assert.Contains("flags: dtype=bfloat16, tp_size=4", run.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("secret", run.Output + json.ToJsonString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("vllm")]
    [InlineData("sglang")]
    [InlineData("openai")]
    public async Task IdsAreSentAndEveryFieldThatChoosesATokenOneRequestAtATime(string kind)
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, kind);
        int now = 0, most = 0;
        server.Intercept = async (_, number) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref now));
            await Task.Delay(number > 0 ? 2 : 0);
            Interlocked.Decrement(ref now);
            return false;
        };
        Assert.Equal(0, (await server.Check("--ids", "1,2,3", "--ids", "4,5")).Code);
        Assert.Equal(1, most);
        JsonNode[] requests = [.. server.Seen
            .Where(seen => seen.Path is "/v1/completions" or "/generate")
            .Select(seen => JsonNode.Parse(seen.Body)!)];
        Assert.Equal(8, requests.Length);
        Assert.InRange(server.Seen.Count, 8, 12);
        foreach (JsonNode request in requests)
        {
            JsonNode fields = kind == "sglang" ? request["sampling_params"]! : request;
            Assert.NotNull(fields[kind == "sglang" ? "max_new_tokens" : "max_tokens"]);
            Assert.InRange((int)fields[kind == "sglang" ? "max_new_tokens" : "max_tokens"]!, 1, 4);
            Assert.InRange((double)fields["temperature"]!, 0, 1);
            Assert.Equal(1, (double)fields["top_p"]!);
            Assert.NotNull(fields["top_k"]);
            Assert.NotNull(fields["min_p"]);
            Assert.NotNull(fields[kind == "sglang" ? "sampling_seed" : "seed"]);
            Assert.NotNull(fields["repetition_penalty"]);
            Assert.NotNull(fields["presence_penalty"]);
            Assert.NotNull(fields["frequency_penalty"]);
            JsonNode prompt = request[kind == "sglang" ? "input_ids" : "prompt"]!;
            Assert.Contains(prompt.ToJsonString(), new[] { "[1,2,3]", "[4,5]", "[1,2]", "[[1,2,3],[4,5]]" });
        }
    }

    [Fact]
    public async Task TextsAreResolvedByATokenizerAndOtherwiseSaidNotToBeCompared()
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, "texts");
        ToolRun run = await server.Check();
        Assert.True(run.Code == 0, run.Output + run.Error);
        JsonNode json = server.Json;
        Assert.Equal(["ids-not-told", "no-experts", "text-keys"], server.Oddities.Order(StringComparer.Ordinal));
        JsonNode row = Assert.Single(json["logProbabilities"]!["rows"]!.AsArray())!;
        Assert.Equal("prompt: the tokens", (string)row["what"]!);
        Assert.Equal(59, (int)row["compared"]!);
        Assert.Contains("not all was compared", (string)json["headline"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NothingComparedIsNoPass()
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, "vllm");
        server.Damage = (_, answer) =>
        {
            foreach (JsonNode? choice in answer["choices"]!.AsArray())
            {
                choice!["logprobs"] = null;
                choice["prompt_logprobs"] = null;
            }

            return answer;
        };
        ToolRun run = await server.Check();
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.StartsWith("NOT CHECKED ", run.Output, StringComparison.Ordinal);
        Assert.Contains("no-prompt-log-probabilities", server.Oddities);
        Assert.Contains("no-log-probabilities", server.Oddities);
    }

    [Theory]
    [InlineData("--api", "http")]
    [InlineData("--precision", "float16")]
    [InlineData("--precision", "fp8")]
    [InlineData("--ids", "1,x")]
    [InlineData("--ids", "131")]
    [InlineData("--prompt", "hello")]
    [InlineData("--concurrency", "0")]
    [InlineData("--timeout", "0")]
    [InlineData("--memory-limit", "much")]
    [InlineData("--json", "/dev/null")]
    [InlineData("--key", "secret")]
    public async Task AWrongWordIsUsage(string option, string value)
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model);
        ToolRun run = await ToolRun.In(
            ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()),
            CancellationToken.None,
            "server", "check", server.Address, model.Name, option, value);
        Assert.True(run.Code == (option == "--json" ? ExitCodes.Environment : ExitCodes.WrongUsage), run.Error);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(server.Seen);
    }

    [Theory]
    [InlineData("localhost:8000")]
    [InlineData("ftp://localhost")]
    [InlineData("file:///etc/passwd")]
    [InlineData("http://user:word@localhost")]
    [InlineData("http://localhost?key=1")]
    [InlineData("http://")]
    [InlineData("")]
    public async Task AWrongAddressIsUsage(string address)
    {
        ToolRun run = await ToolRun.In(
            ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()),
            CancellationToken.None,
            "server", "check", address, "synthetic:ring-mini-2.0");
        Assert.True(run.Code == ExitCodes.WrongUsage, run.Error);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task ThePageNamesEveryOddity()
    {
        string page = await System.IO.File.ReadAllTextAsync(System.IO.Path.Combine(
            RepositoryRoot.Path, "src", "RingFlash.Cli", "ServerCheck", "README.md"));
        Assert.InRange(RingFlash.Cli.ServerCheck.OddityKind.All.Count, 30, 60);
        Assert.All(RingFlash.Cli.ServerCheck.OddityKind.All, kind =>
        {
            string weight = kind.Weight.ToString().ToLower(CultureInfo.InvariantCulture);
            Assert.Contains($"| `{kind.Name}` | {weight}", page, StringComparison.Ordinal);
        });
    }
}
