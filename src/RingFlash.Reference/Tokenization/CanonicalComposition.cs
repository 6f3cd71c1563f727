using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// Unicode's Normalization Form C: decompose, put combining marks into the order of their classes, compose.
/// </summary>
/// <remarks>
/// Not <see cref="string.Normalize()"/>: without ICU, as this program runs (<c>InvariantGlobalization</c>), that
/// returns its input, and with ICU the answer depends on the machine. The table is Unicode 9.0's, as in Hugging Face's
/// <c>tokenizers</c>; later marks and compositions stay as they are.
/// Source: Unicode Standard Annex 15; Hangul by the arithmetic of chapter 3.12 of the standard.
/// </remarks>
internal static class CanonicalComposition
{
    private const int HangulBase = 0xAC00, HangulCount = 11172;
    private const int LeadBase = 0x1100, LeadCount = 19;
    private const int VowelBase = 0x1161, VowelCount = 21;
    private const int TrailBase = 0x11A7, TrailCount = 28; // the first one means "none"

    private static readonly CanonicalCharacters Table = CanonicalCharacters.Load();

    // By UTF-16 unit: a code point that composition neither changes nor moves, whatever stands beside it.
    private static readonly bool[] Inert = MakeInert();

    /// <summary>Normalises.</summary>
    /// <param name="text">Well-formed UTF-16.</param>
    /// <returns>The same text when it is normalised already, else its NFC.</returns>
    public static ReadOnlySpan<char> Normalize(ReadOnlySpan<char> text)
    {
        if (IsNormalized(text))
        {
            return text;
        }

        List<int> codes = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            Decompose(rune.Value, codes);
        }

        Order(codes);
        return Compose(codes);
    }

    // Yes is certain; no may mean "perhaps not".
    private static bool IsNormalized(ReadOnlySpan<char> text)
    {
        int last = 0;
        for (int index = 0; index < text.Length; index++)
        {
            if (Inert[text[index]])
            {
                last = 0;
                continue;
            }

            int code = text[index];
            if (char.IsHighSurrogate(text[index]))
            {
                code = char.ConvertToUtf32(text[index], text[++index]);
            }

            int combiningClass = Table.Class(code);
            if (CanChange(code) || (combiningClass != 0 && combiningClass < last))
            {
                return false;
            }

            last = combiningClass;
        }

        return true;
    }

    private static bool CanChange(int code) =>
        Table.IsExcluded(code)
        || Table.IsSecond(code)
        || (code >= VowelBase && code < VowelBase + VowelCount)
        || (code > TrailBase && code < TrailBase + TrailCount);

    private static void Decompose(int code, List<int> codes)
    {
        int hangul = code - HangulBase;
        if (hangul is >= 0 and < HangulCount)
        {
            codes.Add(LeadBase + (hangul / (VowelCount * TrailCount)));
            codes.Add(VowelBase + (hangul / TrailCount % VowelCount));
            if (hangul % TrailCount != 0)
            {
                codes.Add(TrailBase + (hangul % TrailCount));
            }
        }
        else if (Table.Decomposition(code) is int[] parts)
        {
            foreach (int part in parts)
            {
                Decompose(part, codes);
            }
        }
        else
        {
            codes.Add(code);
        }
    }

    private static void Order(List<int> codes)
    {
        for (int start = 0; start < codes.Count; start++)
        {
            int end = start;
            bool ordered = true;
            for (; end < codes.Count && Table.Class(codes[end]) != 0; end++)
            {
                ordered &= end == start || Table.Class(codes[end - 1]) <= Table.Class(codes[end]);
            }

            if (!ordered)
            {
                // Stable, and not quadratic when somebody sends a million marks on one letter.
                int[] marks = [.. codes[start..end].OrderBy(Table.Class)];
                for (int index = 0; index < marks.Length; index++)
                {
                    codes[start + index] = marks[index];
                }
            }

            start = end;
        }
    }

    private static string Compose(List<int> codes)
    {
        List<int> composed = new(codes.Count);
        int starter = -1, last = -1;
        foreach (int code in codes)
        {
            // A mark is blocked by one of the same or a higher class between it and the starter.
            int combiningClass = Table.Class(code);
            if (starter >= 0 && last < combiningClass && Composite(composed[starter], code) is int composite)
            {
                composed[starter] = composite;
                continue;
            }

            if (combiningClass == 0)
            {
                starter = composed.Count;
                last = -1;
            }
            else
            {
                last = combiningClass;
            }

            composed.Add(code);
        }

        StringBuilder text = new(composed.Count);
        foreach (int code in composed)
        {
            text.Append(new Rune(code).ToString());
        }

        return text.ToString();
    }

    private static int? Composite(int first, int second)
    {
        int lead = first - LeadBase, vowel = second - VowelBase;
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
        {
            return HangulBase + (((lead * VowelCount) + vowel) * TrailCount);
        }

        int syllable = first - HangulBase, trail = second - TrailBase;
        return syllable is >= 0 and < HangulCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount
            ? first + trail
            : Table.Composite(first, second);
    }

    private static bool[] MakeInert()
    {
        bool[] inert = new bool[char.MaxValue + 1];
        for (int unit = 0; unit < inert.Length; unit++)
        {
            inert[unit] = !char.IsSurrogate((char)unit) && Table.Class(unit) == 0 && !CanChange(unit);
        }

        return inert;
    }
}
