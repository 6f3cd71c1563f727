using System;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace RingFlash.Reference.Configuration;

/// <summary>Consecutive main layers of a model, both ends included.</summary>
/// <param name="First">The first, from 0.</param>
/// <param name="Last">The last.</param>
public sealed record LayerRange(int First, int Last)
{
    /// <summary>The number of layers.</summary>
    public int Count => Last - First + 1;

    /// <summary>Reads <c>a-b</c>, or <c>a</c> for a single layer.</summary>
    /// <param name="text">The text; digits and one dash.</param>
    /// <param name="range">The range, when the text is one.</param>
    /// <returns>Whether it is.</returns>
    public static bool TryParse(string text, [NotNullWhen(true)] out LayerRange? range)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] ends = text.Split('-');
        range = ends.Length <= 2
            && int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
            && int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int last)
            && first <= last
                ? new LayerRange(first, last)
                : null;
        return range is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{First}-{Last}");
}
