// Red here: text, ids or chats differ from what Hugging Face's own programs make of the small tokenizer.
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

public sealed class SmallVectors
{
    [Fact]
    public void EveryLineAgrees()
    {
        JsonLine[] lines = [.. JsonLine.Read(SmallTokenizer.PathOf("vectors.jsonl"))];
        Assert.Equal(1200, lines.Length);
        Assert.All(lines, line => VectorLine.Check(SmallTokenizer.Instance, line));
    }

    [Fact]
    public void EveryChatAgrees()
    {
        JsonLine[] lines = [.. JsonLine.Read(SmallTokenizer.PathOf("chats.jsonl"))];
        Assert.Equal(160, lines.Length);
        Assert.All(lines, line =>
        {
            JsonElement chat = line.Value;
            string template = chat.GetProperty("template").GetString()!;
            ChatConversation read = ChatConversation.Read(chat, line.SourceName);
            Assert.Equal(
                chat.GetProperty("rendered").GetString(),
                ChatFormat.All.Single(format => format.Name == template)
                    .Render(read.Messages, read.AddGenerationPrompt, read.Tools));
        });
    }
}
