// Red here: text, ids or chats differ from what Hugging Face's own programs make of the published files.
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

public sealed class PublishedVectors
{
    [Theory]
    [InlineData("ring-flash-2.0", 2500)]
    [InlineData("ring-mini-2.0", 500)]
    public void EveryLineAgrees(string name, int lines)
    {
        PublishedTokenizers.SkipIfNotAvailable();
        ModelTokenizer tokenizer = PublishedTokenizers.Get(name);
        int compared = 0;
        foreach (JsonLine line in JsonLine.Read(PublishedTokenizers.PathOf(name + ".jsonl")))
        {
            VectorLine.Check(tokenizer, line);
            compared++;
        }

        Assert.Equal(lines, compared);
    }

    [Fact]
    public void EveryChatAgrees()
    {
        PublishedTokenizers.SkipIfNotAvailable();
        List<string> templates = [];
        foreach (JsonLine line in JsonLine.Read(PublishedTokenizers.PathOf("chat-templates.jsonl")))
        {
            string template = line.Value.GetProperty("template").GetString()!;
            ChatFormat format = ChatFormat.All.Single(format => format.Name == template);
            ChatConversation chat = ChatConversation.Read(line.Value, line.SourceName);
            Assert.Equal(
                line.Value.GetProperty("rendered").GetString(),
                format.Render(chat.Messages, chat.AddGenerationPrompt, chat.Tools));
            templates.Add(template);
        }

        Assert.Equal(80, templates.Count);
        Assert.Equal(2, templates.Distinct().Count());
    }

    /// <summary>The table of the notes on the model, made by an encoder of its own.</summary>
    [Theory]
    [InlineData("<role>SYSTEM</role>detailed thinking off", "157151 90827 157152 14136 5381 6350 928")]
    [InlineData("<think>\n", "157153 198")]
    [InlineData("</think>\n\n", "157154 198 198")]
    [InlineData(" 2025年 12345", "220 17 15 17 20 633 220 16 17 18 19 20")]
    [InlineData("x  y\n\n\n  z\t\tq", "87 220 340 198 198 198 220 2140 197 197 80")]
    [InlineData("don't WE'LL", "20197 1227 23437 6 2477")]
    [InlineData("你好，世界", "34355 44291")]
    [InlineData("𝒜𠀀🙂", "46281 240 250 172 254 222 222 5901 15356")]
    [InlineData("e\u0301", "2900")]
    [InlineData("\r\n \r\n", "201 198 47098 198")]
    [InlineData("  \n  ", "256 198 256")]
    public void KnownIdsOfRingFlash(string text, string ids)
    {
        PublishedTokenizers.SkipIfNotAvailable();
        Assert.Equal(ids.Split(' ').Select(int.Parse), PublishedTokenizers.Flash.Encode(text));
    }

    [Fact]
    public void RingMiniHasNoTokensForThinking()
    {
        PublishedTokenizers.SkipIfNotAvailable();
        Assert.Equal([27, 30583, 29, 198], PublishedTokenizers.Mini.Encode("<think>\n"));
        Assert.Equal([1263, 30583, 29, 198, 198], PublishedTokenizers.Mini.Encode("</think>\n\n"));
        Assert.Null(PublishedTokenizers.Mini.IdOf("<think>"));
        Assert.Equal(157153, PublishedTokenizers.Flash.IdOf("<think>"));
        Assert.False(PublishedTokenizers.Flash.IsSpecial(157153));
        Assert.True(PublishedTokenizers.Flash.IsSpecial(157151));
    }

    [Fact]
    public void TheTemplatesAreRecognised()
    {
        PublishedTokenizers.SkipIfNotAvailable();
        byte[] json = System.IO.File.ReadAllBytes(PublishedTokenizers.PathOf("chat-templates.json"));
        using JsonDocument templates = JsonDocument.Parse(json);
        using Checkpoint.TemporaryFolder folder = new();
        foreach (ChatFormat format in ChatFormat.All)
        {
            string template = templates.RootElement.GetProperty(format.Name).GetString()!;
            System.IO.File.WriteAllText(
                System.IO.Path.Combine(folder.Path, "tokenizer_config.json"),
                JsonSerializer.Serialize(new { chat_template = template }));
            Assert.Same(format, ChatFormat.ForFolder(folder.Path));
        }
    }
}
