// Red here means that the tool's ids, texts or chats are not the library's, or bad input is not named with its line.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Tokenization;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class TokenizeToolTests : IDisposable
{
    private static readonly string Tokenizer = SmallTokenizer.PathOf("tokenizer.json");

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public async Task Text()
    {
        ToolRun run = await Tool("tokenize", Tokenizer, "--text", "the <role>\n🙂");
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        string ids = string.Join(',', SmallTokenizer.Instance.Encode("the <role>\n🙂"));
        Assert.Equal($"{ids}\nthe| |<role>|\\u000a|🙂\n", run.Output);
    }

    [Fact]
    public async Task TextThatStaysText()
    {
        ToolRun run = await Tool("tokenize", Tokenizer, "--text", "<role>", "--plain");
        Assert.Equal(
            string.Join(',', SmallTokenizer.Instance.Encode("<role>", specialTokens: false)),
            run.Output.Split('\n')[0]);
    }

    [Fact]
    public async Task IdsToText()
    {
        string ids = string.Join(',', SmallTokenizer.Instance.Encode("서울 the"));
        ToolRun run = await Tool("tokenize", Tokenizer, "--decode", ids);
        Assert.Equal((ExitCodes.WithinBudget, $"{ids}\n서울 the\n"), (run.Code, run.Output));
    }

    [Fact]
    public async Task LinesOfTexts()
    {
        // The vectors are such a file: their other keys are not read.
        string vectors = SmallTokenizer.PathOf("vectors.jsonl"), output = temporary.File("ids.json");
        ToolRun run = await Tool("tokenize", Tokenizer, "--input", vectors, "--decode", "--json", output);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.StartsWith("results: 1,200, tokens: ", run.Output, StringComparison.Ordinal);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(output));
        JsonElement[] results = [.. report.RootElement.GetProperty("results").EnumerateArray()];
        JsonElement[] expected =
            [.. File.ReadLines(vectors).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(expected.Length, results.Length);
        for (int index = 0; index < results.Length; index++)
        {
            Assert.True(JsonElement.DeepEquals(expected[index].GetProperty("ids"), results[index].GetProperty("ids")));
            Assert.Equal(
                expected[index].GetProperty("decoded").GetString(), results[index].GetProperty("decoded").GetString());
        }
    }

    [Fact]
    public async Task LinesOfIds()
    {
        string input = temporary.Write("ids.jsonl", "{\"ids\": [97, 491, 98]}\n"), output = temporary.File("out.json");
        ToolRun run = await Tool("tokenize", Tokenizer, "--input", input, "--decode", "--json", output);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.Contains(
            """{"ids":[97,491,98],"decoded":"a<think>\nb","decoded_skip_special":"a<think>\nb"}""",
            File.ReadAllText(output),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ring-flash-2.0")]
    [InlineData("ling-2.0")]
    public async Task LinesOfChats(string template)
    {
        string[] lines = [.. File.ReadLines(SmallTokenizer.PathOf("chats.jsonl"))
            .Where(line => line.StartsWith($"{{\"template\":\"{template}\"", StringComparison.Ordinal))];
        string input = temporary.Write("chats.jsonl", string.Join('\n', lines)), output = temporary.File("out.json");
        ToolRun run = await Tool(
            "tokenize", Tokenizer, "--chat", input, "--template", template, "--json", output);
        Assert.Equal((ExitCodes.WithinBudget, string.Empty), (run.Code, run.Error));
        Assert.EndsWith($", chat format {template}\n", run.Output, StringComparison.Ordinal);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(output));
        Assert.Equal(template, report.RootElement.GetProperty("template").GetString());
        JsonElement[] results = [.. report.RootElement.GetProperty("results").EnumerateArray()];
        Assert.Equal(80, results.Length);
        for (int index = 0; index < lines.Length; index++)
        {
            using JsonDocument line = JsonDocument.Parse(lines[index]);
            string rendered = results[index].GetProperty("rendered").GetString()!;
            Assert.Equal(line.RootElement.GetProperty("rendered").GetString(), rendered);
            Assert.Equal(
                SmallTokenizer.Instance.Encode(rendered),
                results[index].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
        }
    }

    [Theory]
    [InlineData("{\"text\": \"a\"}\n{\"text\": 5}", "texts.jsonl: line 2: $.text: must be a string")]
    [InlineData("{\"txt\": \"a\"}", "texts.jsonl: line 1: $.text: required")]
    [InlineData("{\"text\": \"a\"}\n\n{\"text\": \"a\"}", "texts.jsonl: line 2: is empty")]
    [InlineData("{\"text\": \"\\ud800\"}", "texts.jsonl: line 1: $.text: a string must be valid UTF-8 without lone")]
    [InlineData("{\"text\": \"a\", \"text\": \"b\"}", "texts.jsonl: line 1: $.text: duplicate key")]
    [InlineData("[1]", "texts.jsonl: line 1: $: must be a JSON object")]
    [InlineData("{\"text\": ", "texts.jsonl: line 1: line 1, column 10: not strict JSON")]
    public async Task BadLinesAreNamed(string lines, string message)
    {
        string input = temporary.Write("texts.jsonl", lines), output = temporary.File("out.json");
        ToolRun run = await Tool("tokenize", Tokenizer, "--input", input, "--json", output);
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.False(File.Exists(output));
    }

    [Theory]
    [InlineData("{\"ids\": [1, 495]}", "line 1: $.ids[1]: 495 is not in the vocabulary")]
    [InlineData("{\"ids\": [-1]}", "line 1: $.ids[0]: -1 is not in the vocabulary")]
    [InlineData("{\"ids\": [1.5]}", "line 1: $.ids[0]: must be a token id")]
    [InlineData("{\"ids\": \"1\"}", "line 1: $.ids: must be an array of token ids")]
    public async Task BadIdsAreNamed(string lines, string message)
    {
        string input = temporary.Write("ids.jsonl", lines);
        ToolRun run = await Tool("tokenize", Tokenizer, "--input", input, "--decode");
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"messages\": [{\"role\": \"user\"}]}", "chats.jsonl: line 1: messages: $[0].content: must be a")]
    [InlineData("{\"messages\": [{\"content\": \"a\"}]}", "chats.jsonl: line 1: $.messages[0].role: required")]
    [InlineData("{}", "chats.jsonl: line 1: $.messages: required")]
    public async Task BadChatsAreNamed(string lines, string message)
    {
        string input = temporary.Write("chats.jsonl", lines);
        ToolRun run = await Tool("tokenize", Tokenizer, "--chat", input, "--template", "ling-2.0");
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFolderWithoutAKnownTemplateNeedsItsName()
    {
        File.Copy(Tokenizer, temporary.File("tokenizer.json"));
        string chats = temporary.Write("chats.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"the\"}]}");
        ToolRun run = await Tool("tokenize", temporary.Path, "--chat", chats);
        Assert.Equal(ExitCodes.BadInput, run.Code);
        Assert.Contains("has no chat template", run.Error, StringComparison.Ordinal);
        run = await Tool("tokenize", temporary.Path, "--chat", chats, "--template", "ring-flash-2.0");
        Assert.Equal((ExitCodes.WithinBudget, "<role>HUMAN</role>the\n"), (run.Code, run.Output));
    }

    [Theory]
    [InlineData("give one of", "tokenize", "x")]
    [InlineData("give one of", "tokenize", "x", "--text", "a", "--decode", "1")]
    [InlineData("give one of", "tokenize", "x", "--decode")]
    [InlineData("--template goes with --chat", "tokenize", "x", "--text", "a", "--template", "ling-2.0")]
    [InlineData("--plain changes nothing", "tokenize", "x", "--decode", "1", "--plain")]
    [InlineData("known are ring-flash-2.0, ling-2.0", "tokenize", "x", "--chat", "a", "--template", "chatml")]
    [InlineData("'a' is not a token id", "tokenize", "TOKENIZER", "--decode", "a")]
    [InlineData("has no tokenizer", "tokenize", "synthetic:ring-flash-2.0", "--text", "a")]
    [InlineData("is an input; writing would destroy it", "tokenize", "TOKENIZER", "--text", "a", "--json", "TOKENIZER")]
    public async Task WrongUsage(string message, params string[] args)
    {
        ToolRun run = await Tool([.. args.Select(arg => arg == "TOKENIZER" ? Tokenizer : arg)]);
        Assert.Equal(ExitCodes.WrongUsage, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MissingFilesAreTheEnvironmentsFault()
    {
        ToolRun run = await Tool("tokenize", temporary.File("none.json"), "--text", "a");
        Assert.Equal(ExitCodes.Environment, run.Code);
        run = await Tool("tokenize", Tokenizer, "--input", temporary.File("none.jsonl"));
        Assert.Equal(ExitCodes.Environment, run.Code);
    }

    private static Task<ToolRun> Tool(params string[] args) =>
        ToolRun.With(VerifyReportForNobody, args);

    private static VerifyReport VerifyReportForNobody(VerifyOptions options) =>
        throw new InvalidOperationException("This command verifies nothing.");
}
