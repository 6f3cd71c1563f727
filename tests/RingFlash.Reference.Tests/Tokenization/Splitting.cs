// Red here: pieces are not what the published pattern matches, or text vanishes between them.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

public sealed class Splitting
{
    // The published pattern; possessive quantifiers as .NET writes them, "ignore case" with the long s that it lacks.
    private static readonly Regex Published = new(
        @"'(?:[sdmtSDMT\u017F]|[lL][lL]|[vV][eE]|[rR][eE])|(?>[^\r\n\p{L}\p{N}]?)\p{L}+|\p{N}"
        + @"| ?(?>[^\s\p{L}\p{N}]+)[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        RegexOptions.CultureInvariant);

    [Theory]
    [InlineData("don't WE'LL go", "don|'t| WE|'LL| go")]
    [InlineData("x=1234", "x|=|1|2|3|4")]
    [InlineData("a  b\t\tc", "a| | b|\t|\tc")]
    [InlineData("end.\n\n  next", "end|.\n\n| | next")]
    [InlineData(" \n \n x", " \n \n| x")]
    [InlineData("𝒜𠀀b", "𝒜𠀀b")]
    [InlineData("𝟗9", "𝟗|9")]
    [InlineData("'\u017Fa", "'\u017F|a")]
    [InlineData("tail   ", "tail|   ")]
    [InlineData("", "")]
    public void Examples(string text, string pieces) => Assert.Equal(pieces, string.Join('|', Pieces(text)));

    [Fact]
    public void PiecesAreWhatThePatternMatches()
    {
        Random random = new(1);
        for (int round = 0; round < 30_000; round++)
        {
            string text = RandomText.Next(random, 16);

            // .NET sees half code points outside the BMP; one inside of the same class stands for each.
            string image = string.Concat(text.EnumerateRunes().Select(StandIn));
            int[] expected = [.. Published.Matches(image).Select(match => match.Length)];
            int[] found = [.. Pieces(text).Select(piece => piece.EnumerateRunes().Count())];
            Assert.True(
                expected.SequenceEqual(found), $"{string.Join('|', Pieces(text))}: {string.Join(' ', expected)}");
        }
    }

    [Fact]
    public void NothingVanishes()
    {
        Random random = new(2);
        for (int round = 0; round < 10_000; round++)
        {
            string text = RandomText.Next(random, 16);
            Assert.Equal(text, string.Concat(Pieces(text)));

            // Through the whole way only NFC may change something.
            int[] ids = SmallTokenizer.Instance.Encode(text, specialTokens: false);
            Assert.Equal(CanonicalComposition.Normalize(text).ToString(), SmallTokenizer.Instance.Decode(ids));
        }
    }

    /// <summary>What the library does to text that its pattern does not match; a reason for our own splitter.</summary>
    [Fact]
    public void TheLibraryDropsWhatItsPatternDoesNotMatch()
    {
        Microsoft.ML.Tokenizers.RegexPreTokenizer letters = new(new Regex(@"\p{L}+"), specialTokens: null);
        Assert.Equal(8, letters.PreTokenize("hell 12 hell").Sum(piece => piece.Length));
        Assert.Equal(12, Pieces("hell 12 hell").Sum(piece => piece.Length));
    }

    private static List<string> Pieces(string text)
    {
        List<string> pieces = [];
        for (int start = 0; start < text.Length; start += pieces[^1].Length)
        {
            pieces.Add(text.Substring(start, PieceSplitter.FirstLength(text.AsSpan(start))));
        }

        return pieces;
    }

    private static string StandIn(Rune rune) => rune.IsBmp ? rune.ToString() : CharacterClasses.Of(rune.Value) switch
    {
        CharacterClass.Letter => "\u05D0",
        CharacterClass.Number => "7",
        CharacterClass.Other => "#",
        _ => throw new InvalidOperationException("There is no white space outside the BMP."),
    };
}
