// Red here means that a malformed request gets a wrong status, is not told which field is to blame, takes the server
// down, or is silently carried out as something else.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Cli.Server;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class BadRequestTests : IClassFixture<BadRequestTests.Fixture>
{
    private const string Completions = "/v1/completions", Chats = "/v1/chat/completions";

    private const string GoodCompletion = """{"prompt": [1, 2, 3], "max_tokens": 2, "seed": 1}""";

    private const string GoodChat =
        """{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, "seed": 1}""";

    // Values that no field of a kind takes.
    private static readonly Dictionary<string, string[]> WrongValues = new()
    {
        ["flag"] = ["1", "0", "\"true\"", "[]", "{}"],
        ["integer"] = ["\"5\"", "1.5", "true", "[]", "{}", "1e30", "99999999999999999999", "-9223372036854775809"],
        ["number"] = ["\"1\"", "true", "[]", "{}", "1e300", "-1e999"],
        ["text"] = ["1", "false", "[]", "{}"],
        ["texts"] = ["1", "true", "{}", "[1]", "[\"a\", null]", "[[]]", "\"\"", "[\"\"]"],
        ["ids"] = ["1", "\"1\"", "{}", "[\"1\"]", "[1.5]", "[-1]", "[512]", "[null]", "[[1]]"],
    };

    private static readonly (string Kind, string Names)[] Fields =
    [
        ("flag", "stream return_token_ids return_tokens_as_token_ids skip_special_tokens include_stop_str_in_output "
            + "ignore_eos return_routed_experts echo"),
        ("integer", "n max_tokens top_k seed prompt_logprobs routed_experts_prompt_start"),
        ("number", "temperature top_p min_p repetition_penalty presence_penalty frequency_penalty"),
        ("text", "model request_id"),
        ("texts", "stop"),
        ("ids", "stop_token_ids"),
    ];

    private readonly ServerUnderTest server;

    public BadRequestTests(Fixture fixture) => server = fixture.Server;

    /// <summary>Row 60 of the bad inputs, and what else is out of range: body, field.</summary>
    public static TheoryData<string, string, string> OutOfRange => new()
    {
        { Completions, """{}""", "prompt" },
        { Completions, """{"prompt": null}""", "prompt" },
        { Completions, """{"prompt": ""}""", "prompt" },
        { Completions, """{"prompt": []}""", "prompt" },
        { Completions, """{"prompt": [[]]}""", "prompt[0]" },
        { Completions, """{"prompt": [""]}""", "prompt[0]" },
        { Completions, """{"prompt": [1, "2"]}""", "prompt[1]" },
        { Completions, """{"prompt": [[1], ["2"]]}""", "prompt[1][0]" },
        { Completions, """{"prompt": [[1], "2"]}""", "prompt[1]" },
        { Completions, """{"prompt": [[1], [[2]]]}""", "prompt[1][0]" },
        { Completions, """{"prompt": [-1]}""", "prompt[0]" },
        { Completions, """{"prompt": [5, 512]}""", "prompt[1]" },
        { Completions, """{"prompt": [1.0]}""", "prompt[0]" },
        { Completions, """{"prompt": 1}""", "prompt" },
        { Completions, """{"prompt": {"a": 1}}""", "prompt" },
        { Completions, """{"prompt": [null]}""", "prompt" },
        { Completions, """{"prompt": [1], "max_tokens": 0}""", "max_tokens" },
        { Completions, """{"prompt": [1], "max_tokens": -1}""", "max_tokens" },
        { Completions, """{"prompt": [1], "max_tokens": 1000000000}""", "max_tokens" },
        { Completions, """{"prompt": [1], "max_tokens": 32768}""", "max_tokens" },
        { Completions, """{"prompt": [1], "logprobs": -2}""", "logprobs" },
        { Completions, """{"prompt": [1], "logprobs": "5"}""", "logprobs" },
        { Completions, """{"prompt": [1], "logprobs": true}""", "logprobs" },
        { Completions, """{"prompt": [1], "logprobs": 21}""", "logprobs" },
        { Completions, """{"prompt": [1], "logprobs": -1}""", "logprobs" },
        { Completions, """{"prompt": [1], "prompt_logprobs": -2}""", "prompt_logprobs" },
        { Completions, """{"prompt": [1], "prompt_logprobs": 1, "stream": true}""", "prompt_logprobs" },
        { Completions, """{"prompt": [1], "return_routed_experts": true, "stream": true}""", "return_routed_experts" },
        { Completions, """{"prompt": [1], "n": 0}""", "n" },
        { Completions, """{"prompt": [1], "n": 13}""", "n" },
        { Completions, """{"prompt": [[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1]]}""", "prompt" },
        { Completions, """{"prompt": [1], "temperature": -0.1}""", "temperature" },
        { Completions, """{"prompt": [1], "top_p": 0}""", "top_p" },
        { Completions, """{"prompt": [1], "top_p": 1.01}""", "top_p" },
        { Completions, """{"prompt": [1], "top_k": -2}""", "top_k" },
        { Completions, """{"prompt": [1], "min_p": 2}""", "min_p" },
        { Completions, """{"prompt": [1], "repetition_penalty": 0}""", "repetition_penalty" },
        { Completions, """{"prompt": [1], "presence_penalty": 2.1}""", "presence_penalty" },
        { Completions, """{"prompt": [1], "frequency_penalty": -2.1}""", "frequency_penalty" },
        { Completions, """{"prompt": [1], "stream_options": {"include_usage": true}}""", "stream_options" },
        {
            Completions, """{"prompt": [1], "stream": true, "stream_options": {"include_usage": 1}}""",
            "stream_options.include_usage"
        },
        { Completions, """{"prompt": [1], "stream": true, "stream_options": 1}""", "stream_options" },
        { Completions, """{"prompt": [1], "model": "another"}""", "model" },
        { Completions, """{"prompt": [1], "request_id": "a\nb"}""", "request_id" },
        { Completions, """{"prompt": "\ud800"}""", "prompt" },
        { Completions, """{"prompt": [1], "user": "\udc00x"}""", "user" },
        { Completions, """{"prompt": [1], "x": {"y": [1, {"z": 1, "z": 2}]}}""", "x.y[1].z" },
        { Chats, """{}""", "messages" },
        { Chats, """{"messages": []}""", "messages" },
        { Chats, """{"messages": "hi"}""", "messages" },
        { Chats, """{"messages": {"role": "user"}}""", "messages" },
        { Chats, """{"messages": ["hi"]}""", "messages[0]" },
        { Chats, """{"messages": [{"content": "hi"}]}""", "messages[0].role" },
        { Chats, """{"messages": [{"role": "user"}]}""", "messages[0].content" },
        { Chats, """{"messages": [{"role": "user", "content": 1}]}""", "messages[0].content" },
        { Chats, """{"messages": [{"role": 1, "content": "hi"}]}""", "messages[0].role" },
        { Chats, """{"messages": [{"role": "rôle", "content": "hi"}]}""", "messages[0].role" },
        {
            Chats, """{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}""",
            "messages[0].content[0].type"
        },
        { Chats, """{"messages": [{"role": "user", "content": [1]}]}""", "messages[0].content[0]" },
        { Chats, """{"messages": [{"role": "user", "content": [{"type": "text"}]}]}""", "messages[0].content[0].text" },
        {
            Chats,
            """
            {"messages": [{"role": "assistant", "content": "",
             "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]}
            """,
            "messages[0].tool_calls[0].function.arguments"
        },
        { Chats, """{"messages": [{"role": "user", "content": "hi"}], "logprobs": 5}""", "logprobs" },
        { Chats, """{"messages": [{"role": "user", "content": "hi"}], "top_logprobs": 5}""", "top_logprobs" },
        {
            Chats, """{"messages": [{"role": "user", "content": "hi"}], "logprobs": true, "top_logprobs": 21}""",
            "top_logprobs"
        },
        {
            Chats, """{"messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 40000}""",
            "max_completion_tokens"
        },
        { Chats, """{"messages": [{"role": "user", "content": "hi"}], "echo": true}""", "echo" },
        {
            Chats, """{"messages": [{"role": "user", "content": "hi"}], "include_reasoning": false}""",
            "include_reasoning"
        },
        { "/tokenize", """{}""", "prompt" },
        { "/tokenize", """{"prompt": [1]}""", "prompt" },
        { "/tokenize", """{"messages": 1}""", "messages" },
        { "/detokenize", """{}""", "tokens" },
        { "/detokenize", """{"tokens": "1"}""", "tokens" },
        { "/detokenize", """{"tokens": [1, -1]}""", "tokens[1]" },
        { "/detokenize", """{"tokens": [600]}""", "tokens[0]" },
    };

    /// <summary>Bodies that are no JSON object by RFC 8259.</summary>
    public static TheoryData<string> NoObjects =>
    [
        "", " ", "x", "{", "[1]", "null", "\"a\"", "{\"prompt\": [1],}", "{\"prompt\": [1]} x", "{\"prompt\": NaN}",
        "{\"prompt\": [1], \"temperature\": Infinity}", "{'prompt': [1]}", "/* */{\"prompt\": [1]}",
        "{\"prompt\": [01]}",
        "{\"prompt\": \"\u0001\"}", new string('[', 5000) + new string(']', 5000),
        "{\"prompt\": " + new string('[', 80) + new string(']', 80) + "}",
    ];

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public async Task TheFieldIsNamed(string path, string body, string field)
    {
        Answer answer = await server.Send(path, body);
        Assert.Equal((field == "model" ? 404 : 400, field), (answer.Status, (string?)answer.Error["param"]));
        AssertError(answer);
        await AssertServing();
    }

    [Theory]
    [MemberData(nameof(NoObjects))]
    public async Task WhatIsNoObjectIsRefused(string body)
    {
        Answer answer = await server.Send(Completions, body);
        Assert.Equal(400, answer.Status);
        AssertError(answer);
        Assert.Null(answer.Error["param"]);
        await AssertServing();
    }

    [Fact]
    public async Task AWrongKindOfValueIsRefusedInEveryField()
    {
        int refused = 0;
        foreach ((string kind, string names) in Fields)
        {
            foreach (string name in names.Split(' '))
            {
                foreach (string value in WrongValues[kind])
                {
                    foreach (string path in new[] { Completions, Chats })
                    {
                        string good = path == Chats ? GoodChat : GoodCompletion;
                        JsonObject request = JsonNode.Parse(good)!.AsObject();
                        request.Remove(name);
                        string body = request.ToJsonString()[..^1] + $", \"{name}\": {value}}}";
                        Answer answer = await server.Send(path, body);
                        Assert.True(answer.Status == 400, $"{body}: {answer.Status} {answer.Body}");
                        AssertError(answer);
                        string field = (string)answer.Error["param"]!;
                        Assert.True(
                            field == name || field.StartsWith($"{name}[", StringComparison.Ordinal), body + field);
                        refused++;
                    }
                }
            }
        }

        Assert.InRange(refused, 200, 1000);
        await AssertServing();
    }

    [Fact]
    public async Task WhatIsNotCarriedOutIsRefusedByName()
    {
        // The mildest value that would change an answer; and the default that clients send, which passes.
        Dictionary<string, string> neutral = new()
        {
            ["bad_words"] = "[]", ["best_of"] = "1", ["chat_template_kwargs"] = "{}",
            ["continue_final_message"] = "false", ["documents"] = "[]", ["function_call"] = "\"none\"",
            ["functions"] = "[]", ["length_penalty"] = "1.0", ["logit_bias"] = "{}", ["media_io_kwargs"] = "{}",
            ["min_tokens"] = "0", ["mm_processor_kwargs"] = "{}", ["modalities"] = "[\"text\"]", ["priority"] = "0",
            ["response_format"] = """{"type": "text"}""", ["stream_interval"] = "1", ["suffix"] = "\"\"",
            ["thinking_token_budget"] = "-1", ["tool_choice"] = "\"none\"", ["use_beam_search"] = "false",
            ["vllm_xargs"] = "{}", ["watermarking"] = "false",
        };
        string[] names = [.. FieldRules.UnsupportedNames];
        Assert.InRange(names.Length, 35, 100);
        foreach (string name in names)
        {
            Answer refused = await With(name, """{"type": "json_object"}""");
            Assert.Equal((400, name), (refused.Status, (string?)refused.Error["param"]));
            Assert.Contains("is not supported", (string)refused.Error["message"]!, StringComparison.Ordinal);
            Assert.Equal(200, (await With(name, "null")).Status);
            if (neutral.Remove(name, out string? value))
            {
                Answer passed = await With(name, value);
                Assert.True(passed.Status == 200, $"{name}: {passed.Body}");
                Assert.False(passed.Message.Headers.Contains("X-Ignored-Fields"));
            }
        }

        Assert.Empty(neutral);
        foreach (string name in FieldRules.NamesWithoutEffect)
        {
            Answer passed = await With(name, "\"x\"");
            Assert.Equal(200, passed.Status);
            Assert.False(passed.Message.Headers.Contains("X-Ignored-Fields"));
        }

        Task<Answer> With(string name, string value) =>
            server.Send(Completions, $"{GoodCompletion[..^1]}, \"{name}\": {value}}}");
    }

    [Fact]
    public async Task DamagedBodiesNeverTakeTheServerDown()
    {
        Random random = new(20261125);
        string[] sources =
        [
            """{"prompt": ["a b", "c"], "max_tokens": 2, "stop": ["x"], "logprobs": 1, "n": 2, "temperature": 0.5}""",
            """{"prompt": [[1, 2], [3]], "max_tokens": 2, "prompt_logprobs": 2, "echo": true, "seed": -5}""",
            """{"prompt": "hé", "max_tokens": 2, "stream": true, "stream_options": {"include_usage": true}}""",
        ];
        string pieces = "{}[]\":,0123456789-+.eE\\u\u0000é🙂 tfn\n";
        int refused = 0;
        for (int run = 0; run < 300; run++)
        {
            StringBuilder body = new(sources[run % sources.Length]);
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                int at = random.Next(body.Length);
                switch (random.Next(4))
                {
                    case 0:
                        body.Remove(at, Math.Min(random.Next(1, 6), body.Length - at));
                        break;
                    case 1:
                        body.Insert(at, pieces[random.Next(pieces.Length - 1)]); // may split a surrogate pair
                        break;
                    case 2:
                        body[at] = pieces[random.Next(pieces.Length)];
                        break;
                    default:
                        int from = random.Next(body.Length);
                        string copied = body.ToString(from, Math.Min(random.Next(1, 12), body.Length - from));
                        body.Insert(at, copied);
                        break;
                }
            }

            Answer answer = await server.Send(Completions, body.ToString());
            Assert.True(answer.Status is 200 or 400, $"{body}: {answer.Status} {answer.Body}");
            if (answer.Status == 400)
            {
                AssertError(answer);
                refused++;
            }
        }

        Assert.InRange(refused, 100, 299);
        await AssertServing();
    }

    [Theory]
    [InlineData("GET", "/v1/completions", 405)]
    [InlineData("PUT", "/health", 405)]
    [InlineData("GET", "/", 404)]
    [InlineData("POST", "/v1/embeddings", 404)]
    [InlineData("GET", "/v1/models/another", 404)]
    [InlineData("GET", "/v1/../etc/passwd", 404)]
    public async Task OtherPlacesAndMethodsAreErrorsInTheSameShape(string method, string path, int status)
    {
        using System.Net.Http.HttpRequestMessage request = new(new System.Net.Http.HttpMethod(method), path);
        using System.Net.Http.HttpResponseMessage response = await server.Client.SendAsync(request);
        string body = await response.Content.ReadAsStringAsync();
        AssertError(new Answer(status, body, response));
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    public async Task OnlyJsonIsRead(string type)
    {
        Answer answer = await server.Send(Completions, GoodCompletion, type);
        Assert.Equal(415, answer.Status);
        AssertError(answer);
    }

    private static void AssertError(Answer answer)
    {
        JsonObject error = answer.Json.AsObject()["error"]!.AsObject();
        Assert.Equal(["message", "type", "param", "code"], error.Select(field => field.Key));
        Assert.Equal(answer.Status.ToString(CultureInfo.InvariantCulture), error["code"]!.ToJsonString());
        Assert.InRange(((string)error["message"]!).Length, 5, 800);
        Assert.DoesNotContain('\n', (string)error["message"]!);
        Assert.NotEmpty((string)error["type"]!);
    }

    private async Task AssertServing()
    {
        await server.Idle();
        Answer answer = await server.Send(Completions, GoodCompletion);
        Assert.True(answer.Status == 200, answer.Body);
        Assert.Empty(server.Faults);
    }

    public sealed class Fixture : IAsyncLifetime
    {
        internal ServerUnderTest Server { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Server = await ServerUnderTest.Start();

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }
}
