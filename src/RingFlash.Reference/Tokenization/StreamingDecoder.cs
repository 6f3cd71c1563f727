using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// Turns ids into text one by one. A character whose bytes lie in several tokens appears when its last byte has come;
/// all texts together are <see cref="ModelTokenizer.Decode"/> of all ids.
/// </summary>
public sealed class StreamingDecoder
{
    /// <summary>Creates a decoder.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public StreamingDecoder(ModelTokenizer tokenizer, bool skipSpecialTokens = false)
    {
    }

    /// <summary>Takes the next token.</summary>
    /// <param name="id">The token.</param>
    /// <returns>The text that is certain now; often empty.</returns>
    /// <exception cref="InvalidInputException">The id is not in the vocabulary.</exception>
    public string Append(int id) => throw new NotImplementedException();

    /// <summary>Ends the text: bytes that wait for others become U+FFFD. The decoder can be used anew.</summary>
    /// <returns>What is left.</returns>
    public string Flush() => throw new NotImplementedException();
}
