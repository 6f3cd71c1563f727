using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// The tokenizer of a checkpoint: text to ids and back, as Hugging Face's <c>tokenizers</c> does it for the published
/// <c>tokenizer.json</c>.
/// </summary>
/// <remarks>Instances may be used from several threads at once.</remarks>
public sealed class ModelTokenizer
{
    private ModelTokenizer()
    {
    }

    /// <summary>What a person would call this tokenizer: the path of its file.</summary>
    public string SourceName => throw new NotImplementedException();

    /// <summary>One more than the largest id; gaps are counted.</summary>
    public int VocabularySize => throw new NotImplementedException();

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="path">A checkpoint folder, or a <c>tokenizer.json</c>.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="InvalidInputException">The file is not of the published shape; the piece is named.</exception>
    /// <exception cref="EnvironmentException">There is no such file.</exception>
    public static ModelTokenizer Load(string path) => throw new NotImplementedException();

    /// <summary>Turns text into ids; nothing is put before or behind it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="specialTokens">
    /// Whether text that looks like an added token, e.g. <c>&lt;role&gt;</c>, becomes that token, as Hugging Face does
    /// it. False: it stays text.
    /// </param>
    /// <returns>[tokens].</returns>
    /// <exception cref="InvalidInputException">The text has a lone surrogate.</exception>
    public int[] Encode(string text, bool specialTokens = true) => throw new NotImplementedException();

    /// <summary>Turns ids into text. Bytes that are no UTF-8 become U+FFFD, one for each maximal subpart.</summary>
    /// <param name="ids">[tokens].</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <returns>The text.</returns>
    /// <exception cref="InvalidInputException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false) => throw new NotImplementedException();

    /// <summary>The bytes that a token stands for; they need not be whole characters.</summary>
    /// <param name="id">The token.</param>
    /// <returns>[bytes].</returns>
    /// <exception cref="InvalidInputException">The id is not in the vocabulary.</exception>
    public ReadOnlyMemory<byte> TokenBytes(int id) => throw new NotImplementedException();

    /// <summary>The text of a token alone: <see cref="Decode"/> of this one id.</summary>
    /// <param name="id">The token.</param>
    /// <returns>The text; U+FFFD where the bytes are no whole character.</returns>
    /// <exception cref="InvalidInputException">The id is not in the vocabulary.</exception>
    public string TokenText(int id) => throw new NotImplementedException();

    /// <summary>Whether a token is left out of text for people. Added tokens such as
    /// <c>&lt;think&gt;</c> are not.</summary>
    /// <param name="id">The token.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="InvalidInputException">The id is not in the vocabulary.</exception>
    public bool IsSpecial(int id) => throw new NotImplementedException();

    /// <summary>Whether an id is one of the vocabulary's or of the added tokens.</summary>
    /// <param name="id">Any number.</param>
    /// <returns>The answer.</returns>
    public bool Contains(int id) => throw new NotImplementedException();

    /// <summary>The id of an added token.</summary>
    /// <param name="addedToken">Its text, e.g. <c>&lt;|endoftext|&gt;</c>.</param>
    /// <returns>The id; null when there is no such added token.</returns>
    public int? IdOf(string addedToken) => throw new NotImplementedException();

    /// <summary>Turns a rendered conversation into ids.</summary>
    /// <param name="prompt">The conversation.</param>
    /// <param name="plainContent">
    /// Whether what people wrote stays text even where it looks like an added token; the markup of the chat format never
    /// does. False is what Hugging Face does.
    /// </param>
    /// <returns>[tokens].</returns>
    public int[] Encode(ChatPrompt prompt, bool plainContent = false) => throw new NotImplementedException();
}
