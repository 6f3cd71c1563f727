using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// A name with numbers left open: plain text with the placeholders <c>{layer}</c>, <c>{expert}</c> and <c>{rank}</c>,
/// each at most once. A placeholder stands for a decimal number of up to six digits without leading zeros. Nothing
/// else has a meaning: a pattern is no regular expression.
/// </summary>
internal sealed class NamePattern
{
    private const int LongestNumber = 6;
    private static readonly string[] Placeholders = ["layer", "expert", "rank"];

    // Text, placeholder, text, placeholder, …, text; texts may be empty at the ends only.
    private readonly string[] texts;
    private readonly string[] numbers;

    private NamePattern(string text, string[] texts, string[] numbers)
    {
        Text = text;
        this.texts = texts;
        this.numbers = numbers;
    }

    /// <summary>The pattern as written.</summary>
    public string Text { get; }

    /// <summary>What every name that matches has in common: <see cref="KeyOf"/> of it.</summary>
    public string Key => KeyOf(string.Join('0', texts));

    /// <summary>The placeholders, in their order.</summary>
    public IReadOnlyList<string> Numbers => numbers;

    /// <summary>Reads a pattern.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">What to call its file in messages.</param>
    /// <param name="place">Where it stands.</param>
    /// <returns>The pattern.</returns>
    /// <exception cref="InvalidInputException">It is empty, or a brace is not that of a placeholder.</exception>
    public static NamePattern Parse(string text, string file, string place)
    {
        InvalidInputException Refuse(string rule) => new(file, place, $"{rule}; found \"{text}\"");
        List<string> texts = [], numbers = [];
        int position = 0;
        while (true)
        {
            int open = text.IndexOfAny(['{', '}'], position);
            texts.Add(open < 0 ? text[position..] : text[position..open]);
            if (open < 0)
            {
                break;
            }

            int close = text[open] == '{' ? text.IndexOf('}', open) : -1;
            string number = close < 0 ? string.Empty : text[(open + 1)..close];
            if (!Placeholders.Contains(number))
            {
                throw Refuse($"a brace belongs to {{{string.Join("}, {", Placeholders)}}} or a word of the map");
            }

            if (numbers.Contains(number))
            {
                throw Refuse($"{{{number}}} may stand once in a name");
            }

            if (numbers.Count > 0 && texts[^1].Length == 0)
            {
                throw Refuse("two placeholders need text between them");
            }

            numbers.Add(number);
            position = close + 1;
        }

        return text.Length > 0
            ? new NamePattern(text, [.. texts], [.. numbers])
            : throw Refuse("a name may not be empty");
    }

    /// <summary>A name with every run of digits as one mark, so that patterns can be looked up.</summary>
    /// <param name="name">The name.</param>
    /// <returns>E.g. <c>model.layers.#.output</c>.</returns>
    public static string KeyOf(string name)
    {
        StringBuilder key = new(name.Length);
        foreach (char character in name)
        {
            bool isDigit = char.IsAsciiDigit(character);
            if (!isDigit || key.Length == 0 || key[^1] != '#')
            {
                key.Append(isDigit ? '#' : character);
            }
        }

        return key.ToString();
    }

    /// <summary>Matches a whole name.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The numbers in the order of <see cref="Numbers"/>; null when it does not match.</returns>
    public int[]? Match(string name)
    {
        if (!name.StartsWith(texts[0], StringComparison.Ordinal))
        {
            return null;
        }

        int position = texts[0].Length;
        int[] values = new int[numbers.Length];
        for (int index = 0; index < values.Length; index++)
        {
            // A text behind a number never begins with a digit that the number could end with otherwise: the number
            // takes all digits that are there.
            int end = position;
            while (end < name.Length && char.IsAsciiDigit(name[end]))
            {
                end++;
            }

            if (end == position || end - position > LongestNumber || (name[position] == '0' && end - position > 1))
            {
                return null;
            }

            values[index] = int.Parse(name.AsSpan(position, end - position), CultureInfo.InvariantCulture);
            position = end;
            string text = texts[index + 1];
            if (!name.AsSpan(position).StartsWith(text, StringComparison.Ordinal))
            {
                return null;
            }

            position += text.Length;
        }

        return position == name.Length ? values : null;
    }
}
