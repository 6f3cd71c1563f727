using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// The content of a <c>tokenizer.json</c>. Exactly the published pieces are read: NFC, the split pattern, byte-level
/// BPE, added tokens without flags. Any other piece, also one that might do no harm, is refused by name: a tokenizer
/// that is nearly right is worse than none.
/// </summary>
internal sealed class TokenizerFile
{
    private const int LargestId = (1 << 24) - 1;

    private readonly string sourceName;

    private TokenizerFile(string sourceName) => this.sourceName = sourceName;

    /// <summary>The tokens that merging can reach, in letters of <see cref="ByteLevel"/>.</summary>
    public Dictionary<string, int> Vocabulary { get; } = new(StringComparer.Ordinal);

    /// <summary>The merges as texts, by rank.</summary>
    public List<(string Left, string Right)> MergeTexts { get; } = [];

    /// <summary>The merges by the pair of tokens.</summary>
    public Dictionary<(int Left, int Right), Merge> Merges { get; } = [];

    /// <summary>The added tokens.</summary>
    public List<AddedToken> AddedTokens { get; } = [];

    /// <summary>Reads a file.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="sourceName">What to call it in messages.</param>
    /// <returns>The content.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    public static TokenizerFile Read(ReadOnlyMemory<byte> json, string sourceName)
    {
        using JsonDocument document = StrictJson.Parse(json, sourceName);
        TokenizerFile file = new(sourceName);
        JsonSection root = new(document.RootElement, sourceName, "$");
        RequireText(root, "version", "1.0");
        RequireNull(root, "truncation");
        RequireNull(root, "padding");
        ReadNormalizer(Section(root, "normalizer"));
        file.ReadPreTokenizer(Section(root, "pre_tokenizer"));
        ReadByteLevel(Section(root, "post_processor"));
        ReadByteLevel(Section(root, "decoder"));
        file.ReadModel(Section(root, "model"));
        file.ReadAddedTokens(root);
        RefuseOthers(root);
        return file;
    }

    private static void ReadNormalizer(JsonSection section)
    {
        RequireText(section, "type", "NFC");
        RefuseOthers(section);
    }

    private void ReadPreTokenizer(JsonSection section)
    {
        RequireText(section, "type", "Sequence");
        JsonElement[] steps = [.. Array(section, "pretokenizers").EnumerateArray()];
        if (steps.Length != 2)
        {
            throw section.Refuse("pretokenizers", $"must be Split and ByteLevel; found {steps.Length} steps");
        }

        JsonSection split = new(steps[0], sourceName, section.PathOf("pretokenizers[0]"));
        RequireText(split, "type", "Split");
        RequireText(split, "behavior", "Isolated");
        RequireFalse(split, "invert");
        JsonSection pattern = Section(split, "pattern");
        RequireText(pattern, "Regex", PieceSplitter.Pattern);
        RefuseOthers(pattern);
        RefuseOthers(split);

        JsonSection bytes = new(steps[1], sourceName, section.PathOf("pretokenizers[1]"));
        RequireText(bytes, "type", "ByteLevel");
        RequireFalse(bytes, "add_prefix_space");
        RequireFalse(bytes, "use_regex");
        _ = bytes.Boolean("trim_offsets", absent: true);
        RefuseOthers(bytes);
        RefuseOthers(section);
    }

    // As post-processor and decoder its settings move offsets only, which nobody asks us for.
    private static void ReadByteLevel(JsonSection section)
    {
        RequireText(section, "type", "ByteLevel");
        foreach (string key in new[] { "add_prefix_space", "trim_offsets", "use_regex" })
        {
            _ = section.Boolean(key, absent: true);
        }

        RefuseOthers(section);
    }

    private void ReadModel(JsonSection section)
    {
        RequireText(section, "type", "BPE");
        foreach (string key in new[] { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" })
        {
            RequireNull(section, key);
        }

        RequireFalse(section, "fuse_unk");
        RequireFalse(section, "byte_fallback");
        RequireFalse(section, "ignore_merges");
        ReadVocabulary(section);
        ReadMerges(section);
        RefuseOthers(section);
    }

    private void ReadVocabulary(JsonSection section)
    {
        JsonElement vocabulary = section.Find("vocab") is JsonElement { ValueKind: JsonValueKind.Object } found
            ? found
            : throw section.Refuse("vocab", "must be an object of token ids");
        Dictionary<int, string> byId = [];
        foreach (JsonProperty token in vocabulary.EnumerateObject())
        {
            string place = $"vocab[{JsonSerializer.Serialize(token.Name)}]";
            int id = section.ToInteger(token.Value, place, 0, LargestId);
            if (token.Name.Length == 0 || ByteLevel.TryGetBytes(token.Name) is null)
            {
                throw section.Refuse(place, "not byte level: every character of a token must stand for a byte");
            }

            if (!byId.TryAdd(id, token.Name))
            {
                throw section.Refuse(place, $"id {id} is that of {JsonSerializer.Serialize(byId[id])} too");
            }

            Vocabulary.Add(token.Name, id);
        }

        for (int value = 0; value <= byte.MaxValue; value++)
        {
            string letter = ByteLevel.Letter((byte)value).ToString();
            if (!Vocabulary.ContainsKey(letter))
            {
                throw section.Refuse("vocab", string.Create(
                    CultureInfo.InvariantCulture,
                    $"not byte level: byte 0x{value:X2} ({letter}) has no token, text with it would vanish"));
            }
        }
    }

    private void ReadMerges(JsonSection section)
    {
        bool? areTexts = null;
        foreach (JsonElement merge in Array(section, "merges").EnumerateArray())
        {
            string place = string.Create(CultureInfo.InvariantCulture, $"merges[{MergeTexts.Count}]");
            bool isText = merge.ValueKind == JsonValueKind.String;
            string[]? parts = isText
                ? merge.GetString()!.Split(' ')
                : merge.ValueKind == JsonValueKind.Array
                    && merge.EnumerateArray().All(part => part.ValueKind == JsonValueKind.String)
                        ? [.. merge.EnumerateArray().Select(part => part.GetString()!)]
                        : null;
            if (parts is not [string left, string right])
            {
                throw section.Refuse(place, "must be \"left right\" or [\"left\", \"right\"]");
            }

            areTexts ??= isText;
            if (areTexts != isText)
            {
                throw section.Refuse(place, "some merges are strings and some are pairs");
            }

            AddMerge(section, place, left, right);
        }
    }

    private void AddMerge(JsonSection section, string place, string left, string right)
    {
        int Id(string token) => Vocabulary.TryGetValue(token, out int id)
            ? id
            : throw section.Refuse(place, $"{JsonSerializer.Serialize(token)} is not in the vocabulary");

        Merge merge = new(MergeTexts.Count, Id(left + right));
        if (!Merges.TryAdd((Id(left), Id(right)), merge))
        {
            throw section.Refuse(place, "this merge is listed twice");
        }

        MergeTexts.Add((left, right));
    }

    private void ReadAddedTokens(JsonSection root)
    {
        HashSet<int> ids = [.. Vocabulary.Values];
        HashSet<string> contents = new(StringComparer.Ordinal);
        int index = 0;
        foreach (JsonElement element in Array(root, "added_tokens").EnumerateArray())
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"added_tokens[{index++}]");
            JsonSection section = new(element, sourceName, root.PathOf(path));
            int id = section.Integer("id", 0, LargestId);
            string content = section.OptionalText("content") ?? string.Empty;
            if (content.Length == 0)
            {
                throw section.Refuse("content", "must be a text that is not empty");
            }

            foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized" })
            {
                RequireFalse(section, flag);
            }

            if (!ids.Add(id))
            {
                throw section.Refuse("id", $"{id} is the id of another token too");
            }

            if (!contents.Add(content))
            {
                throw section.Refuse("content", $"{JsonSerializer.Serialize(content)} was added before");
            }

            if (Vocabulary.ContainsKey(content))
            {
                throw section.Refuse("content", $"{JsonSerializer.Serialize(content)} is in the vocabulary too");
            }

            AddedTokens.Add(new AddedToken(id, content, section.Boolean("special", absent: false)));
            RefuseOthers(section);
        }
    }

    private static JsonSection Section(JsonSection parent, string key) =>
        parent.OptionalSection(key) ?? throw parent.Refuse(key, $"required; found {parent.Found(key)}");

    private static JsonElement Array(JsonSection parent, string key) =>
        parent.Find(key) is JsonElement { ValueKind: JsonValueKind.Array } found
            ? found
            : throw parent.Refuse(key, $"must be an array; found {parent.Found(key)}");

    private static void RequireText(JsonSection section, string key, string only)
    {
        if (section.OptionalText(key) != only)
        {
            throw section.Refuse(
                key, $"not supported; the published tokenizers have \"{only}\"; found {section.Found(key)}");
        }
    }

    private static void RequireNull(JsonSection section, string key)
    {
        if (section.Has(key))
        {
            throw section.Refuse(
                key, $"not supported; the published tokenizers have none; found {section.Found(key)}");
        }
    }

    private static void RequireFalse(JsonSection section, string key)
    {
        if (section.Boolean(key, absent: false))
        {
            throw section.Refuse(key, "not supported: must be false");
        }
    }

    private static void RefuseOthers(JsonSection section)
    {
        foreach (string key in section.UnaskedKeys)
        {
            throw section.Refuse(key, "not supported: unknown to the published tokenizers");
        }
    }
}
