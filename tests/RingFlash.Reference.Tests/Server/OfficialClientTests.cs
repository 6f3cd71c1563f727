// Red here means that OpenAI's own .NET client does not understand the server.
using System;
using System.ClientModel;
using System.ClientModel.Primitives;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using RingFlash.Reference.Tests.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class OfficialClientTests : IAsyncLifetime
{
    private const string Key = "any-key";

    private ServerUnderTest server = null!;
    private OpenAIClient client = null!;

    public async ValueTask InitializeAsync()
    {
        server = await ServerUnderTest.Start(settings => settings with { ApiKey = Key });
        client = new OpenAIClient(
            new ApiKeyCredential(Key),
            new OpenAIClientOptions
            {
                Endpoint = new Uri(server.Address, "/v1"), RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
            });
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", Key);
    }

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(server.Faults);
        await server.DisposeAsync();
    }

    [Fact]
    public async Task ItFindsTheModel()
    {
        OpenAIModelCollection models = await client.GetOpenAIModelClient().GetModelsAsync();
        Assert.Equal(ServerUnderTest.ModelName, Assert.Single(models).Id);
        OpenAIModel one = await client.GetOpenAIModelClient().GetModelAsync(ServerUnderTest.ModelName);
        Assert.Equal(ServerUnderTest.ModelName, one.Id);
    }

    [Fact]
    public async Task ItChatsAndReadsLogProbabilities()
    {
        ChatCompletion answer = await Chat().CompleteChatAsync(Messages(), Options());
        JsonNode expected = await Expected();
        Assert.Equal((string)expected["message"]!["content"]!, answer.Content[0].Text);
        Assert.Equal(ChatFinishReason.Length, answer.FinishReason);
        Assert.Equal(ChatMessageRole.Assistant, answer.Role);
        Assert.Equal(20, answer.Usage.OutputTokenCount);
        Assert.Equal(20, answer.ContentTokenLogProbabilities.Count);
        foreach ((ChatTokenLogProbabilityDetails found, JsonNode? told) in
            answer.ContentTokenLogProbabilities.Zip(expected["logprobs"]!["content"]!.AsArray()))
        {
            Assert.Equal((string)told!["token"]!, found.Token);
            Assert.Equal((float)(double)told["logprob"]!, found.LogProbability);
            Assert.Equal(3, found.TopLogProbabilities.Count);
            Assert.Equal(
                told["bytes"]!.AsArray().Select(value => (byte)(int)value!), found.Utf8Bytes!.Value.ToArray());
        }
    }

    [Fact]
    public async Task ItStreams()
    {
        StringBuilder text = new();
        List<double> logProbabilities = [];
        ChatFinishReason? finish = null;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in Chat().CompleteChatStreamingAsync(Messages(), Options()))
        {
            text.Append(string.Concat(update.ContentUpdate.Select(part => part.Text)));
            logProbabilities.AddRange(
                update.ContentTokenLogProbabilities.Select(token => (double)token.LogProbability));
            finish = update.FinishReason ?? finish;
            usage = update.Usage ?? usage;
        }

        JsonNode expected = await Expected();
        Assert.Equal((string)expected["message"]!["content"]!, text.ToString());
        Assert.Equal(
            expected["logprobs"]!["content"]!.AsArray().Select(token => (double)(float)(double)token!["logprob"]!),
            logProbabilities);
        Assert.Equal(ChatFinishReason.Length, finish);
        Assert.Equal(20, usage!.OutputTokenCount);
    }

    [Fact]
    public async Task ItCompletesOverItsPipeline()
    {
        // The client has no class for /v1/completions any more; its pipeline brings key, address and error handling.
        ClientPipeline pipeline = client.Pipeline;
        using PipelineMessage message = pipeline.CreateMessage();
        message.Request.Method = "POST";
        message.Request.Uri = new Uri(server.Address, "/v1/completions");
        message.Request.Headers.Set("Content-Type", "application/json");
        message.Request.Content = BinaryContent.Create(BinaryData.FromString(
            """{"model": "tiny", "prompt": "one two", "max_tokens": 5, "temperature": 0, "logprobs": 1}"""));
        await pipeline.SendAsync(message);
        JsonNode answer = JsonNode.Parse(message.Response!.Content.ToString())!;
        Assert.Equal(200, message.Response.Status);
        Assert.Equal(5, answer["choices"]![0]!["logprobs"]!["tokens"]!.AsArray().Count);
    }

    [Fact]
    public async Task ItsErrorsSayWhatIsWrong()
    {
        ClientResultException error = await Assert.ThrowsAsync<ClientResultException>(() =>
            Chat().CompleteChatAsync(Messages(), new ChatCompletionOptions { Temperature = -1 }));
        Assert.Equal(400, error.Status);
        Assert.Contains("temperature", error.Message, StringComparison.Ordinal);

        error = await Assert.ThrowsAsync<ClientResultException>(() =>
            client.GetChatClient("another").CompleteChatAsync(Messages()));
        Assert.Equal(404, error.Status);

        error = await Assert.ThrowsAsync<ClientResultException>(() => Chat().CompleteChatAsync(
            Messages(), new ChatCompletionOptions { ResponseFormat = ChatResponseFormat.CreateJsonObjectFormat() }));
        Assert.Contains("response_format", error.Message, StringComparison.Ordinal);
    }

    private static ChatMessage[] Messages() =>
    [
        new SystemChatMessage("You are Ring"), new UserChatMessage("Hello"), new AssistantChatMessage("Hi"),
        new UserChatMessage(ChatMessageContentPart.CreateTextPart("one"), ChatMessageContentPart.CreateTextPart("two")),
    ];

#pragma warning disable OPENAI001 // the seed is "for evaluation" in the client
    private static ChatCompletionOptions Options() => new()
    {
        Seed = 4, MaxOutputTokenCount = 20, IncludeLogProbabilities = true, TopLogProbabilityCount = 3,
    };
#pragma warning restore OPENAI001

    private ChatClient Chat() => client.GetChatClient(ServerUnderTest.ModelName);

    private async Task<JsonNode> Expected() => (await server.Ask("/v1/completions", new
    {
        prompt = SmallTokenizer.Instance.Encode(
            "<role>SYSTEM</role>You are Ring<role>HUMAN</role>Hello<role>ASSISTANT</role>Hi<role>HUMAN</role>one\ntwo"
            + "<role>ASSISTANT</role>"),
        seed = 4,
        max_tokens = 20,
    })) is JsonNode completion
        ? await Chatted(completion)
        : throw new InvalidOperationException();

    // The same by hand: its text must be that of the completion.
    private async Task<JsonNode> Chatted(JsonNode completion)
    {
        JsonNode choice = (await server.Ask("/v1/chat/completions", new
        {
            messages = new object[]
            {
                new { role = "system", content = "You are Ring" }, new { role = "user", content = "Hello" },
                new { role = "assistant", content = "Hi" }, new { role = "user", content = "one\ntwo" },
            },
            seed = 4,
            max_tokens = 20,
            logprobs = true,
            top_logprobs = 3,
        }))["choices"]![0]!;
        Assert.Equal((string)completion["choices"]![0]!["text"]!, (string)choice["message"]!["content"]!);
        return choice;
    }
}
