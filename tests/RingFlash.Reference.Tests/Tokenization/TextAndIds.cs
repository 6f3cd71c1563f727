// Red here: an added token was missed or cut short, text that should stay text did not, or bad text or ids were taken.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

/// <summary>Rows 42 to 46 of the list of bad inputs, and the added tokens.</summary>
public sealed class TextAndIds
{
    private static readonly ModelTokenizer Tokenizer = SmallTokenizer.Instance;

    [Theory]
    [InlineData("<think>", "<think>")]
    [InlineData("<think>\n", "<think>\n")]
    [InlineData("<|reserved_token_1|>", "<|reserved_token_1|>")]
    [InlineData("<|reserved_token_11|>", "<|reserved_token_11|>")]
    public void TheLongestAddedTokenWins(string text, string token)
    {
        int id = Tokenizer.IdOf(token)!.Value;
        Assert.Equal([id], Tokenizer.Encode(text));
        Assert.Equal([id, id], Tokenizer.Encode(text + text));
    }

    /// <summary>What the library does with its list of special tokens; the reason for a search of our own.</summary>
    [Fact]
    public void TheLibraryTakesTheFirstAddedTokenOfItsList()
    {
        Dictionary<string, int> special = new() { ["<a>"] = 300, ["<a>b"] = 301 };
        BpeTokenizer library = BpeTokenizer.Create(new BpeOptions(Enumerable.Range(0, 256).Select(value =>
            KeyValuePair.Create(ByteLevel.Letter((byte)value).ToString(), value)))
        {
            ByteLevel = true,
            SpecialTokens = special,
            PreTokenizer = new RegexPreTokenizer(new Regex(@"\S"), special),
        });
        Assert.Equal(300, library.EncodeToIds("<a>b")[0]);
    }

    [Fact]
    public void AddedTokensAreFoundBeforeNormalising()
    {
        // é! as one token: written with a combining accent it is not that token, and text behind it starts anew.
        Assert.Equal([Tokenizer.IdOf("é!")!.Value], Tokenizer.Encode("é!"));
        Assert.Equal(Tokenizer.Encode("é", false).Concat(Tokenizer.Encode("!", false)), Tokenizer.Encode("e\u0301!"));
        Assert.Equal(
            [.. Tokenizer.Encode("a"), Tokenizer.IdOf("<role>")!.Value, .. Tokenizer.Encode("\u0301")],
            Tokenizer.Encode("a<role>\u0301"));
    }

    [Fact]
    public void TextStaysTextWhenAskedFor()
    {
        const string Prompt = "<role>SYSTEM</role> 한국 🙂";
        int firstAdded = Tokenizer.IdOf("<|startoftext|>")!.Value;
        Assert.Contains(Tokenizer.Encode(Prompt), id => id >= firstAdded);
        int[] plain = Tokenizer.Encode(Prompt, specialTokens: false);
        Assert.DoesNotContain(plain, id => id >= firstAdded);
        Assert.Equal(Prompt, Tokenizer.Decode(plain));
        Assert.Equal(Prompt, Tokenizer.Decode(plain, skipSpecialTokens: true));
    }

    [Fact]
    public void LoneSurrogatesAreRefused()
    {
        // Not as data of a theory: the runner would write them as UTF-8 and read something else.
        Check("\uD83D", 0, "U+D83D");
        Check("ab\uDE42", 2, "U+DE42");
        Check("🙂\uD83Dx", 2, "U+D83D");
        Check("\uDE42\uD83D", 0, "U+DE42");

        static void Check(string text, int place, string unit)
        {
            InvalidInputException error = Assert.Throws<InvalidInputException>(() => Tokenizer.Encode(text));
            Assert.Equal($"text: character {place}: {unit} is a lone surrogate, which is no text", error.Message);
        }
    }

    [Fact]
    public void NulIsKept() => Assert.Equal("a\0b", Tokenizer.Decode(Tokenizer.Encode("a\0b")));

    [Theory]
    [InlineData(-1)]
    [InlineData(495)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void UnknownIdsAreRefused(int id)
    {
        Assert.False(Tokenizer.Contains(id));
        string message = Assert.Throws<InvalidInputException>(() => Tokenizer.Decode([0, id])).Message;
        Assert.EndsWith(
            $"token id {id}: not in the vocabulary, whose ids are 0 … 494", message, StringComparison.Ordinal);
        Assert.Throws<InvalidInputException>(() => Tokenizer.TokenBytes(id));
        Assert.Throws<InvalidInputException>(() => Tokenizer.TokenText(id));
        Assert.Throws<InvalidInputException>(() => Tokenizer.IsSpecial(id));
        Assert.Throws<InvalidInputException>(() => new StreamingDecoder(Tokenizer).Append(id));
        Assert.Throws<InvalidInputException>(() => new StreamingDecoder(Tokenizer, true).Append(id));
    }

    /// <summary>Hugging Face has no limit either; what is linear needs none.</summary>
    [Fact]
    public void TenMegabytesAreTokenized()
    {
        string prompt = string.Concat(Enumerable.Repeat("the quick brown 서울 fox\n", 400_000));
        Assert.True(prompt.Length * 2 > 10_000_000);
        Assert.Equal(prompt, Tokenizer.Decode(Tokenizer.Encode(prompt)));
    }

    [Fact]
    public void EmptyTextHasNoTokens()
    {
        Assert.Empty(Tokenizer.Encode(string.Empty));
        Assert.Equal(string.Empty, Tokenizer.Decode([]));
    }

    [Fact]
    public void BytesOfTokens()
    {
        int[] ids = Tokenizer.Encode("𠀀", specialTokens: false);
        byte[] bytes = [.. ids.SelectMany(id => Tokenizer.TokenBytes(id).ToArray())];
        Assert.Equal([0xF0, 0xA0, 0x80, 0x80], bytes);
        Assert.Equal("\uFFFD", Tokenizer.TokenText(ids[^1]));
        Assert.Equal("<role>", Tokenizer.TokenText(Tokenizer.IdOf("<role>")!.Value));
    }
}
