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
        .. LayoutMistakes.All,
        .. HeadMistakes.All,
        .. PrecisionMistakes.All,
        .. MultiTokenMistakes.All,
    ];

    /// <summary>Finds a mistake.</summary>
    /// <param name="id">Its id, perhaps with the way to make it: <c>norm.epsilon</c>, <c>norm.epsilon:ε = 1e-05</c>.</param>
    /// <returns>Mistake and variant, the first where none is named; null when there is none.</returns>
    public static (Mistake Mistake, MistakeVariant Variant)? Find(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        string[] words = id.Split(':', 2);
        Mistake? mistake = All.FirstOrDefault(entry => entry.Id == words[0]);
        MistakeVariant? variant = words.Length == 1
            ? mistake?.Variants[0]
            : mistake?.Variants.FirstOrDefault(entry => entry.Value == words[1]);
        return mistake is null || variant is null ? null : (mistake, variant);
    }
}
