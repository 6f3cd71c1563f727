// Red here means that ringflash generate prints other tokens than the model's, or refuses and stops in other ways than
// it says.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Configuration;
using RingFlash.Reference.Tests.Tokenization;
using RingFlash.Reference.Tokenization;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class GenerateToolTests : IDisposable
{
    // The template of Ring-flash-2.0 as its folder has it; it is recognised by its hash.
    private const string Template =
        "{% for message in messages %}{% set role = message['role'] | lower %}{% if role == 'user' %}"
        + "{% set role = 'HUMAN' %}{% endif %}{% set role = role | upper %}"
        + "{{ '<role>' + role + '</role>' + message['content'] }}{% endfor %}{% if add_generation_prompt %}"
        + "{{ '<role>ASSISTANT</role>' }}{% endif %}";

    private static readonly string Tiny = Path.Combine(RepositoryRoot.Golden, "tiny-f32", "config.json");

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task The_published_decoding_comes_out(int drafts)
    {
        string path = Path.Combine(RepositoryRoot.Golden, "tiny-decode-f32");
        using GoldenCase golden = GoldenCase.Open(path);
        string prefix = drafts == 0 ? "nextn0" : "nextn1";
        long[] prompt = golden.RequireIntegers("input_ids", out _);
        long[] published = golden.RequireIntegers($"{prefix}.generated_ids", out _);
        float[] logits = golden.File.ReadVector($"{prefix}.step_logits");
        string json = temporary.File("out.json");
        string config = temporary.Write("config.json", ConfigurationTestFiles.Edited(
            root => root["num_nextn_predict_layers"] = drafts == 0 ? 0 : 1, "tiny-decode-f32"));
        string[] speculation = drafts == 0 ? [] : ["--speculative", $"{drafts}"];
        ToolRun run = await Tool(
        [
            "generate", $"synthetic:{config}@{golden.Seed}", "--ids", string.Join(',', prompt), "--ignore-eos",
            "--max-tokens", $"{published.Length}", "--logprobs", "0", "--json", json, .. speculation,
        ]);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.Equal(32, published.Length);
        Assert.Equal(string.Join(',', published), run.Output.Split('\n')[0]);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(json));
        JsonElement result = Assert.Single(report.RootElement.GetProperty("results").EnumerateArray());
        Assert.Equal(published, result.GetProperty("ids").EnumerateArray().Select(id => id.GetInt64()));
        Assert.Equal(prompt, result.GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt64()));
        JsonElement[] scores = [.. result.GetProperty("logprobs").EnumerateArray()];
        Assert.Equal(32, scores.Length);
        int vocabulary = logits.Length / 32;
        for (int step = 0; step < 32; step++)
        {
            double[] row = [.. logits[(step * vocabulary)..((step + 1) * vocabulary)].Select(logit => (double)logit)];
            double expected = row[published[step]] - row.Max() - Math.Log(row.Sum(l => Math.Exp(l - row.Max())));
            Assert.Equal(expected, scores[step].GetProperty("logprob").GetDouble(), 2e-5);
            Assert.Equal(1, scores[step].GetProperty("rank").GetInt32());
        }

        Assert.Equal(drafts > 0, result.TryGetProperty("speculation", out JsonElement statistics));
        if (drafts > 0)
        {
            Assert.Equal(31, statistics.GetProperty("tokens").GetInt32());
            Assert.Contains("drafts accepted by place", run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Several_prompts_come_out_in_order_and_as_alone()
    {
        string[] settings = ["--temperature", "0.8", "--seed", "5", "--max-tokens", "20", "--ignore-eos"];
        string first = (await Tool(["generate", $"synthetic:{Tiny}@4", "--ids", "1,2,3", .. settings])).Output;
        string second = (await Tool(["generate", $"synthetic:{Tiny}@4", "--ids", "9", .. settings])).Output;
        ToolRun both =
            await Tool(["generate", $"synthetic:{Tiny}@4", "--ids", "1,2,3", "--ids", "9", .. settings]);
        Assert.Equal($"--- prompt 1 of 2\n{first}--- prompt 2 of 2\n{second}", both.Output);
        Assert.Equal(20, first.Split(',').Length);
        Assert.Contains("prompt 2: 1 + 20 tokens of 32768, ended by length", both.Error, StringComparison.Ordinal);
        ToolRun other = await Tool(
            ["generate", $"synthetic:{Tiny}@4", "--ids", "1,2,3", "--temperature", "0.8", "--seed", "6"]);
        Assert.NotEqual(first, other.Output);
    }

    [Theory]
    [InlineData("scalar")]
    [InlineData("ilgpu-cpu")]
    public async Task Every_engine_says_the_same(string engine)
    {
        string[] start =
        [
            "generate", $"synthetic:{Tiny}@4", "--ids", "1,2,3", "--ids", "9", "--max-tokens", "4", "--ignore-eos",
            "--logprobs", "2", "--json", temporary.File("out.json"),
        ];
        ToolRun expected = await Tool(start);
        Assert.Equal(ExitCodes.WithinBudget, expected.Code);
        string results = Results("vector512");
        ToolRun actual = await Tool([.. start, "--engine", engine]);
        Assert.Equal((ExitCodes.WithinBudget, expected.Output), (actual.Code, actual.Output));
        Assert.Equal(results, Results(engine));

        string Results(string by)
        {
            using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(temporary.File("out.json")));
            Assert.Equal(by, report.RootElement.GetProperty("engine").GetString());
            return report.RootElement.GetProperty("results").GetRawText();
        }
    }

    [Theory]
    [InlineData("generate")]
    [InlineData("serve")]
    [InlineData("capture")]
    public async Task An_engine_that_is_not_here_is_said_in_a_line(string command)
    {
        string[] start = command switch
        {
            "serve" => [command, $"synthetic:{Tiny}", "--port", "0"],
            "capture" => [command, $"synthetic:{Tiny}", "--ids", "1", "--out", temporary.File("case")],
            _ => [command, $"synthetic:{Tiny}", "--ids", "1"],
        };
        ToolRun unknown = await Tool([.. start, "--engine", "all"]);
        Assert.Equal(
            (
                ExitCodes.WrongUsage,
                "ringflash: --engine: 'all' is not an engine; known are scalar, vector512, ilgpu-cpu, cuda\n"),
            (unknown.Code, unknown.Error));
        ToolRun limited = await Tool([.. start, "--engine", "ilgpu-cpu", "--memory-limit", "1GB"]);
        Assert.Equal(
            (
                ExitCodes.WrongUsage,
                "ringflash: --memory-limit: engine ilgpu-cpu holds the weights in its device's memory\n"),
            (limited.Code, limited.Error));
        Assert.SkipWhen(KernelHost.WhyNoCuda() is null, "there is a card");
        ToolRun absent = await Tool([.. start, "--engine", "cuda"]);
        Assert.Equal(
            (ExitCodes.Environment, $"ringflash: engine cuda is not available: {KernelHost.WhyNoCuda()}\n"),
            (absent.Code, absent.Error));
    }

    [Fact]
    public async Task A_memory_limit_and_another_precision_are_what_they_say()
    {
        string folder = await Folder();
        string[] start = ["generate", folder, "--ids", "5,6,7", "--max-tokens", "12", "--ignore-eos"];
        string expected = (await Tool(start)).Output;
        ToolRun refused = await Tool([.. start, "--memory-limit", "1MB"]);
        Assert.Equal(ExitCodes.Environment, refused.Code);
        string needed = Regex.Match(refused.Error, "([0-9]+MB) is needed").Groups[1].Value;
        Assert.Equal(expected, (await Tool([.. start, "--memory-limit", needed])).Output);
        Assert.Equal(ExitCodes.WithinBudget, (await Tool([.. start, "--precision", "bfloat16"])).Code);
        ToolRun stretched = await Tool([.. start, "--yarn", "4", "--context", "131072"]);
        Assert.Contains("3 + 12 tokens of 131072", stretched.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_and_conversations_go_through_the_folders_tokenizer_and_template()
    {
        string folder = await Folder(), json = temporary.File("out.json");
        string chat = temporary.Write("chat.json", """[{"role": "user", "content": "Hello"}]""");
        ToolRun run = await Tool(
            "generate", folder, "--prompt", "Hello world", "--messages", chat, "--max-tokens", "16", "--json", json);
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(json));
        JsonElement[] results = [.. report.RootElement.GetProperty("results").EnumerateArray()];
        Assert.Equal(2, results.Length);
        Assert.Equal([9, 481, 510], Ids(report.RootElement, "end_of_sequence_ids")); // both files, the list whole
        Assert.Equal(SmallTokenizer.Instance.Encode("Hello world"), Ids(results[0], "prompt_ids"));
        Assert.Equal(
            SmallTokenizer.Instance.Encode("<role>HUMAN</role>Hello<role>ASSISTANT</role>"),
            Ids(results[1], "prompt_ids"));
        Assert.Equal("ring-flash-2.0", results[1].GetProperty("chat_format").GetString());
        Assert.Contains("chat format ring-flash-2.0", run.Error, StringComparison.Ordinal);
        string expected = string.Empty;
        foreach (JsonElement result in results)
        {
            int[] ids = Ids(result, "ids");
            string text = SmallTokenizer.Instance.Decode(
                [.. ids.Where(id => id is not (9 or 510) && SmallTokenizer.Instance.Contains(id))],
                skipSpecialTokens: true);
            Assert.Equal(text, result.GetProperty("text").GetString());
            expected += $"--- prompt {(expected.Length == 0 ? 1 : 2)} of 2\n{text}\n";
        }

        Assert.Equal(expected, run.Output);

        // A stop string that runs over tokens ends the text before it.
        string whole = results[0].GetProperty("text").GetString()!;
        Assert.True(whole.Length >= 6, whole);
        string stop = whole[3..5];
        ToolRun stopped =
            await Tool("generate", folder, "--prompt", "Hello world", "--max-tokens", "16", "--stop", stop);
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)] + "\n", stopped.Output);
        Assert.Contains("ended by stop string", stopped.Error, StringComparison.Ordinal);

        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "{{ messages }}");
        ToolRun unknown = await Tool("generate", folder, "--messages", chat);
        Assert.Equal(ExitCodes.BadInput, unknown.Code);
        Assert.Contains("unknown", unknown.Error, StringComparison.Ordinal);
        ToolRun named = await Tool(
            "generate", folder, "--messages", chat, "--max-tokens", "2", "--template", "ling-2.0");
        Assert.Contains("chat format ling-2.0", named.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_status_line_is_for_terminals_and_is_taken_away()
    {
        string[] arguments = ["generate", $"synthetic:{Tiny}", "--ids", "1,2", "--max-tokens", "3"];
        ToolContext terminal = Surroundings with { ErrorIsTerminal = true };
        ToolRun shown = await ToolRun.In(terminal, CancellationToken.None, arguments);
        Assert.StartsWith("\rreading the prompt: 2 of 2 tokens\u001b[K", shown.Error, StringComparison.Ordinal);
        Assert.Contains("\r\u001b[K2 + 3 tokens", shown.Error, StringComparison.Ordinal);
        ToolRun plain = await Tool(arguments);
        Assert.DoesNotContain('\r', plain.Error);
        Assert.Equal(shown.Output, plain.Output);
    }

    [Theory]
    [InlineData("a prompt is missing")]
    [InlineData("need the model's tokenizer.json", "--prompt", "x")]
    [InlineData("--ids: 'x' is not a token id", "--ids", "x")]
    [InlineData("prompt: token 512 is not in the vocabulary of 512", "--ids", "512")]
    [InlineData("--ids: '-1' is not a token id", "--ids", "-1")]
    [InlineData("max_tokens: must be 1 or more", "--ids", "1", "--max-tokens", "0")]
    [InlineData("temperature: must be 0 or more", "--ids", "1", "--temperature", "-1")]
    [InlineData("--top-p needs --temperature", "--ids", "1", "--top-p", "0.5")]
    [InlineData("top_p: must be above 0", "--ids", "1", "--temperature", "1", "--top-p", "0")]
    [InlineData("--temperature", "--ids", "1", "--temperature", "warm")]
    [InlineData("--seed", "--ids", "1", "--seed", "-1")]
    [InlineData("logprobs: must be -1, or 0 to 512", "--ids", "1", "--logprobs", "513")]
    [InlineData("stop: needs the model's tokenizer", "--ids", "1", "--stop", "x")]
    [InlineData("stop_token_ids: token 512", "--ids", "1", "--stop-ids", "512")]
    [InlineData("--speculative: at least 1", "--ids", "1", "--speculative", "0")]
    [InlineData("yarn: factor 1 must be above 1", "--ids", "1", "--yarn", "1")]
    [InlineData("context: 32769 tokens are out of range 2 to 32768", "--ids", "1", "--context", "32769")]
    [InlineData("more need YaRN", "--ids", "1", "--context", "40000")]
    [InlineData("leaves no room", "--ids", "1,2,3,4", "--context", "4")]
    [InlineData("--template: 'chatml' is not a chat format", "--ids", "1", "--template", "chatml")]
    [InlineData("--precision: 'fp4'", "--ids", "1", "--precision", "fp4")]
    [InlineData("'--tempurature'", "--ids", "1", "--tempurature")]
    public async Task Wrong_usage_is_two(string rule, params string[] arguments)
    {
        ToolRun run = await Tool(["generate", $"synthetic:{Tiny}", .. arguments]);
        Assert.Equal((ExitCodes.WrongUsage, string.Empty), (run.Code, run.Output));
        string line = Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.Contains(rule, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bad_files_have_their_codes()
    {
        string folder = await Folder();
        ToolRun run = await Tool("generate", folder, "--messages", temporary.File("no"));
        Assert.Equal((ExitCodes.Environment, true), (run.Code, run.Error.Contains("no such file")));
        foreach ((string text, string rule) in new[]
        {
            ("{", "chat.json"), ("[]", "chat.json"), ("{\"messages\": 1}", "$.messages"), ("[{\"role\": 1}]", "$[0]"),
        })
        {
            run = await Tool("generate", folder, "--messages", temporary.Write("chat.json", text));
            bool named = run.Error.Contains(rule, StringComparison.Ordinal) || text == "[]"; // no message is no fault
            Assert.True(named && (run.Code == ExitCodes.BadInput || text == "[]"), $"{text}: {run.Error}");
        }

        File.WriteAllText(Path.Combine(folder, "generation_config.json"), """{"eos_token_id": [1, -2]}""");
        run = await Tool("generate", folder, "--ids", "1");
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains("$.eos_token_id: -2 is not a token id", run.Error, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), "{}");
        Assert.Equal(ExitCodes.BadInput, (await Tool("generate", folder, "--prompt", "a")).Code);
    }

    [Fact]
    public async Task CtrlC_stops_in_the_middle_and_leaves_no_report()
    {
        using CancellationTokenSource cancellation = new();
        string json = temporary.File("out.json");
        using StoppingWriter output = new(cancellation);
        StringWriter error = new();
        int code = await Program.RunAsync(
            ["generate", $"synthetic:{Tiny}", "--ids", "1,2", "--max-tokens", "20000", "--ignore-eos", "--json", json],
            Surroundings with { Output = output, Error = error },
            cancellation.Token);
        Assert.Equal(ExitCodes.Interrupted, code);
        Assert.Equal("ringflash: stopped by Ctrl-C\n", error.ToString());
        Assert.InRange(output.ToString().Split(',').Length, 5, 15_000);
        Assert.EndsWith("\n", output.ToString(), StringComparison.Ordinal);
        Assert.False(File.Exists(json));
    }

    private static ToolContext Surroundings =>
        ToolRun.Surroundings((options, progress, cancellation) => Verifier.Run(options, progress, cancellation));

    private static int[] Ids(JsonElement element, string name) =>
        [.. element.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    private static Task<ToolRun> Tool(params string[] arguments) =>
        ToolRun.With(options => Verifier.Run(options), arguments);

    /// <summary>A synthetic checkpoint with a tokenizer, a template and two more ends of a sequence.</summary>
    private async Task<string> Folder()
    {
        string tokenizer = Directory.CreateDirectory(temporary.File("tokenizer")).FullName;
        File.Copy(SmallTokenizer.PathOf("tokenizer.json"), Path.Combine(tokenizer, "tokenizer.json"));
        File.WriteAllText(
            Path.Combine(tokenizer, "tokenizer_config.json"),
            JsonSerializer.Serialize(new Dictionary<string, string> { ["chat_template"] = Template }));
        File.WriteAllText(Path.Combine(tokenizer, "generation_config.json"), """{"eos_token_id": [9, 481]}""");
        string folder = temporary.File("model");
        ToolRun run = await Tool(
            "synth", "--config", Tiny, "--dtype", "bf16", "--tokenizer", tokenizer, "--out", folder);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        return folder;
    }

    /// <summary>Presses Ctrl-C after some tokens.</summary>
    private sealed class StoppingWriter(CancellationTokenSource cancellation) : StringWriter
    {
        private int writes;

        public override void Write(string? value)
        {
            base.Write(value);
            if (++writes == 5)
            {
                cancellation.Cancel();
            }
        }
    }
}
