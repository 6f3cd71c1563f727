// Red here: a tokenizer that is not of the published shape was read all the same, or its fault was not named.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Text.Json.Nodes;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

/// <summary>Rows 38 to 41 of the list of bad inputs.</summary>
public sealed class BadTokenizers
{
    private static readonly Dictionary<string, (Action<JsonObject> Damage, string Message)> Cases = new()
    {
        ["not BPE"] = (Model("type", "Unigram"), "$.model.type: not supported; the published tokenizers have \"BPE\""),
        ["no model"] = (json => json.Remove("model"), "$.model: required"),
        ["unknown normalizer"] = (json => json["normalizer"]!["type"] = "NFKC", "$.normalizer.type: not supported"),
        ["no normalizer"] = (json => json["normalizer"] = null, "$.normalizer: required"),
        ["unknown pre-tokenizer"] = (
            json => json["pre_tokenizer"] = new JsonObject { ["type"] = "Metaspace" },
            "$.pre_tokenizer.type: not supported"),
        ["no byte level"] = (
            json => Steps(json).RemoveAt(1), "$.pre_tokenizer.pretokenizers: must be Split and ByteLevel; found 1"),
        ["a pattern that backtracks for ever"] = (
            json => Steps(json)[0]!["pattern"]!["Regex"] = "(a+)+$",
            "$.pre_tokenizer.pretokenizers[0].pattern.Regex: not supported"),
        ["removing pieces"] = (
            json => Steps(json)[0]!["behavior"] = "Removed",
            "$.pre_tokenizer.pretokenizers[0].behavior: not supported"),
        ["a space before the text"] = (
            json => Steps(json)[1]!["add_prefix_space"] = true,
            "$.pre_tokenizer.pretokenizers[1].add_prefix_space: not supported: must be false"),
        ["another decoder"] = (json => json["decoder"]!["type"] = "WordPiece", "$.decoder.type: not supported"),
        ["a template behind"] = (
            json => json["post_processor"]!["type"] = "TemplateProcessing", "$.post_processor.type: not supported"),
        ["truncation"] = (
            json => json["truncation"] = new JsonObject { ["max_length"] = 5 }, "$.truncation: not supported"),
        ["padding"] = (json => json["padding"] = new JsonObject(), "$.padding: not supported"),
        ["dropout"] = (Model("dropout", 0.1), "$.model.dropout: not supported"),
        ["unknown token"] = (Model("unk_token", "<unk>"), "$.model.unk_token: not supported"),
        ["byte fallback"] = (Model("byte_fallback", true), "$.model.byte_fallback: not supported: must be false"),
        ["ignored merges"] = (Model("ignore_merges", true), "$.model.ignore_merges: not supported: must be false"),
        ["a suffix"] = (Model("end_of_word_suffix", "</w>"), "$.model.end_of_word_suffix: not supported"),
        ["an unknown setting"] = (Model("sampling", 1), "$.model.sampling: not supported: unknown"),
        ["version"] = (json => json["version"] = "2.0", "$.version: not supported"),
        ["stripping"] = (
            json => Added(json)[0]!["lstrip"] = true, "$.added_tokens[0].lstrip: not supported: must be false"),
        ["whole words"] = (
            json => Added(json)[0]!["single_word"] = true, "$.added_tokens[0].single_word: not supported"),
        ["normalised"] = (json => Added(json)[3]!["normalized"] = true, "$.added_tokens[3].normalized: not supported"),
        ["empty token"] = (json => Added(json)[1]!["content"] = "", "$.added_tokens[1].content: must be a text"),
        ["added twice"] = (
            json => Added(json)[1]!["content"] = "<|startoftext|>", "$.added_tokens[1].content: \"\\u003C|startoftext"),
        ["added and in the vocabulary"] = (
            json => Added(json)[1]!["content"] = "a", "$.added_tokens[1].content: \"a\" is in the vocabulary too"),
        ["two added tokens with one id"] = (
            json => Added(json)[1]!["id"] = 480, "$.added_tokens[1].id: 480 is the id of another token too"),
        ["an added token with a vocabulary's id"] = (
            json => Added(json)[1]!["id"] = 7, "$.added_tokens[1].id: 7 is the id of another token too"),
        ["two tokens with one id"] = (
            json => json["model"]!["vocab"]!["b"] = 97, "id 97 is that of \"a\" too"),
        ["negative id"] = (json => json["model"]!["vocab"]!["a"] = -1, "must be between 0 and 16777215; found -1"),
        ["half an id"] = (json => json["model"]!["vocab"]!["a"] = 1.5, "must be a plain integer; found 1.5"),
        ["no byte"] = (
            json => json["model"]!["vocab"]!.AsObject().Remove("a"),
            "$.model.vocab: not byte level: byte 0x61 (a) has no"),
        ["a token that is no byte text"] = (
            json => json["model"]!["vocab"]!["서"] = 479, "not byte level: every character of a token must stand for"),
        ["merge of an unknown part"] = (
            Merge("[\"zz\", \"a\"]"), "$.model.merges[0]: \"zza\" is not in the vocabulary"),
        ["merge to an unknown token"] = (
            Merge("[\"q\", \"q\"]"), "$.model.merges[0]: \"qq\" is not in the vocabulary"),
        ["merge of three"] = (Merge("[\"a\", \"b\", \"c\"]"), "$.model.merges[0]: must be \"left right\" or"),
        ["merge of numbers"] = (Merge("[1, 2]"), "$.model.merges[0]: must be \"left right\" or"),
        ["merge of one"] = (Merge("\"ab\""), "$.model.merges[0]: must be \"left right\" or"),
        ["mixed merges"] = (
            json => Merges(json)[1] = $"{Merges(json)[1]![0]} {Merges(json)[1]![1]}",
            "$.model.merges[1]: some merges are strings and some are pairs"),
        ["a merge twice"] = (
            json => Merges(json).Add(Merges(json)[0]!.DeepClone()), "$.model.merges[224]: this merge is listed twice"),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void AreRefusedByName(string name)
    {
        JsonObject json = SmallTokenizer.Json();
        _ = SmallTokenizer.Read(json); // the file is good before
        Cases[name].Damage(json);
        InvalidInputException error = Assert.Throws<InvalidInputException>(() => SmallTokenizer.Read(json));
        Assert.StartsWith("small.json: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(Cases[name].Message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("\n", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "not strict JSON")]
    [InlineData("{", "not strict JSON")]
    [InlineData("[]", "must be an object")]
    [InlineData("{\"version\": \"1.0\", \"version\": \"1.0\"}", "duplicate key")]
    [InlineData("{\"version\": \"\\ud800\"}", "without lone surrogates")]
    [InlineData("version https://git-lfs.github.com/spec/v1", "not strict JSON")]
    public void BrokenJsonIsRefused(string json, string message) => Assert.Contains(
        message,
        Assert.Throws<InvalidInputException>(
            () => ModelTokenizer.Read(Encoding.UTF8.GetBytes(json), "broken.json")).Message,
        StringComparison.Ordinal);

    [Fact]
    public void MissingFilesAreTheEnvironmentsFault()
    {
        using TemporaryFolder folder = new();
        Assert.Throws<EnvironmentException>(() => ModelTokenizer.Load(folder.Path));
        Assert.Throws<EnvironmentException>(() => ModelTokenizer.Load(Path.Combine(folder.Path, "none.json")));
    }

    [Fact]
    public void GapsBetweenIdsAreAllowedAndCounted()
    {
        JsonObject json = SmallTokenizer.Json();
        Added(json)[14]!["id"] = 500;
        ModelTokenizer tokenizer = SmallTokenizer.Read(json);
        Assert.Equal(501, tokenizer.VocabularySize);
        Assert.Equal(495, tokenizer.TokenCount);
        Assert.False(tokenizer.Contains(495));
        Assert.Throws<InvalidInputException>(() => tokenizer.Decode([495]));
        Assert.Equal([500], tokenizer.Encode("🙂"));
    }

    [Fact]
    public void IdsAboveTheModelsVocabularyAreRefused()
    {
        SmallTokenizer.Instance.EnsureFits(495);
        Assert.Contains(
            "token id 494: above the model's vocab_size 494",
            Assert.Throws<InvalidInputException>(() => SmallTokenizer.Instance.EnsureFits(494)).Message,
            StringComparison.Ordinal);
    }

    private static JsonArray Steps(JsonObject json) => json["pre_tokenizer"]!["pretokenizers"]!.AsArray();

    private static JsonArray Added(JsonObject json) => json["added_tokens"]!.AsArray();

    private static JsonArray Merges(JsonObject json) => json["model"]!["merges"]!.AsArray();

    private static Action<JsonObject> Model(string key, JsonNode value) => json => json["model"]![key] = value;

    private static Action<JsonObject> Merge(string first) => json => Merges(json).Insert(0, JsonNode.Parse(first));
}
