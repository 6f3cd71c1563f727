// Red here: a piece becomes other tokens than the merges say, or a long one takes time that grows with its square.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

public sealed class Merging
{
    [Fact]
    public void TheHeapMergesAsTheLibraryDoes() => CompareHeapAndLibrary(
        TokenizerFile.Read(Encoding.UTF8.GetBytes(SmallTokenizer.Json().ToJsonString()), "small"));

    [Fact]
    public void TheHeapMergesAsTheLibraryDoesWithThePublishedMerges()
    {
        PublishedTokenizers.SkipIfNotAvailable();
        CompareHeapAndLibrary(TokenizerFile.Read(PublishedTokenizers.Json("ring-flash-2.0"), "ring-flash-2.0"));
    }

    [Fact]
    public void MergesMayBeTextsOrPairs()
    {
        JsonObject json = SmallTokenizer.Json();
        JsonArray merges = json["model"]!["merges"]!.AsArray();
        json["model"]!["merges"] = new JsonArray([.. merges.Select(merge =>
            (JsonNode)JsonValue.Create($"{merge![0]!.GetValue<string>()} {merge[1]!.GetValue<string>()}"))]);
        ModelTokenizer asTexts = SmallTokenizer.Read(json);
        Random random = new(3);
        for (int round = 0; round < 300; round++)
        {
            string text = RandomText.Next(random, 20);
            Assert.Equal(SmallTokenizer.Instance.Encode(text), asTexts.Encode(text));
        }
    }

    /// <summary>The library takes 151 seconds for this.</summary>
    [Theory]
    [InlineData("a")]
    [InlineData("the")]
    [InlineData("qzjxkvbw")]
    [InlineData("서울안녕")]
    public void AMillionLettersInUnderTwoSeconds(string unit)
    {
        string word = string.Concat(Enumerable.Repeat(unit, 1_000_000 / unit.Length));
        ModelTokenizer tokenizer = SmallTokenizer.Instance;

        // Other tests run beside this one: the best of a few is what it takes.
        TimeSpan best = Enumerable.Range(0, 5).Min(_ =>
        {
            long start = Stopwatch.GetTimestamp();
            int[] ids = tokenizer.Encode(word);
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            Assert.Equal(word, tokenizer.Decode(ids));
            return elapsed;
        });
        Assert.True(best < TimeSpan.FromSeconds(2), $"{best.TotalSeconds:F2} s");
    }

    [Fact]
    public void AMillionMarksOnOneLetterInUnderTwoSeconds()
    {
        string text = "a" + string.Concat(Enumerable.Repeat("\u0301\u0316", 500_000));
        TimeSpan best = Enumerable.Range(0, 5).Min(_ =>
        {
            long start = Stopwatch.GetTimestamp();
            Assert.Equal(1_000_000, CanonicalComposition.Normalize(text).Length);
            return Stopwatch.GetElapsedTime(start);
        });
        Assert.True(best < TimeSpan.FromSeconds(2), $"{best.TotalSeconds:F2} s");
    }

    [Fact]
    public async Task ManyThreadsGetTheSameIds()
    {
        Random random = new(5);
        string[] texts = [.. Enumerable.Range(0, 400).Select(_ => RandomText.Next(random, 60))];
        int[][] alone = [.. texts.Select(text => SmallTokenizer.Instance.Encode(text))];
        ModelTokenizer shared = SmallTokenizer.Read(SmallTokenizer.Json());
        await Task.WhenAll(Enumerable.Range(0, 8).Select(thread => Task.Run(() =>
        {
            for (int index = 0; index < texts.Length; index++)
            {
                int turn = (index + (thread * 50)) % texts.Length;
                Assert.Equal(alone[turn], shared.Encode(texts[turn]));
            }
        })));
    }

    private static void CompareHeapAndLibrary(TokenizerFile file)
    {
        PieceEncoder encoder = new(file);
        Random random = new(4);
        string[] tokens = [.. file.Vocabulary.Keys
            .Select(token => Encoding.UTF8.GetString(ByteLevel.TryGetBytes(token)!))
            .Where(token => !token.Contains('\uFFFD', StringComparison.Ordinal))];
        int merged = 0;
        for (int round = 0; round < 20_000; round++)
        {
            string piece = string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(3) == 0
                ? RandomText.Next(random, 3)
                : tokens[random.Next(tokens.Length)]));
            if (piece.Length == 0)
            {
                continue;
            }

            IReadOnlyList<int> expected = encoder.MergeByLibrary(piece);
            Assert.Equal(expected, encoder.MergeByHeap(piece));
            merged += Encoding.UTF8.GetByteCount(piece) - expected.Count;
        }

        Assert.True(merged > 100_000);
    }
}
