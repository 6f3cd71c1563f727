// Red here means that a client of /v1/completions gets other numbers, tokens or words than the library computed, or
// gets them under other names than vLLM's.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Tests.Generation;
using RingFlash.Reference.Tests.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class CompletionTests : IAsyncLifetime
{
    private const string Path = "/v1/completions";

    private static readonly int[] Ids = [17, 300, 42, 8, 499];

    private ServerUnderTest server = null!;

    public async ValueTask InitializeAsync() => server = await ServerUnderTest.Start();

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(server.Faults);
        await server.DisposeAsync();
    }

    [Fact]
    public async Task LogProbabilitiesAndExpertsAreTheLibrarysBits()
    {
        JsonNode answer = await server.Ask(Path, new
        {
            prompt = Ids,
            max_tokens = 40,
            seed = 7,
            temperature = 0.9,
            ignore_eos = true,
            logprobs = 4,
            prompt_logprobs = 3,
            return_token_ids = true,
            return_tokens_as_token_ids = true,
            return_routed_experts = true,
        });
        JsonNode choice = answer["choices"]![0]!;
        Output expected = await server.Engine.Run(new GenerationRequest(Ids)
        {
            Sampling = new SamplingOptions
            {
                Seed = 7, Temperature = 0.9f, MaxTokens = 40, IgnoreEndOfSequence = true,
            },
            LogProbabilityCount = 4,
            PromptLogProbabilityCount = 3,
            RoutedExperts = true,
        });

        Assert.Equal(expected.Ids, Integers(choice["token_ids"]!));
        Assert.Equal(Ids, Integers(choice["prompt_token_ids"]!));
        TokenScore[] scores = [.. expected.Events.OfType<TokenGenerated>().Select(token => token.Score!)];
        Assert.Equal(40, scores.Length);
        JsonNode told = choice["logprobs"]!;
        Assert.Equal(scores.Select(score => Name(score.Token.Id)), Texts(told["tokens"]!));
        for (int token = 0; token < scores.Length; token++)
        {
            AssertBits(scores[token].Token.LogProbability, told["token_logprobs"]![token]!);
            ScoredToken[] top =
                [scores[token].Token, .. scores[token].Top.Where(one => one.Id != scores[token].Token.Id)];
            JsonObject found = told["top_logprobs"]![token]!.AsObject();
            Assert.Equal(top.Select(one => Name(one.Id)), found.Select(pair => pair.Key));
            Assert.InRange(top.Length, 4, 5);
            Assert.All(top, one => AssertBits(one.LogProbability, found[Name(one.Id)]!));
        }

        JsonArray prompt = choice["prompt_logprobs"]!.AsArray();
        IReadOnlyList<TokenScore?> promptScores = expected.Events.OfType<PromptScored>().Single().Tokens;
        Assert.Null(prompt[0]);
        Assert.Equal(Ids.Length, prompt.Count);
        for (int token = 1; token < Ids.Length; token++)
        {
            TokenScore score = promptScores[token]!;
            Assert.Equal($"{Ids[token]}", prompt[token]!.AsObject().First().Key);
            foreach (ScoredToken one in score.Top.Prepend(score.Token))
            {
                JsonNode entry = prompt[token]![$"{one.Id}"]!;
                AssertBits(one.LogProbability, entry["logprob"]!);
                Assert.Equal(one.Rank, (int)entry["rank"]!);
                Assert.Equal(
                    SmallTokenizer.Instance.Contains(one.Id) ? SmallTokenizer.Instance.TokenText(one.Id) : string.Empty,
                    (string?)entry["decoded_token"]);
            }
        }

        RoutedExperts routed = expected.End.RoutedExperts!;
        (int[] shape, int[] experts) = NumpyFile.Read(Convert.FromBase64String((string)choice["routed_experts"]!));
        Assert.Equal([Ids.Length + 40 - 1, routed.Layers, routed.TopK], shape);
        Assert.Equal(routed.Indices, experts);
    }

    [Fact]
    public async Task ExpertsOfThePromptCanBeLeftOut()
    {
        object Body(int start) => new
        {
            prompt = Ids,
            max_tokens = 3,
            seed = 1,
            ignore_eos = true,
            return_routed_experts = true,
            routed_experts_prompt_start = start,
        };
        (int[] shape, int[] all) = NumpyFile.Read(await Experts(Body(0)));
        (int[] lessShape, int[] less) = NumpyFile.Read(await Experts(Body(Ids.Length)));
        Assert.Equal([shape[0] - Ids.Length, shape[1], shape[2]], lessShape);
        Assert.Equal(all[(Ids.Length * shape[1] * shape[2])..], less);

        async Task<byte[]> Experts(object body) =>
            Convert.FromBase64String((string)(await server.Ask(Path, body))["choices"]![0]!["routed_experts"]!);
    }

    [Theory]
    [InlineData(false, null)]
    [InlineData(true, null)]
    [InlineData(true, 3)]
    [InlineData(false, 0)]
    public async Task AStreamTellsTheSameAsTheWhole(bool echo, int? logprobs)
    {
        for (int seed = 0; seed < 12; seed++)
        {
            JsonNode Body(bool stream) => JsonNode.Parse($$"""
                {"prompt": ["one two", "three <role> four"], "n": 2, "max_tokens": 30, "seed": {{seed}},
                 "echo": {{(echo ? "true" : "false")}}, "logprobs": {{logprobs?.ToString() ?? "null"}},
                 "return_token_ids": true, "stop": ["e", "ab"], "stream": {{(stream ? "true" : "false")}},
                 "skip_special_tokens": {{(seed % 2 == 0 ? "true" : "false")}}
                 {{(stream ? ", \"stream_options\": {\"include_usage\": true}" : string.Empty)}}}
                """)!;
            JsonNode whole = await server.Ask(Path, Body(false));
            List<JsonNode> chunks = await server.Stream(Path, Body(true));
            Assert.Empty(chunks[^1]["choices"]!.AsArray());
            Assert.Equal(whole["usage"]!.ToJsonString(), chunks[^1]["usage"]!.ToJsonString());
            for (int index = 0; index < 4; index++)
            {
                JsonNode expected = whole["choices"]![index]!;
                Assert.Equal(index, (int)expected["index"]!);
                JsonNode[] parts = [.. chunks.SkipLast(1).Select(chunk => chunk["choices"]![0]!)
                    .Where(choice => (int)choice["index"]! == index)];
                Assert.Equal((string)expected["text"]!, string.Concat(parts.Select(part => (string)part["text"]!)));
                Assert.Equal(
                    Integers(expected["token_ids"]!), parts.SelectMany(part => Integers(part["token_ids"]!)));
                Assert.Equal(
                    Integers(expected["prompt_token_ids"]!), Integers(parts[0]["prompt_token_ids"]!));
                Assert.Equal((string)expected["finish_reason"]!, (string)parts[^1]["finish_reason"]!);
                Assert.Equal(
                    expected["stop_reason"]?.ToJsonString(), parts[^1]["stop_reason"]?.ToJsonString());
                Assert.All(parts.SkipLast(1), part => Assert.Null(part["finish_reason"]));
                foreach (string name in logprobs is null
                    ? Array.Empty<string>()
                    : ["tokens", "token_logprobs", "top_logprobs"])
                {
                    Assert.Equal(
                        expected["logprobs"]![name]!.AsArray().Select(value => value?.ToJsonString()),
                        parts.Where(part => part["logprobs"] is not null)
                            .SelectMany(part => part["logprobs"]![name]!.AsArray())
                            .Select(value => value?.ToJsonString()));
                }
            }
        }
    }

    [Fact]
    public async Task SeveralPromptsAndAnswersAreEachAsAlone()
    {
        JsonNode together = await server.Ask(Path, new
        {
            prompt = new int[][] { [1, 2, 3], [9], [4, 400] },
            n = 3,
            seed = 50,
            max_tokens = 9,
            return_token_ids = true,
        });
        Assert.Equal(9, together["choices"]!.AsArray().Count);
        int[][] prompts = [[1, 2, 3], [9], [4, 400]];
        for (int index = 0; index < 9; index++)
        {
            JsonNode alone = await server.Ask(Path, new
            {
                prompt = prompts[index / 3], seed = 50 + (index % 3), max_tokens = 9, return_token_ids = true,
            });
            JsonNode choice = together["choices"]![index]!;
            Assert.Equal(index, (int)choice["index"]!);
            Assert.Equal(
                alone["choices"]![0]!["token_ids"]!.ToJsonString(), choice["token_ids"]!.ToJsonString());
        }

        Assert.Equal(6, (int)together["usage"]!["prompt_tokens"]!);
    }

    [Fact]
    public async Task WithoutASeedAnswersDiffer()
    {
        HashSet<string> answers = [];
        for (int run = 0; run < 3; run++)
        {
            answers.Add((await server.Ask(Path, new { prompt = Ids, max_tokens = 20, return_token_ids = true }))
                ["choices"]![0]!["token_ids"]!.ToJsonString());
        }

        Assert.Equal(3, answers.Count);
    }

    [Fact]
    public async Task AStopStringIsCutOffUnlessItIsWanted()
    {
        JsonNode free = await Choice(new { prompt = Ids, seed = 3, max_tokens = 60, ignore_eos = true });
        string text = (string)free["text"]!, stop = text.Substring(text.Length / 2, 2);
        string before = text[..text.IndexOf(stop, StringComparison.Ordinal)];
        JsonNode cut = await Choice(new { prompt = Ids, seed = 3, max_tokens = 60, ignore_eos = true, stop });
        JsonNode kept = await Choice(new
        {
            prompt = Ids, seed = 3, max_tokens = 60, ignore_eos = true, stop = new[] { "\u0001none", stop },
            include_stop_str_in_output = true,
        });
        Assert.Equal((before, "stop", stop), Ending(cut));
        Assert.Equal((before + stop, "stop", stop), Ending(kept));

        static (string Text, string Finish, string Stop) Ending(JsonNode choice) =>
            ((string)choice["text"]!, (string)choice["finish_reason"]!, (string)choice["stop_reason"]!);
    }

    [Fact]
    public async Task AStopTokenIsNamedAndTheModelsOwnEndIsNot()
    {
        JsonNode free = await Choice(new
        {
            prompt = Ids, seed = 3, max_tokens = 60, ignore_eos = true, return_token_ids = true,
        });
        int[] ids = Integers(free["token_ids"]!);
        JsonNode stopped = await Choice(new
        {
            prompt = Ids, seed = 3, max_tokens = 60, ignore_eos = true, return_token_ids = true,
            stop_token_ids = new[] { ids[20] },
        });
        int first = Array.IndexOf(ids, ids[20]);
        Assert.Equal(ids[..(first + 1)], Integers(stopped["token_ids"]!));
        Assert.Equal(ids[20], (int)stopped["stop_reason"]!);

        for (int seed = 0; seed < 200; seed++)
        {
            JsonNode ended = await Choice(new { prompt = Ids, seed, max_tokens = 100, return_token_ids = true });
            if ((string)ended["finish_reason"]! == "stop")
            {
                Assert.Null(ended["stop_reason"]);
                Assert.Equal(ServerUnderTest.EndOfSequence, Integers(ended["token_ids"]!)[^1]);
                return;
            }
        }

        Assert.Fail("no answer ended by itself");
    }

    [Fact]
    public async Task AnEchoOfThePromptAloneIsScored()
    {
        JsonNode answer = await server.Ask(Path, new
        {
            prompt = "one two é🙂", max_tokens = 0, echo = true, logprobs = 1,
        });
        JsonNode choice = answer["choices"]![0]!;
        Assert.Equal("one two é🙂", (string)choice["text"]!);
        int[] ids = SmallTokenizer.Instance.Encode("one two é🙂");
        JsonNode told = choice["logprobs"]!;
        Assert.Equal(ids.Select(SmallTokenizer.Instance.TokenText), Texts(told["tokens"]!));
        Assert.Null(told["token_logprobs"]![0]);
        Assert.Null(told["top_logprobs"]![0]);
        Assert.Equal(ids.Length, told["token_logprobs"]!.AsArray().Count);
        Assert.Equal("length", (string)choice["finish_reason"]!);
        Assert.Equal(0, (int)answer["usage"]!["completion_tokens"]!);

        // vLLM's rule: offsets are sums of the tokens' lengths, in characters as Python counts them.
        int[] offsets = Integers(told["text_offset"]!);
        int offset = 0;
        foreach ((int place, string token) in offsets.Zip(Texts(told["tokens"]!)))
        {
            Assert.Equal(offset, place);
            offset += token.EnumerateRunes().Count();
        }
    }

    [Fact]
    public async Task TokensWithoutATokenizerAreNamedById()
    {
        await using ServerUnderTest bare = await ServerUnderTest.Start(withTokenizer: false);
        JsonNode choice = (await bare.Ask(Path, new
        {
            prompt = Ids, seed = 7, max_tokens = 3, logprobs = 1, prompt_logprobs = 0, return_token_ids = true,
        }))["choices"]![0]!;
        Assert.Equal(Integers(choice["token_ids"]!).Select(Name), Texts(choice["logprobs"]!["tokens"]!));
        Assert.Null(choice["prompt_logprobs"]![1]![$"{Ids[1]}"]!["decoded_token"]);
        foreach ((string path, string body, string field) in new (string, string, string)[]
        {
            (Path, """{"prompt": "text"}""", "prompt"),
            (Path, """{"prompt": [1], "stop": "x"}""", "stop"),
            ("/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}]}""", "messages"),
            ("/tokenize", """{"prompt": "x"}""", "prompt"),
            ("/detokenize", """{"tokens": [1]}""", "tokens"),
        })
        {
            Answer refused = await bare.Send(path, body);
            Assert.Equal((400, field), (refused.Status, (string)refused.Error["param"]!));
        }
    }

    [Fact]
    public async Task FieldsThatNobodyKnowsPassAndAreNamed()
    {
        Answer answer = await server.Post(Path, new Dictionary<string, object>
        {
            ["prompt"] = Ids,
            ["seed"] = 1,
            ["not_a_field"] = 1,
            ["zeile\r\nX-Other: 1"] = 2,
            ["user"] = "me",
            ["logit_bias"] = new Dictionary<string, int>(),
        });
        Assert.Equal(200, answer.Status);
        Assert.Equal(
            "not_a_field, zeile??X-Other??1", string.Join(", ", answer.Message.Headers.GetValues("X-Ignored-Fields")));
        Assert.False(answer.Message.Headers.Contains("X-Other"));
    }

    [Fact]
    public async Task TheClientsNameForARequestIsKept()
    {
        JsonNode answer = await server.Ask(Path, new { prompt = Ids, request_id = "mine-1", max_tokens = 1 });
        Assert.Equal("cmpl-mine-1", (string)answer["id"]!);
        Assert.Equal("text_completion", (string)answer["object"]!);
        Assert.Equal(ServerUnderTest.ModelName, (string)answer["model"]!);
        Assert.InRange((long)answer["created"]!, 1_700_000_000, 5_000_000_000);
    }

    private static string Name(int id) => $"token_id:{id}";

    private static int[] Integers(JsonNode array) => [.. array.AsArray().Select(value => (int)value!)];

    private static string[] Texts(JsonNode array) => [.. array.AsArray().Select(value => (string)value!)];

    // Whoever reads float64 gets the float32 exactly, and so does who reads float32.
    private static void AssertBits(float expected, JsonNode told)
    {
        Assert.Equal(BitConverter.DoubleToInt64Bits(expected), BitConverter.DoubleToInt64Bits((double)told));
        Assert.Equal(
            BitConverter.SingleToInt32Bits(expected),
            BitConverter.SingleToInt32Bits(float.Parse(told.ToJsonString())));
    }

    private async Task<JsonNode> Choice(object body) => (await server.Ask(Path, body))["choices"]![0]!;
}
