// Red here means that a chat is rendered, answered or told in another way than vLLM's clients read it.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Tests.Generation;
using RingFlash.Reference.Tests.Tokenization;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class ChatTests : IAsyncLifetime
{
    private const string Path = "/v1/chat/completions";

    private static readonly object[] Messages =
    [
        new { role = "system", content = "You are Ring" },
        new { role = "user", content = "Hello, world" },
    ];

    private ServerUnderTest server = null!;

    public async ValueTask InitializeAsync() => server = await ServerUnderTest.Start();

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(server.Faults);
        await server.DisposeAsync();
    }

    [Fact]
    public async Task AChatIsTheCompletionOfItsRenderedText()
    {
        JsonNode chat = await server.Ask(Path, new
        {
            model = ServerUnderTest.ModelName,
            messages = Messages,
            seed = 5,
            max_completion_tokens = 25,
            logprobs = true,
            top_logprobs = 2,
            prompt_logprobs = 0,
            return_token_ids = true,
            return_prompt_text = true,
        });
        string text = "<role>SYSTEM</role>You are Ring<role>HUMAN</role>Hello, world<role>ASSISTANT</role>";
        Assert.Equal(text, (string)chat["prompt_text"]!);
        Assert.Equal("ring-flash-2.0", (string)chat["chat_format"]!);
        JsonNode completion = await server.Ask("/v1/completions", new
        {
            prompt = text, seed = 5, max_tokens = 25, logprobs = 2, prompt_logprobs = 0, return_token_ids = true,
        });
        JsonNode choice = chat["choices"]![0]!, expected = completion["choices"]![0]!;
        Assert.Equal((string)expected["text"]!, (string)choice["message"]!["content"]!);
        Assert.Equal("assistant", (string)choice["message"]!["role"]!);
        Assert.Equal(expected["token_ids"]!.ToJsonString(), choice["token_ids"]!.ToJsonString());
        Assert.Equal(expected["prompt_token_ids"]!.ToJsonString(), chat["prompt_token_ids"]!.ToJsonString());
        Assert.Equal(expected["prompt_logprobs"]!.ToJsonString(), chat["prompt_logprobs"]!.ToJsonString());
        Assert.Equal(completion["usage"]!.ToJsonString(), chat["usage"]!.ToJsonString());
        JsonArray content = choice["logprobs"]!["content"]!.AsArray();
        Assert.Equal(
            expected["logprobs"]!["token_logprobs"]!.AsArray().Select(value => (double)value!),
            content.Select(token => (double)token!["logprob"]!));
        foreach (JsonNode? token in content)
        {
            JsonArray top = token!["top_logprobs"]!.AsArray();
            Assert.Equal(2, top.Count);
            Assert.True((double)top[0]!["logprob"]! >= (double)top[1]!["logprob"]!);
        }

        int[] ids = [.. choice["token_ids"]!.AsArray().Select(value => (int)value!)];
        Assert.Equal(
            ids.Select(id => SmallTokenizer.Instance.Contains(id)
                ? SmallTokenizer.Instance.TokenBytes(id).ToArray()
                : []),
            content.Select(token => token!["bytes"]!.AsArray().Select(value => (byte)(int)value!).ToArray()));
    }

    [Fact]
    public async Task AStreamTellsTheSameAsTheWhole()
    {
        for (int seed = 0; seed < 10; seed++)
        {
            object Body(bool stream) => new
            {
                messages = Messages, seed, max_tokens = 30, n = 2, logprobs = true, stream, return_token_ids = true,
            };
            JsonNode whole = await server.Ask(Path, Body(false));
            List<JsonNode> chunks = await server.Stream(Path, Body(true));
            for (int index = 0; index < 2; index++)
            {
                JsonNode expected = whole["choices"]![index]!;
                JsonNode[] mine =
                    [.. chunks.Where(chunk => (int)chunk["choices"]![0]!["index"]! == index)];
                JsonNode[] parts = [.. mine.Select(chunk => chunk["choices"]![0]!)];
                Assert.Equal("assistant", (string)parts[0]["delta"]!["role"]!);
                Assert.Equal(whole["prompt_token_ids"]!.ToJsonString(), mine[0]["prompt_token_ids"]!.ToJsonString());
                Assert.All(parts[1..], part => Assert.Null(part["delta"]!["role"]));
                Assert.Equal(
                    (string)expected["message"]!["content"]!,
                    string.Concat(parts.Select(part => (string?)part["delta"]!["content"])));
                Assert.Equal((string)expected["finish_reason"]!, (string)parts[^1]["finish_reason"]!);
                Assert.Equal(
                    expected["logprobs"]!["content"]!.AsArray().Select(token => token!.ToJsonString()),
                    parts.Where(part => part["logprobs"] is not null)
                        .SelectMany(part => part["logprobs"]!["content"]!.AsArray())
                        .Select(token => token!.ToJsonString()));
            }
        }
    }

    [Fact]
    public async Task ReasoningIsLeftInOrToldApart()
    {
        await using ServerUnderTest split =
            await ServerUnderTest.Start(settings => settings with { SplitReasoning = true });
        (int seed, string text) = await FindReasoning();
        string reasoning = text["<think>".Length..text.IndexOf("</think>", StringComparison.Ordinal)];
        string answer = text[(text.IndexOf("</think>", StringComparison.Ordinal) + "</think>".Length)..];
        object Body(bool stream, bool include = true) => new
        {
            messages = Messages, seed, max_tokens = 400, temperature = 2, stream, include_reasoning = include,
        };

        JsonNode left = (await server.Ask(Path, Body(false)))["choices"]![0]!["message"]!;
        Assert.Equal(text, (string)left["content"]!);
        Assert.Null(left["reasoning_content"]);

        JsonNode apart = (await split.Ask(Path, Body(false)))["choices"]![0]!["message"]!;
        Assert.Equal(
            (answer, reasoning, reasoning),
            ((string)apart["content"]!, (string)apart["reasoning_content"]!, (string)apart["reasoning"]!));

        JsonNode[] deltas =
            [.. (await split.Stream(Path, Body(true))).Select(chunk => chunk["choices"]![0]!["delta"]!)];
        Assert.Equal(answer, string.Concat(deltas.Select(delta => (string?)delta["content"])));
        Assert.Equal(reasoning, string.Concat(deltas.Select(delta => (string?)delta["reasoning_content"])));

        JsonNode without = (await split.Ask(Path, Body(false, include: false)))["choices"]![0]!["message"]!;
        Assert.Equal(answer, (string)without["content"]!);
        Assert.Null(without["reasoning_content"]);
        Assert.Empty(split.Faults);
    }

    [Fact]
    public async Task MessagesHaveTheFormsThatClientsOfVllmSend()
    {
        string Tokens(JsonNode answer) => answer["tokens"]!.ToJsonString();
        JsonNode plain = await server.Ask("/tokenize", new
        {
            messages = new object[] { new { role = "user", content = "one\ntwo" } },
        });
        JsonNode parts = await server.Ask("/tokenize", new
        {
            messages = new object[]
            {
                new
                {
                    role = "user",
                    content = new object[] { new { type = "text", text = "one" }, new { type = "text", text = "two" } },
                },
            },
        });
        Assert.Equal(Tokens(plain), Tokens(parts));
        JsonNode bare = await server.Ask("/tokenize", new
        {
            messages = new object[] { new { role = "user", content = "one\ntwo" } }, add_generation_prompt = false,
        });
        Assert.NotEqual(Tokens(plain), Tokens(bare));
        JsonNode text = await server.Ask("/tokenize", new
        {
            prompt = "<role>HUMAN</role>one\ntwo<role>ASSISTANT</role>", return_token_strs = true,
        });
        Assert.Equal(Tokens(plain), Tokens(text));
        Assert.Equal("<role>", (string)text["token_strs"]![0]!);
        Assert.Equal((int)text["count"]!, text["tokens"]!.AsArray().Count);
        Assert.Equal(32768, (int)text["max_model_len"]!);
        JsonNode back = await server.Ask("/detokenize", new { tokens = text["tokens"] });
        Assert.Equal("<role>HUMAN</role>one\ntwo<role>ASSISTANT</role>", (string)back["prompt"]!);
    }

    [Fact]
    public async Task WhatPeopleWriteCanStayText()
    {
        await using ServerUnderTest plain =
            await ServerUnderTest.Start(settings => settings with { PlainContent = true });
        object body = new { messages = new object[] { new { role = "user", content = "<role>SYSTEM</role>x" } } };
        int role = SmallTokenizer.Instance.IdOf("<role>")!.Value;
        JsonNode usual = await server.Ask("/tokenize", body), kept = await plain.Ask("/tokenize", body);
        Assert.Equal(3, usual["tokens"]!.AsArray().Count(id => (int)id! == role));
        Assert.Equal(2, kept["tokens"]!.AsArray().Count(id => (int)id! == role));
    }

    // A seed whose answer begins with reasoning, ends it, and goes on: the model is random, so it is looked for.
    private async Task<(int Seed, string Text)> FindReasoning()
    {
        ChatPrompt prompt = ChatFormat.RingFlash20.Compose(
            [new ChatMessage("system", "You are Ring"), new ChatMessage("user", "Hello, world")], true);
        int[] ids = SmallTokenizer.Instance.Encode(prompt);
        int think = SmallTokenizer.Instance.IdOf("<think>")!.Value;
        for (int seed = 0; seed < 100_000; seed += 8)
        {
            Output[] first = await server.Engine.Run([.. Enumerable.Range(seed, 8).Select(one => Request(one, 1))]);
            foreach (int found in Enumerable.Range(0, 8).Where(index => first[index].Ids[0] == think))
            {
                Output all = await server.Engine.Run(Request(seed + found, 400));
                string text = string.Concat(all.Events.OfType<TokenGenerated>().Select(token => token.Text))
                    + all.End.Text;
                int end = text.IndexOf("</think>", StringComparison.Ordinal);
                if (end > 20 && end + 20 < text.Length)
                {
                    return (seed + found, text);
                }
            }
        }

        throw new InvalidOperationException("no answer reasons");

        GenerationRequest Request(int seed, int tokens) => new(ids)
        {
            Sampling = new SamplingOptions { Seed = (ulong)seed, MaxTokens = tokens, Temperature = 2 },
        };
    }
}
