using System;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// Cuts text into the pieces inside which tokens are merged: the published split pattern, written out.
/// </summary>
/// <remarks>
/// <para>The alternatives of <see cref="Pattern"/>, the first that matches wins: (a) an English contraction; (b) at
/// most one character that is no letter, number, CR or LF, then letters; (c) one number character; (d) a space if there
/// is one, then signs, then CRs and LFs; (e) white space up to and with its last CR or LF; (f) white space but for its
/// last character, or all of it at the end of the text; (g) white space.</para>
/// <para>Together they match every character, so the pieces are the whole text. The possessive quantifiers never hold
/// back a character that the rest of their alternative could use, so greedy ones would match the same.</para>
/// <para>By hand because .NET's engine sees UTF-16 units, where a letter outside the BMP is two surrogates and no
/// letter, and has no possessive quantifiers. A test holds the two together.</para>
/// </remarks>
internal static class PieceSplitter
{
    /// <summary>The pattern as both published files write it; no other is read.</summary>
    public const string Pattern =
        @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";

    /// <summary>The length of the first piece.</summary>
    /// <param name="text">Well-formed UTF-16, not empty.</param>
    /// <returns>UTF-16 units, at least 1.</returns>
    public static int FirstLength(ReadOnlySpan<char> text)
    {
        CharacterClass first = CharacterClasses.At(text, 0, out int width);
        switch (first)
        {
            case CharacterClass.Letter:
                return RunEnd(text, width, CharacterClass.Letter);
            case CharacterClass.Number:
                return width;
            case CharacterClass.LineBreak:
                return WhiteSpaceLength(text);
            case CharacterClass.Other when ContractionLength(text) is int length and > 0:
                return length;
        }

        if (width == text.Length)
        {
            return width;
        }

        switch (CharacterClasses.At(text, width, out int nextWidth))
        {
            case CharacterClass.Letter:
                return RunEnd(text, width + nextWidth, CharacterClass.Letter);
            case CharacterClass.Other when text[0] == ' ':
                return SignsEnd(text, width + nextWidth);
        }

        return first == CharacterClass.Other ? SignsEnd(text, width) : WhiteSpaceLength(text);
    }

    private static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text[0] != '\'' || text.Length < 2)
        {
            return 0;
        }

        // U+017F, the long s, is an s to an engine that ignores case.
        if ((text[1] | 0x20) is 's' or 'd' or 'm' or 't' || text[1] == '\u017F')
        {
            return 2;
        }

        bool two = text.Length > 2
            && ((char)(text[1] | 0x20), (char)(text[2] | 0x20)) is ('l', 'l') or ('v', 'e') or ('r', 'e');
        return two ? 3 : 0;
    }

    private static int SignsEnd(ReadOnlySpan<char> text, int start) =>
        RunEnd(text, RunEnd(text, start, CharacterClass.Other), CharacterClass.LineBreak);

    private static int RunEnd(ReadOnlySpan<char> text, int start, CharacterClass wanted)
    {
        int end = start;
        while (end < text.Length && CharacterClasses.At(text, end, out int width) == wanted)
        {
            end += width;
        }

        return end;
    }

    private static int WhiteSpaceLength(ReadOnlySpan<char> text)
    {
        int end = 0, afterBreak = 0;
        for (; end < text.Length; end++)
        {
            CharacterClass found = CharacterClasses.At(text, end, out _);
            if (found == CharacterClass.LineBreak)
            {
                afterBreak = end + 1;
            }
            else if (found != CharacterClass.Space)
            {
                break;
            }
        }

        // White space has one unit per character. Its last one goes with the piece behind it, if there is one.
        return afterBreak > 0 ? afterBreak : end == text.Length || end == 1 ? end : end - 1;
    }
}
