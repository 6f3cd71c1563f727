// Red here: streamed text is not the decoded text, or half a character was shown.
using System;
using System.Linq;
using System.Text;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

public sealed class Streaming
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AllTextsTogetherAreTheDecodedText(bool skipSpecialTokens)
    {
        Random random = new(6);
        ModelTokenizer tokenizer = SmallTokenizer.Instance;
        for (int round = 0; round < 20_000; round++)
        {
            // Bytes more often than words: most of these are no UTF-8 at all.
            int[] ids = [.. Enumerable.Range(0, random.Next(12)).Select(_ =>
                random.Next(random.Next(3) == 0 ? tokenizer.VocabularySize : 256))];
            StreamingDecoder decoder = new(tokenizer, skipSpecialTokens);
            string[] texts = [.. ids.Select(decoder.Append), decoder.Flush()];
            Assert.Equal(tokenizer.Decode(ids, skipSpecialTokens), string.Concat(texts));
        }
    }

    [Fact]
    public void ACharacterAppearsWhenItsLastByteHasCome()
    {
        ModelTokenizer tokenizer = SmallTokenizer.Instance;
        int[] ids = tokenizer.Encode("a\u2028𠀀z");
        StreamingDecoder decoder = new(tokenizer);
        string[] texts = [.. ids.Select(decoder.Append)];
        Assert.True(ids.Length >= 8);
        Assert.Equal(["a", "\u2028", "𠀀", "z"], texts.Where(text => text.Length > 0));
        Assert.Equal(string.Empty, decoder.Flush());
    }

    [Fact]
    public void BytesThatWaitForOthersAreShownAtTheEnd()
    {
        ModelTokenizer tokenizer = SmallTokenizer.Instance;
        int half = tokenizer.Encode("𠀀")[0];
        StreamingDecoder decoder = new(tokenizer);
        Assert.Equal(string.Empty, decoder.Append(half));
        Assert.Equal("\uFFFD", decoder.Flush());
        Assert.Equal("a", decoder.Append(tokenizer.Encode("a")[0]));
    }

    [Fact]
    public void ValidTextIsNeverShownBroken()
    {
        Random random = new(7);
        for (int round = 0; round < 3000; round++)
        {
            string text = RandomText.Next(random, 20).Replace("\uFFFD", "x", StringComparison.Ordinal);
            StreamingDecoder decoder = new(SmallTokenizer.Instance);
            foreach (int id in SmallTokenizer.Instance.Encode(text, specialTokens: false))
            {
                string shown = decoder.Append(id);
                Assert.DoesNotContain("\uFFFD", shown, StringComparison.Ordinal);
                Assert.Equal(shown.Length, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(shown)).Length);
            }

            Assert.Equal(string.Empty, decoder.Flush());
        }
    }
}
