using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Benchmarks;

/// <summary>
/// Text to ids on one thread: ours, Microsoft.ML.Tokenizers used as its own sample uses it, and Hugging Face's Rust
/// tokenizers in a process of their own.
/// </summary>
internal static class TokenizerBenchmark
{
    private const int Rounds = 9;
    private const int TextBytes = 8_000_000;
    private const int DocumentCharacters = 8_000;
    private const int DistinctWords = 100_000;

    /// <summary>Runs.</summary>
    /// <param name="path">A published <c>tokenizer.json</c>.</param>
    /// <param name="node">A Node with the package <c>tokenizers</c>; without one the peer is not available.</param>
    /// <param name="files">Texts to measure; none: English and Korean words of the vocabulary, by Zipf's law.</param>
    /// <returns>0, or 4 when a check failed.</returns>
    public static int Run(string path, string node, string[] files)
    {
        ModelTokenizer tokenizer = ModelTokenizer.Load(path);
        BpeTokenizer library = Naive(path);
        (string Name, string Text)[] texts = files.Length > 0
            ? [.. files.Select(file => (Path.GetFileName(file), File.ReadAllText(file)))]
            :
            [
                ("English", Words(tokenizer, rune => char.IsAsciiLetterLower((char)rune.Value))),
                ("Korean", Words(tokenizer, rune => rune.Value is >= 0xAC00 and <= 0xD7A3)),
            ];
        return texts.All(text => Measure(path, node, text.Name, text.Text, tokenizer, library)) ? 0 : 4;
    }

    private static bool Measure(
        string path, string node, string name, string text, ModelTokenizer tokenizer, BpeTokenizer library)
    {
        string[] documents = [.. Documents(text)];
        double megabytes = documents.Sum(Encoding.UTF8.GetByteCount) / 1e6;
        int tokens = documents.Sum(document => tokenizer.Encode(document).Length);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: {megabytes:F1} MB in {documents.Length} documents, {tokens / 1e6:F2} million tokens, 1 thread"));
        PairedRounds rounds = new();
        rounds.Add("ours", () => Array.ForEach(documents, document => tokenizer.Encode(document)));
        rounds.Add("ours, every piece new", () =>
        {
            tokenizer.Forget();
            Array.ForEach(documents, document => tokenizer.Encode(document));
        });
        rounds.Add("library, naive", () => Array.ForEach(documents, document => library.EncodeToIds(document)));

        string folder = Directory.CreateTempSubdirectory("ringflash-").FullName;
        try
        {
            string input = Path.Combine(folder, "documents.json"), output = Path.Combine(folder, "ids.json");
            File.WriteAllText(input, JsonSerializer.Serialize(documents));
            using ScriptPeer? peer = ScriptPeer.Start(node, "tokenizers_peer.js", path, input, output);
            if (peer is not null)
            {
                int[][] theirs = JsonSerializer.Deserialize<int[][]>(File.ReadAllText(output))!;
                if (!theirs.Zip(documents).All(pair => tokenizer.Encode(pair.Second).SequenceEqual(pair.First)))
                {
                    Console.Error.WriteLine("the ids are not those of Hugging Face's tokenizers; nothing is timed");
                    return false;
                }

                rounds.AddTimed("Hugging Face tokenizers", peer.Once);
            }

            foreach (PairedRounds.Result result in rounds.Measure(Rounds, warmUps: 2))
            {
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {result.Name,-26} {megabytes * 1000 / result.Median,7:F1} MB/s, {result.Ratio,5:F2} × the time "
                    + $"of ours [{result.LowerQuartile:F2} … {result.UpperQuartile:F2}]"));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        return true;
    }

    // The library's own sample for byte-level files: its regex, its special tokens.
    private static BpeTokenizer Naive(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement model = document.RootElement.GetProperty("model");
        return BpeTokenizer.Create(new BpeOptions(model.GetProperty("vocab").EnumerateObject()
            .Select(token => KeyValuePair.Create(token.Name, token.Value.GetInt32())))
        {
            Merges = [.. model.GetProperty("merges").EnumerateArray().Select(merge =>
                merge.ValueKind == JsonValueKind.String ? merge.GetString()! : $"{merge[0]} {merge[1]}")],
            SpecialTokens = document.RootElement.GetProperty("added_tokens").EnumerateArray().ToDictionary(
                token => token.GetProperty("content").GetString()!, token => token.GetProperty("id").GetInt32()),
            PreTokenizer = new RegexPreTokenizer(
                new Regex(
                    @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|"
                    + @"\s+(?!\S)|\s+",
                    RegexOptions.Compiled),
                specialTokens: null),
            ByteLevel = true,
        });
    }

    private static IEnumerable<string> Documents(string text)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = Math.Min(text.Length, start + DocumentCharacters);
            end = end == text.Length ? end : Math.Max(start + 1, text.LastIndexOf(' ', end - 1, end - start - 1));
            yield return text[start..end];
            start = end;
        }
    }

    // The n-th word comes 1/n as often as the first; words are one to three tokens that are all letters.
    private static string Words(ModelTokenizer tokenizer, Func<Rune, bool> isLetter)
    {
        Random random = new(1);
        string[] parts = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.Contains)
            .Select(tokenizer.TokenText).Select(text => text.TrimStart(' '))
            .Where(text => text.Length > 0 && text.EnumerateRunes().All(isLetter))];
        string[] words = [.. Enumerable.Range(0, DistinctWords).Select(_ =>
            string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => parts[random.Next(parts.Length)])))];
        double harmonic = Math.Log(DistinctWords);
        StringBuilder text = new();
        for (int bytes = 0; bytes < TextBytes;)
        {
            string word = words[Math.Min(DistinctWords - 1, (int)Math.Exp(random.NextDouble() * harmonic) - 1)];
            text.Append(word).Append(random.Next(12) == 0 ? ". " : " ");
            bytes += Encoding.UTF8.GetByteCount(word) + 1;
        }

        return text.ToString();
    }
}
