// Makes texts for the properties of this folder; red here is no product defect.
using System;
using System.Text;

namespace RingFlash.Reference.Tests.Tokenization;

/// <summary>Well-formed texts with everything that splitting and normalising look at.</summary>
internal static class RandomText
{
    private static readonly string[] Parts =
    [
        " ", "  ", "\t", "\n", "\r\n", "\r", "\u00A0", "\u3000", "\u0085", "\u2028", "'", "'s", "'LL", "'\u017F",
        "a", "Z", "word", "é", "e\u0301", "\u0316", "\u0301", "\u0345", "\u1100\u1161", "\uAC00", "\u11A8", "9", "٣",
        "½", "Ⅷ", "!", "?!", "_", "\u200B", "𝒜", "𠀀", "🙂", "𝟗", "\u0344", "\0", "\uFFFD", "<think>", "<role", ">",
    ];

    public static string Next(Random random, int parts)
    {
        StringBuilder text = new();
        for (int part = random.Next(parts + 1); part > 0; part--)
        {
            text.Append(random.Next(4) == 0
                ? AnyCodePoint(random).ToString()
                : Parts[random.Next(Parts.Length)]);
        }

        return text.ToString();
    }

    private static Rune AnyCodePoint(Random random)
    {
        int code = random.Next(random.Next(2) == 0 ? 0x3000 : 0x110000);
        return Rune.IsValid(code) ? new Rune(code) : new Rune('x');
    }
}
