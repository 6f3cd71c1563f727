using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Every mistake that <c>diagnose</c> looks for.</summary>
public static class MistakeCatalogue
{
    /// <summary>The mistakes, by theme: likely ones before unlikely ones.</summary>
    public static IReadOnlyList<Mistake> All { get; } =
    [
        .. RouterMistakes.All,
        .. RotaryMistakes.All,
        .. NormMistakes.All,
        .. AttentionMistakes.All,
        .. ExpertMistakes.All,
        .. ResidualMistakes.All,
        .. LayoutMistakes.All,
        .. HeadMistakes.All,
        .. PrecisionMistakes.All,
        .. MultiTokenMistakes.All,
    ];

    /// <summary>Finds a mistake.</summary>
    /// <param name="id">
    /// Its id, perhaps with the way to make it by name or number: <c>norm.epsilon</c>, <c>norm.epsilon:2</c>.
    /// </param>
    /// <returns>The mistake, in the first way where none is named; null when there is none.</returns>
    public static NamedMistake? Find(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        string[] words = id.Split(':', 2);
        Mistake? mistake = All.FirstOrDefault(entry => entry.Id == words[0]);
        MistakeVariant? variant = words.Length == 1
            ? mistake?.Variants[0]
            : mistake?.Variants.FirstOrDefault(entry => entry.Value == words[1])
                ?? (int.TryParse(words[1], out int number) && number >= 1 && number <= mistake?.Variants.Count
                    ? mistake.Variants[number - 1]
                    : null);
        return mistake is null || variant is null ? null : new NamedMistake(mistake, variant.Value);
    }
}
