using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Server;

/// <summary>
/// What tokens are called in answers. A model's vocabulary may be larger than its tokenizer's: ids without a token have
/// no text, as in Hugging Face's decoders.
/// </summary>
internal static class TokenWords
{
    /// <summary>The name of a token by its id.</summary>
    /// <param name="id">The token.</param>
    /// <returns>vLLM's <c>token_id:N</c>.</returns>
    public static string ById(int id) => string.Create(CultureInfo.InvariantCulture, $"token_id:{id}");

    /// <summary>The text of a token alone.</summary>
    /// <param name="tokenizer">The tokenizer; null for none.</param>
    /// <param name="id">The token.</param>
    /// <returns>The text; null without a tokenizer.</returns>
    public static string? Text(ModelTokenizer? tokenizer, int id) =>
        tokenizer is null ? null : tokenizer.Contains(id) ? tokenizer.TokenText(id) : string.Empty;

    /// <summary>The text of tokens.</summary>
    /// <param name="tokenizer">The tokenizer; null for none.</param>
    /// <param name="ids">The tokens.</param>
    /// <returns>The text; empty without a tokenizer.</returns>
    public static string Text(ModelTokenizer? tokenizer, IReadOnlyList<int> ids) =>
        tokenizer is null ? string.Empty : tokenizer.Decode([.. ids.Where(tokenizer.Contains)]);

    /// <summary>The bytes of a token.</summary>
    /// <param name="tokenizer">The tokenizer; null for none.</param>
    /// <param name="id">The token.</param>
    /// <returns>The bytes; null where they are not known.</returns>
    public static ReadOnlyMemory<byte>? Bytes(ModelTokenizer? tokenizer, int id) =>
        tokenizer is null ? null : tokenizer.Contains(id) ? tokenizer.TokenBytes(id) : ReadOnlyMemory<byte>.Empty;
}
