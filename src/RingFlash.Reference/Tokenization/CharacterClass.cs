using System;
using System.Globalization;
using System.Text;

namespace RingFlash.Reference.Tokenization;

/// <summary>What the split pattern distinguishes.</summary>
internal enum CharacterClass : byte
{
    /// <summary>Neither white space nor letter nor number; combining marks too.</summary>
    Other,

    /// <summary><c>\p{L}</c>.</summary>
    Letter,

    /// <summary><c>\p{N}</c>.</summary>
    Number,

    /// <summary><c>\s</c> except CR and LF.</summary>
    Space,

    /// <summary>CR or LF.</summary>
    LineBreak,

    /// <summary>Half of a code point outside the BMP: look at both halves.</summary>
    Half,
}

/// <summary>
/// Looks up classes. <c>\p{L}</c> and <c>\p{N}</c> are .NET's general categories, <c>\s</c> is the property
/// White_Space; over all code points but NUL they are what Hugging Face's engine (oniguruma) says, both at
/// Unicode 16.
/// </summary>
internal static class CharacterClasses
{
    private static readonly CharacterClass[] Units = MakeUnits();

    /// <summary>The class of the code point at a position.</summary>
    /// <param name="text">Well-formed UTF-16.</param>
    /// <param name="index">A position inside.</param>
    /// <param name="width">Its UTF-16 units, 1 or 2.</param>
    /// <returns>The class.</returns>
    public static CharacterClass At(ReadOnlySpan<char> text, int index, out int width)
    {
        CharacterClass unit = Units[text[index]];
        width = 1;
        if (unit == CharacterClass.Half)
        {
            width = 2;
            return Of(char.ConvertToUtf32(text[index], text[index + 1]));
        }

        return unit;
    }

    /// <summary>The class of a code point.</summary>
    /// <param name="codePoint">No surrogate.</param>
    /// <returns>The class.</returns>
    public static CharacterClass Of(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => CharacterClass.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber =>
            CharacterClass.Number,
        _ when codePoint is '\r' or '\n' => CharacterClass.LineBreak,
        _ => Rune.IsWhiteSpace(new Rune(codePoint)) ? CharacterClass.Space : CharacterClass.Other,
    };

    private static CharacterClass[] MakeUnits()
    {
        CharacterClass[] units = new CharacterClass[char.MaxValue + 1];
        for (int unit = 0; unit < units.Length; unit++)
        {
            units[unit] = char.IsSurrogate((char)unit) ? CharacterClass.Half : Of(unit);
        }

        return units;
    }
}
