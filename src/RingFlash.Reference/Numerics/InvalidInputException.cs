using System;
using System.Globalization;
using System.Text;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// An input that breaks a rule: a damaged file, an impossible configuration, a missing tensor. The message is one line
/// that names the file, the place in it and the rule. Every reader of untrusted data throws this type and no other.
/// </summary>
/// <remarks>The command line turns it into exit code 3, a setting into 2.</remarks>
public sealed class InvalidInputException : Exception
{
    /// <summary>Creates the error for a place in a file.</summary>
    /// <param name="source">The file or folder, as the user named it.</param>
    /// <param name="place">A byte offset, a JSON path or a tensor name; empty when the whole file is meant.</param>
    /// <param name="rule">The rule that is broken, with the values found.</param>
    /// <param name="inner">The underlying error, shown with <c>--debug</c> only.</param>
    public InvalidInputException(string source, string place, string rule, Exception? inner = null)
        : base(Escape(place.Length == 0 ? $"{source}: {rule}" : $"{source}: {place}: {rule}"), inner)
    {
        Place = place;
        Rule = Escape(rule);
    }

    /// <summary>The byte offset, JSON path, tensor or setting; empty when the whole file is meant.</summary>
    public string Place { get; }

    /// <summary>The rule that is broken, on one line.</summary>
    public string Rule { get; }

    /// <summary>Whether the fault is a setting that somebody chose, such as a band with swapped ends, and not the
    /// data.</summary>
    public bool IsSetting { get; init; }

    /// <summary>
    /// Replaces control characters and lone surrogates, so that a hostile name cannot forge a line of output.
    /// </summary>
    /// <param name="text">Any text.</param>
    /// <returns>The text on one line, at most 600 characters.</returns>
    public static string Escape(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        StringBuilder builder = new();
        foreach (char character in text)
        {
            if (builder.Length >= 600)
            {
                builder.Append('…');
                break;
            }

            if (char.IsControl(character) || char.IsSurrogate(character) || character is '\u2028' or '\u2029')
            {
                builder.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}");
            }
            else
            {
                builder.Append(character);
            }
        }

        return builder.ToString();
    }
}
