using System;
using System.Text;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// Turns ids into text one by one. A character whose bytes lie in several tokens appears when its last byte has come;
/// all texts together are <see cref="ModelTokenizer.Decode"/> of all ids.
/// </summary>
public sealed class StreamingDecoder
{
    private readonly ModelTokenizer tokenizer;
    private readonly bool skipSpecialTokens;
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();

    /// <summary>Creates a decoder.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public StreamingDecoder(ModelTokenizer tokenizer, bool skipSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        this.tokenizer = tokenizer;
        this.skipSpecialTokens = skipSpecialTokens;
    }

    /// <summary>Takes the next token.</summary>
    /// <param name="id">The token.</param>
    /// <returns>The text that is certain now; often empty.</returns>
    /// <exception cref="InvalidInputException">The id is not in the vocabulary.</exception>
    public string Append(int id)
    {
        ReadOnlyMemory<byte> bytes = tokenizer.TokenBytes(id);
        return skipSpecialTokens && tokenizer.IsSpecial(id) ? string.Empty : Take(bytes.Span, flush: false);
    }

    /// <summary>Ends the text: bytes that wait for others become U+FFFD. The decoder can be used anew.</summary>
    /// <returns>What is left.</returns>
    public string Flush() => Take([], flush: true);

    private string Take(ReadOnlySpan<byte> bytes, bool flush)
    {
        char[] text = new char[decoder.GetCharCount(bytes, flush)];
        return new string(text, 0, decoder.GetChars(bytes, text, flush));
    }
}
