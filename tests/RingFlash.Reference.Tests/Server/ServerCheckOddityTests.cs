// Red here means that `server check` misjudges, or does not name, something odd that servers are known to answer.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Cli.ServerCheck;
using RingFlash.Reference.Tests.Cli;
using RingFlash.Reference.Tests.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class ServerCheckOddityTests
{
    private const int Passed = ExitCodes.WithinBudget, Failed = ExitCodes.OverBudget, Bad = ExitCodes.BadInput;

    /// <summary>A name; the kind of server; what is wrong with it; the oddity; the exit code.</summary>
    private static readonly (string Name, string Kind, Action<FakeServer> Fault, string Oddity, int Code)[] Cases =
    [
        ("null place", "vllm", Choice(choice => choice["prompt_logprobs"]![2] = null), "null", Passed),
        ("null number", "vllm", Entry(entry => entry["logprob"] = null), "null", Passed),
        ("null number", "sglang", Triple(triple => triple[0] = null), "null", Passed),
        ("null generated", "vllm", Choice(choice => choice["logprobs"]!["token_logprobs"]![0] = null), "null", Passed),
        ("-9999", "vllm", Entry(entry => entry["logprob"] = -9999.0), "minus-infinity", Failed),
        ("-9999", "sglang", Triple(triple => triple[0] = -9999.0), "minus-infinity", Failed),
        ("NaN", "vllm", Entry(entry => entry["logprob"] = "~NaN~"), "nan", Failed),
        ("NaN", "sglang", Triple(triple => triple[0] = "~NaN~"), "nan", Failed),
        ("NaN", "openai", Choice(choice => choice["logprobs"]!["token_logprobs"]!.AsArray()[^1] = "~NaN~"), "nan",
            Failed),
        ("NaN as text", "vllm", Entry(entry => entry["logprob"] = "NaN"), "nan", Failed),
        ("Infinity", "vllm", Entry(entry => entry["logprob"] = "~Infinity~"), "infinity", Failed),
        ("-Infinity", "vllm", Entry(entry => entry["logprob"] = "~-Infinity~"), "minus-infinity", Failed),
        ("positive", "vllm", Entry(entry => entry["logprob"] = 0.5), "positive", Failed),
        ("positive", "sglang", Triple(triple => triple[0] = 17.25), "positive", Failed),
        ("first missing", "vllm", Choice(choice => choice["prompt_logprobs"]!.AsArray().RemoveAt(0)),
            "first-token-missing", Passed),
        ("first missing", "sglang", Meta(meta =>
        {
            meta["input_token_logprobs"]?.AsArray().RemoveAt(0);
            meta["input_top_logprobs"]?.AsArray().RemoveAt(0);
        }), "first-token-missing", Passed),
        ("first scored", "vllm", Choice(choice =>
            choice["prompt_logprobs"]![0] = choice["prompt_logprobs"]![1]!.DeepClone()), "first-token-scored", Passed),
        ("first scored", "sglang", Meta(meta =>
        {
            if (meta["input_token_logprobs"] is JsonNode list)
            {
                list[0]![0] = -1.5;
            }
        }), "first-token-scored", Passed),
        ("other ids", "vllm", AnyChoice(choice => choice["prompt_token_ids"]![1] = 3), "ids-differ", Failed),
        ("one id more", "vllm", AnyChoice(choice => choice["prompt_token_ids"]!.AsArray().Insert(0, 1)),
            "ids-differ", Failed),
        ("one id more, by number", "vllm", Whole(answer =>
        {
            foreach (JsonNode? choice in answer["choices"]!.AsArray())
            {
                choice!["prompt_token_ids"] = null;
            }

            answer["usage"]!["prompt_tokens"] = (int)answer["usage"]!["prompt_tokens"]! + 1;
        }), "ids-differ", Failed),
        ("ids not told", "vllm", AnyChoice(choice => choice["prompt_token_ids"] = null), "ids-not-told", Passed),
        ("other ids", "sglang", Triple(triple => triple[1] = (int)triple[1]! == 5 ? 6 : 5), "ids-differ", Failed),
        ("one id more", "sglang", Meta(meta => meta["prompt_tokens"] = (int)meta["prompt_tokens"]! + 1),
            "ids-differ", Failed),
        ("other ids", "openai", Choice(choice =>
        {
            if (choice["logprobs"]!["tokens"]!.AsArray().Count > 4)
            {
                choice["logprobs"]!["tokens"]![1] = "token_id:0";
            }
        }), "ids-differ", Failed),
        ("own token missing", "vllm", Choice(choice =>
        {
            JsonObject place = choice["prompt_logprobs"]![1]!.AsObject();
            place.Remove(place.First().Key);
        }), "token-missing", Failed),
        ("short lists", "vllm", Choice(choice =>
        {
            JsonObject place = choice["prompt_logprobs"]![1]!.AsObject();
            foreach (string key in place.Skip(2).Select(pair => pair.Key).ToArray())
            {
                place.Remove(key);
            }
        }), "fewer-top", Passed),
        ("no experts", "vllm", server => server.TellsExperts = false, "no-experts", Passed),
        ("no experts", "sglang", server => server.TellsExperts = false, "no-experts", Passed),
        ("no prompt", "vllm", AnyChoice(choice => choice["prompt_logprobs"] = null), "no-prompt-log-probabilities",
            Passed),
        ("no prompt", "sglang", Meta(meta => meta.Remove("input_token_logprobs")), "no-prompt-log-probabilities",
            Passed),
        ("no generated", "vllm", AnyChoice(choice => choice["logprobs"] = null), "no-log-probabilities", Passed),
        ("ended early", "vllm", AnyChoice(choice =>
        {
            choice["token_ids"] = new JsonArray((int)choice["token_ids"]![0]!);
            foreach (string list in new[] { "tokens", "token_logprobs", "top_logprobs", "text_offset" })
            {
                JsonArray items = choice["logprobs"]![list]!.AsArray();
                while (items.Count > 1)
                {
                    items.RemoveAt(1);
                }
            }

            choice["routed_experts"] = null;
        }), "ended-early", Passed),
        ("processed", "vllm", server => server.Damage = (request, answer) =>
        {
            foreach (JsonNode? choice in answer["choices"]!.AsArray().Where(_ => (double)request["temperature"]! == 0))
            {
                JsonNode lists = choice!["logprobs"]!;
                for (int token = 0; token < lists["tokens"]!.AsArray().Count; token++)
                {
                    string own = (string)lists["tokens"]![token]!;
                    lists["token_logprobs"]![token] = 0.0;
                    foreach (string key in lists["top_logprobs"]![token]!.AsObject().Select(pair => pair.Key).ToArray())
                    {
                        lists["top_logprobs"]![token]![key] = key == own ? 0.0 : -9999.0;
                    }
                }
            }

            return answer;
        }, "processed-log-probabilities", Passed),
        ("two equal keys", "vllm", server => server.DamageText = text => text.Replace(
            "\"choices\":", "\"choices\":[],\"choices\":", StringComparison.Ordinal), "duplicate-key", Bad),
        ("cut JSON", "vllm", server => server.DamageText = text => text[..^7], "truncated", Bad),
        ("empty", "vllm", server => server.DamageText = _ => string.Empty, "truncated", Bad),
        ("not JSON", "vllm", server => server.DamageText = text => text.Replace(':', ';'), "not-json", Bad),
        ("more behind the JSON", "vllm", server => server.DamageText = text => text + "}", "not-json", Bad),
        ("markup", "vllm", server => server.DamageText = _ => " <!DOCTYPE html><p>log in</p>", "html", Bad),
        ("list", "vllm", server => server.DamageText = text => $"[{text}]", "wrong-shape", Bad),
        ("number", "sglang", server => server.DamageText = _ => "7", "wrong-shape", Bad),
        ("no choices", "vllm", Whole(answer => answer.AsObject().Remove("choices")), "wrong-shape", Bad),
        ("empty choices", "vllm", Whole(answer => answer["choices"] = new JsonArray()), "wrong-shape", Bad),
        ("choice is text", "openai", Whole(answer => answer["choices"]![0] = "text"), "wrong-shape", Bad),
        ("number is text", "vllm", Entry(entry => entry["logprob"] = "-1.5"), "wrong-shape", Bad),
        ("id is text", "sglang", Triple(triple => triple[1] = "5"), "wrong-shape", Bad),
        ("id is negative", "vllm", AnyChoice(choice => choice["token_ids"]![0] = -1), "wrong-shape", Bad),
        ("id is huge", "sglang", Meta(meta => meta["output_token_logprobs"]![0]![1] = 99999), "wrong-shape", Bad),
        ("id key is no id", "vllm", Choice(choice => choice["prompt_logprobs"]![1]!["seven"] = new JsonObject
        {
            ["logprob"] = -3.0,
        }), "wrong-shape", Bad),
        ("pairs", "sglang", Triple(triple => triple.Add(7)), "wrong-shape", Bad),
        ("ragged lists", "vllm", AnyChoice(choice => choice["logprobs"]!["tokens"]!.AsArray().RemoveAt(0)),
            "wrong-shape", Bad),
        ("two places missing", "vllm", Choice(choice =>
        {
            choice["prompt_logprobs"]!.AsArray().RemoveAt(0);
            choice["prompt_logprobs"]!.AsArray().RemoveAt(0);
        }), "wrong-shape", Bad),
        ("experts no base64", "vllm", AnyChoice(choice => choice["routed_experts"] = "§"), "wrong-shape", Bad),
        ("experts no file", "vllm", AnyChoice(choice => choice["routed_experts"] = "AAAA"), "wrong-shape", Bad),
        ("experts cut", "vllm", AnyChoice(choice => choice["routed_experts"] =
            Convert.ToBase64String(Convert.FromBase64String((string)choice["routed_experts"]!)[..^1])),
            "wrong-shape", Bad),
        ("experts cut", "sglang", Meta(meta => meta["routed_experts"] = "AAAAAA=="), "wrong-shape", Bad),
    ];

    public static TheoryData<string> Names => [.. Cases.Select(one => $"{one.Name}, {one.Kind}")];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task IsNamedAndJudged(string name)
    {
        (string _, string kind, Action<FakeServer> fault, string oddity, int code) =
            Assert.Single(Cases, one => $"{one.Name}, {one.Kind}" == name);
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, kind);
        fault(server);
        Func<string, string> damage = server.DamageText;
        server.DamageText = text => damage(Regex.Replace(text, "\"~(-?[A-Za-z]+)~\"", "$1"));
        ToolRun run = await server.Check("--ids", "11,2,35,4,95,6,17", "--ids", "8,9,100");
        Assert.True(run.Code == code, run.Output + run.Error);
        Assert.Contains(oddity, server.Oddities);
        JsonNode json = server.Json;
        Assert.Equal(code, (int)json["exitCode"]!);
        Assert.StartsWith(
            code == Passed ? "PASSED " : code == Failed ? "FAILED " : "NOT CHECKED ",
            (string)json["headline"]!,
            StringComparison.Ordinal);
        OddityKind known = OddityKind.All.Single(one => one.Name == oddity);
        if (known.Weight != OddityWeight.Note)
        {
            Assert.Contains(oddity, (string)json["headline"]!, StringComparison.Ordinal);
        }

        Assert.Contains(known.Consequence, string.Join(' ', run.Output.Split(
            [' ', '\n'], StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        if (known.Weight == OddityWeight.End)
        {
            Assert.Equal(0, (int)json["compared"]!);
            Assert.Null(json["logProbabilities"]);
            Assert.Single(server.Seen, seen => seen.Path is "/v1/completions" or "/generate"); // nothing more was asked
        }
        else
        {
            Assert.True((int)json["compared"]! > 8);
        }

        if (code is not (Passed or Failed))
        {
            Assert.StartsWith("ringflash: http://127.0.0.1", run.Error, StringComparison.Ordinal);
            Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        }
    }

    [Fact]
    public void EveryOddityOfAnAnswerHasACase()
    {
        string[] elsewhere =
        [
            "unreachable", "tls", "timed-out", "busy", "unauthorised", "server-error", "refused", "not-found",
            "too-large", "redirect", "tokenisation-differs", "text-keys", "text-keys-collide", "retried",
            "field-refused", "no-tokenisation",
        ];
        Assert.Equal(
            OddityKind.All.Select(kind => kind.Name).Order(StringComparer.Ordinal),
            Cases.Select(one => one.Oddity).Concat(elsewhere).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ATextOfTwoTokensIsNoToken()
    {
        TokenNames names = new(SmallTokenizer.Instance, 512);
        OddityList oddities = new();
        int one = Enumerable.Range(0, 400).First(id => SmallTokenizer.Instance.TokenText(id) == "e");
        Assert.Equal(one, names.Find("e", "here", oddities));
        Assert.Equal(17, names.Find("token_id:17", "here", oddities));
        Assert.Null(names.Find("token_id:512", "here", oddities));
        Assert.Empty(oddities.Found);
        Assert.Null(names.Find("\ufffd", "here", oddities)); // half a character: many bytes look like that
        Assert.Null(names.Find("no such token", "here", oddities));
        Assert.Equal(
            [OddityKind.TextKeysCollide, OddityKind.TextKeys], oddities.Found.Select(oddity => oddity.Kind));
    }

    [Fact]
    public async Task ATokeniserThatCutsOtherwiseIsFoundAndOursIsNot()
    {
        using FakeModel model = new(withTokenizer: true);
        await using FakeServer server = await FakeServer.Start(model);
        const string Text = "hello to the world";
        int[] ids = SmallTokenizer.Instance.Encode(Text);
        ToolRun run = await server.Check("--prompt", Text);
        Assert.True(run.Code == 0, run.Output + run.Error);
        Assert.Equal(["no-tokenisation"], server.Oddities);
        Assert.Contains(server.Seen, seen => seen.Path == "/v1/completions"
            && seen.Body.Contains($"\"prompt\":[{string.Join(',', ids)}]", StringComparison.Ordinal));

        int[] told = ids;
        server.Intercept = async (http, _) =>
        {
            if (http.Request.Path == "/tokenize")
            {
                await FakeServer.Send(http, $"{{\"tokens\":[{string.Join(',', told)}]}}");
                return true;
            }

            return false;
        };
        run = await server.Check("--prompt", Text);
        Assert.True(run.Code == 0, run.Output + run.Error);
        Assert.Empty(server.Oddities);
        told = [1, .. ids];
        run = await server.Check("--prompt", Text);
        Assert.Equal(Failed, run.Code);
        Assert.Equal(["tokenisation-differs"], server.Oddities);
        Assert.True((bool)server.Json["logProbabilities"]!["equalToTheBit"]!);
    }

    [Fact]
    public async Task ARendererThatReadsOtherIdsEndsTheCheckBeforeAnythingIsGenerated()
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model);
        int first = 1;
        server.Intercept = async (http, _) =>
        {
            if (http.Request.Path == "/v1/completions/render")
            {
                await FakeServer.Send(http, $"[{{\"request_id\":\"1\",\"token_ids\":[{first},2,3]}}]");
                return true;
            }

            return false;
        };
        ToolRun run = await server.Check("--ids", "1,2,3");
        Assert.True(run.Code == 0, run.Output + run.Error);
        server.Seen.Clear();
        first = 0;
        run = await server.Check("--ids", "1,2,3");
        Assert.Equal(Failed, run.Code);
        Assert.Equal(["ids-differ"], server.Oddities);
        Assert.DoesNotContain(server.Seen, seen => seen.Path == "/v1/completions");
    }

    [Theory]
    [InlineData("vllm", "return_routed_experts", "field-refused")]
    [InlineData("vllm", "return_token_ids", "field-refused", "ids-not-told", "text-keys")]
    [InlineData("vllm", "prompt_logprobs", "field-refused", "no-prompt-log-probabilities")]
    [InlineData("sglang", "return_routed_experts", "field-refused", "no-experts")]
    [InlineData("sglang", "sampling_seed", "field-refused")]
    [InlineData("openai", "top_k", "field-refused", "ids-not-told", "no-experts", "text-keys")]
    public async Task WhatAServerRefusesIsLeftOut(string kind, string field, params string[] expected)
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, kind);
        server.Intercept = async (http, number) =>
        {
            if (number > 0 && server.Seen.Last().Body.Contains($"\"{field}\"", StringComparison.Ordinal))
            {
                await FakeServer.Send(
                    http, $"{{\"error\":{{\"message\":\"unknown field {field}\",\"code\":400}}}}", 400);
                return true;
            }

            return false;
        };
        ToolRun run = await server.Check();
        Assert.True(run.Code == 0, run.Output + run.Error);
        Assert.Equal(expected, server.Oddities.Order(StringComparer.Ordinal));
        Assert.Contains($"unknown field {field}", run.Output.Replace("\n    ", " ", StringComparison.Ordinal));
        Assert.True((int)server.Json["compared"]! > 10);
    }

    // Only answers that were asked for prompt log-probabilities, and there only the first choice.
    private static Action<FakeServer> Choice(Action<JsonNode> change) => server => server.Damage = (request, answer) =>
    {
        JsonNode choice = answer["choices"]![0]!;
        if (choice["prompt_logprobs"] is JsonArray || request["prompt_logprobs"] is null)
        {
            if (choice["prompt_logprobs"] is JsonArray || server.Kind != "vllm")
            {
                change(choice);
            }
        }

        return answer;
    };

    private static Action<FakeServer> AnyChoice(Action<JsonNode> change) => server => server.Damage = (_, answer) =>
    {
        foreach (JsonNode? choice in answer["choices"]!.AsArray())
        {
            change(choice!);
        }

        return answer;
    };

    private static Action<FakeServer> Whole(Action<JsonNode> change) => server => server.Damage = (_, answer) =>
    {
        change(answer);
        return answer;
    };

    private static Action<FakeServer> Entry(Action<JsonNode> change) =>
        Choice(choice => change(choice["prompt_logprobs"]![1]!.AsObject().First().Value!));

    private static Action<FakeServer> Meta(Action<JsonObject> change) => server => server.Damage = (_, answer) =>
    {
        foreach (JsonNode? item in answer is JsonArray items ? items.ToArray() : [answer])
        {
            change(item!["meta_info"]!.AsObject());
        }

        return answer;
    };

    private static Action<FakeServer> Triple(Action<JsonArray> change) => Meta(meta =>
    {
        if (meta["input_token_logprobs"] is JsonArray list)
        {
            change(list[1]!.AsArray());
        }
    });
}
