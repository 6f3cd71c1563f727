using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// The tokenizer of a checkpoint: text to ids and back, as Hugging Face's <c>tokenizers</c> does it for the published
/// <c>tokenizer.json</c>.
/// </summary>
/// <remarks>
/// Text to ids: added tokens are cut out of the text as it stands; what lies between them is normalised (NFC), cut into
/// pieces by the published pattern, and each piece is merged from bytes to tokens. Ids to text: the bytes of all
/// tokens, read as UTF-8. Instances may be used from several threads at once.
/// </remarks>
public sealed class ModelTokenizer
{
    private const string FileName = "tokenizer.json";
    private const int MaximumByteCount = 256 << 20;

    private readonly PieceEncoder pieces;
    private readonly AddedTokens added;
    private readonly ReadOnlyMemory<byte>[] bytes; // by id; empty where there is no token
    private readonly HashSet<int> specialIds;

    private ModelTokenizer(TokenizerFile file, string sourceName, string sha256)
    {
        SourceName = sourceName;
        PublishedName = sha256 switch
        {
            "900b1506b10cb9990d08d7e9101382b86f35d49b3c4907181f84dcf5101e060e" => "Ring-flash-2.0",
            "e7c002c08ea2a08f0c0f28f92ca7d36163a4435c87f3a2bd4ef05bdb6bc1a300" => "Ring-mini-2.0",
            _ => null,
        };
        pieces = new PieceEncoder(file);
        added = new AddedTokens(file.AddedTokens);
        specialIds = [.. file.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Id)];
        TokenCount = file.Vocabulary.Count + file.AddedTokens.Count;
        bytes = new ReadOnlyMemory<byte>[
            1 + file.Vocabulary.Values.Concat(file.AddedTokens.Select(token => token.Id)).Max()];
        foreach ((string token, int id) in file.Vocabulary)
        {
            bytes[id] = ByteLevel.TryGetBytes(token);
        }

        foreach (AddedToken token in file.AddedTokens)
        {
            // Hugging Face's decoder takes them for byte-level text as well, when it can.
            bytes[token.Id] = ByteLevel.TryGetBytes(token.Content) ?? Encoding.UTF8.GetBytes(token.Content);
        }
    }

    /// <summary>What a person would call this tokenizer: the path of its file.</summary>
    public string SourceName { get; }

    /// <summary>The model whose published file this is, by its SHA-256; null for any other file.</summary>
    public string? PublishedName { get; }

    /// <summary>One more than the largest id; gaps are counted.</summary>
    public int VocabularySize => bytes.Length;

    /// <summary>The number of tokens, added ones too; less than <see cref="VocabularySize"/> by the gaps.</summary>
    public int TokenCount { get; }

    /// <summary>The number of added tokens.</summary>
    public int AddedTokenCount => added.All.Count;

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="path">A checkpoint folder, or a <c>tokenizer.json</c>.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="InvalidInputException">The file is not of the published shape; the piece is named.</exception>
    /// <exception cref="EnvironmentException">There is no such file.</exception>
    public static ModelTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string file = Directory.Exists(path) ? Path.Combine(path, FileName) : path;
        return Read(SmallFile.Read(file, MaximumByteCount, "a tokenizer"), file);
    }

    /// <summary>Reads a tokenizer from memory.</summary>
    /// <param name="json">The <c>tokenizer.json</c>, UTF-8.</param>
    /// <param name="sourceName">What to call it in messages.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="InvalidInputException">It is not of the published shape; the piece is named.</exception>
    public static ModelTokenizer Read(ReadOnlyMemory<byte> json, string sourceName) =>
        new(TokenizerFile.Read(json, sourceName), sourceName, Convert.ToHexStringLower(SHA256.HashData(json.Span)));

    /// <summary>Turns text into ids; nothing is put before or behind it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="specialTokens">
    /// Whether text that looks like an added token, e.g. <c>&lt;role&gt;</c>, becomes that token, as Hugging Face does
    /// it. False: it stays text.
    /// </param>
    /// <returns>[tokens].</returns>
    /// <exception cref="InvalidInputException">The text has a lone surrogate.</exception>
    public int[] Encode(string text, bool specialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Encode(text, [], plainEnd: specialTokens ? 0 : text.Length);
    }

    /// <summary>Turns a rendered conversation into ids.</summary>
    /// <param name="prompt">The conversation.</param>
    /// <param name="plainContent">
    /// Whether what people wrote stays text even where it looks like an added token; the words of the chat format never
    /// do. False is what Hugging Face does.
    /// </param>
    /// <returns>[tokens].</returns>
    /// <exception cref="InvalidInputException">The text has a lone surrogate.</exception>
    public int[] Encode(ChatPrompt prompt, bool plainContent = false)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return Encode(prompt.Text, plainContent ? prompt.Content : [], plainEnd: 0);
    }

    /// <summary>Turns ids into text. Bytes that are no UTF-8 become U+FFFD, one for each maximal subpart.</summary>
    /// <param name="ids">[tokens].</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <returns>The text.</returns>
    /// <exception cref="InvalidInputException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        MemoryStream all = new();
        foreach (int id in ids)
        {
            ReadOnlyMemory<byte> token = TokenBytes(id);
            if (!skipSpecialTokens || !specialIds.Contains(id))
            {
                all.Write(token.Span);
            }
        }

        return Encoding.UTF8.GetString(all.GetBuffer(), 0, (int)all.Length);
    }

    /// <summary>The bytes that a token stands for; they need not be whole characters.</summary>
    /// <param name="id">The token.</param>
    /// <returns>[bytes].</returns>
    /// <exception cref="InvalidInputException">The id is not in the vocabulary.</exception>
    public ReadOnlyMemory<byte> TokenBytes(int id) => Contains(id)
        ? bytes[id]
        : throw new InvalidInputException(
            SourceName,
            string.Create(CultureInfo.InvariantCulture, $"token id {id}"),
            string.Create(
                CultureInfo.InvariantCulture, $"not in the vocabulary, whose ids are 0 … {bytes.Length - 1}"));

    /// <summary>The text of a token alone: <see cref="Decode"/> of this one id.</summary>
    /// <param name="id">The token.</param>
    /// <returns>The text; U+FFFD where the bytes are no whole character.</returns>
    /// <exception cref="InvalidInputException">The id is not in the vocabulary.</exception>
    public string TokenText(int id) => Encoding.UTF8.GetString(TokenBytes(id).Span);

    /// <summary>
    /// Whether a token is left out of text for people. Added tokens such as <c>&lt;think&gt;</c> are not.
    /// </summary>
    /// <param name="id">The token.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="InvalidInputException">The id is not in the vocabulary.</exception>
    public bool IsSpecial(int id)
    {
        _ = TokenBytes(id);
        return specialIds.Contains(id);
    }

    /// <summary>Whether an id is one of the vocabulary's or of the added tokens.</summary>
    /// <param name="id">Any number.</param>
    /// <returns>The answer.</returns>
    public bool Contains(int id) => (uint)id < (uint)bytes.Length && !bytes[id].IsEmpty;

    /// <summary>The id of an added token.</summary>
    /// <param name="addedToken">Its text, e.g. <c>&lt;|endoftext|&gt;</c>.</param>
    /// <returns>The id; null when there is no such added token.</returns>
    public int? IdOf(string addedToken) => added.Find(addedToken)?.Id;

    /// <summary>Checks that a model has a row for every token.</summary>
    /// <param name="modelVocabularySize">The rows of the embedding table, <c>vocab_size</c>.</param>
    /// <exception cref="InvalidInputException">A token has none.</exception>
    public void EnsureFits(int modelVocabularySize)
    {
        if (VocabularySize > modelVocabularySize)
        {
            throw new InvalidInputException(
                SourceName,
                string.Create(CultureInfo.InvariantCulture, $"token id {VocabularySize - 1}"),
                string.Create(CultureInfo.InvariantCulture, $"above the model's vocab_size {modelVocabularySize}"));
        }
    }

    /// <summary>Forgets the pieces seen so far, for benchmarks.</summary>
    internal void Forget() => pieces.Forget();

    // Added tokens are looked for behind plainEnd and outside the plain parts.
    private int[] Encode(string text, IReadOnlyList<(int Start, int Length)> plain, int plainEnd)
    {
        EnsureWellFormed(text);
        List<int> ids = new((text.Length / 4) + 1);
        int done = 0;
        foreach ((int start, int length) in plain.Append((text.Length, 0)))
        {
            for (ReadOnlySpan<char> open = text.AsSpan(plainEnd, start - plainEnd);
                added.FindFirst(open, out int position) is AddedToken token;
                open = open[(position + token.Content.Length)..])
            {
                int found = start - open.Length + position;
                AppendText(text.AsSpan(done, found - done), ids);
                ids.Add(token.Id);
                done = found + token.Content.Length;
            }

            plainEnd = start + length;
        }

        AppendText(text.AsSpan(done), ids);
        return [.. ids];
    }

    private void AppendText(ReadOnlySpan<char> text, List<int> ids)
    {
        for (ReadOnlySpan<char> rest = CanonicalComposition.Normalize(text); rest.Length > 0;)
        {
            int length = PieceSplitter.FirstLength(rest);
            pieces.Append(rest[..length], ids);
            rest = rest[length..];
        }
    }

    private static void EnsureWellFormed(string text)
    {
        for (int index = 0; index < text.Length; index++)
        {
            int next = text.AsSpan(index).IndexOfAnyInRange('\uD800', '\uDFFF');
            if (next < 0)
            {
                return;
            }

            index += next;
            if (index + 1 == text.Length || !char.IsSurrogatePair(text[index], text[index + 1]))
            {
                throw new InvalidInputException(
                    "text",
                    string.Create(CultureInfo.InvariantCulture, $"character {index}"),
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"U+{(int)text[index]:X4} is a lone surrogate, which is no text"));
            }

            index++;
        }
    }
}
