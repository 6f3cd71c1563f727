// Red here means that reasoning and answer are mixed, or that text is lost between them.
using System;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading.Tasks;
using RingFlash.Cli.Server;
using RingFlash.Reference.Generation;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class ReasoningSplitterTests
{
    [Theory]
    [InlineData("<think>why</think>so", "why", "so")]
    [InlineData("\n <think>\nwhy\n</think>\n\nso", "\nwhy\n", "\n\nso")]
    [InlineData("so", "", "so")]
    [InlineData(" so", "", " so")]
    [InlineData("", "", "")]
    [InlineData("<thin", "", "<thin")]
    [InlineData("<thinking>", "", "<thinking>")]
    [InlineData("a <think>b</think>", "", "a <think>b</think>")]
    [InlineData("<think>cut off", "cut off", "")]
    [InlineData("<think>a</thin", "a</thin", "")]
    [InlineData("<think>a</thi</think>b", "a</thi", "b")]
    [InlineData("<think></think>", "", "")]
    [InlineData("<think>a</think>b<think>c</think>", "a", "b<think>c</think>")]
    [InlineData("<think><think>a</think>b", "<think>a", "b")]
    public void TheTextIsToldApartHoweverItComes(string text, string reasoning, string answer)
    {
        Random random = new(5);
        for (int run = 0; run < 50; run++)
        {
            ReasoningSplitter splitter = new();
            StringBuilder foundReasoning = new(), foundAnswer = new();
            for (int at = 0; at < text.Length;)
            {
                int length = run == 0 ? text.Length : Math.Min(text.Length - at, random.Next(0, 4));
                Add(splitter.Append(text.Substring(at, length)));
                at += length;
            }

            Add(splitter.Flush());
            Assert.Equal((reasoning, answer), (foundReasoning.ToString(), foundAnswer.ToString()));

            void Add((string Reasoning, string Answer) part)
            {
                foundReasoning.Append(part.Reasoning);
                foundAnswer.Append(part.Answer);
            }
        }
    }

    [Theory]
    [InlineData("", "<thi")]
    [InlineData("a</th", "")]
    public async Task WhatWaitedComesWithTheEnd(string reasoning, string answer)
    {
        string text = (reasoning.Length > 0 ? "<think>" : string.Empty) + reasoning + answer;
        JsonElement body = JsonDocument.Parse("{}").RootElement;
        GenerationFields fields = GenerationFields.Read(
            new RequestFields(body), new ServerSettings { ModelName = "x" }, 10, "logprobs", (5, "max_tokens"));
        ChoiceReader reader = new(new GenerationCall(fields, [new Prompt("p", [1])]), 0, splitReasoning: true);
        GenerationEvent[] events =
        [
            new PromptProgress(1, 1), new TokenGenerated(3, text, null),
            new GenerationFinished(FinishReason.Length, string.Empty, 1, 1),
        ];
        ChoicePart whole = ChoicePart.Join(await reader.Read(events.ToAsyncEnumerable(), default).ToListAsync());
        Assert.Equal((reasoning, answer, 1), (whole.Reasoning, whole.Text, whole.Generated));
    }

    [Fact]
    public void WhatIsCertainIsNotHeldBack()
    {
        ReasoningSplitter splitter = new();
        Assert.Equal(("a<", string.Empty), splitter.Append("<think>a<<"));
        Assert.Equal(("<b", string.Empty), splitter.Append("b"));
        Assert.Equal((string.Empty, "c"), splitter.Append("</think>c"));
    }
}
