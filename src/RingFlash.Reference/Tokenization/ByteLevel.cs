using System;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// The letters that stand for bytes in a byte-level vocabulary. Printable bytes stand for themselves, the other 68 are
/// U+0100 … U+0143 in ascending order, so that no token holds a space or a control character: <c>Ġ</c> is the space.
/// </summary>
/// <remarks>Source: GPT-2's <c>bytes_to_unicode</c>; the same table in Hugging Face's <c>tokenizers</c>.</remarks>
internal static class ByteLevel
{
    private static readonly char[] Letters = MakeLetters();

    private static readonly short[] Bytes = MakeBytes();

    /// <summary>The letter of a byte.</summary>
    public static char Letter(byte value) => Letters[value];

    /// <summary>Turns the letters of a token into bytes.</summary>
    /// <param name="token">The token as the vocabulary writes it.</param>
    /// <returns>[bytes]; null when a character is no such letter.</returns>
    public static byte[]? TryGetBytes(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int index = 0; index < bytes.Length; index++)
        {
            char letter = token[index];
            if (letter >= Bytes.Length || Bytes[letter] < 0)
            {
                return null;
            }

            bytes[index] = (byte)Bytes[letter];
        }

        return bytes;
    }

    private static char[] MakeLetters()
    {
        char[] letters = new char[256];
        char next = '\u0100';
        for (int value = 0; value < letters.Length; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            letters[value] = printable ? (char)value : next++;
        }

        return letters;
    }

    private static short[] MakeBytes()
    {
        short[] bytes = new short[0x144];
        Array.Fill(bytes, (short)-1);
        for (int value = 0; value < Letters.Length; value++)
        {
            bytes[Letters[value]] = (short)value;
        }

        return bytes;
    }
}
