using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Diagnosis;

/// <summary>A variation of the model under a name.</summary>
/// <param name="Mistake">The mistake.</param>
/// <param name="Variant">The way to make it.</param>
internal sealed record Suspect(Mistake Mistake, MistakeVariant Variant)
{
    /// <summary>The catalogue, in its order.</summary>
    public static IReadOnlyList<Suspect> All { get; } =
        [.. MistakeCatalogue.All.SelectMany(mistake => mistake.Variants.Select(way => new Suspect(mistake, way)))];

    /// <summary>Id and value.</summary>
    public string Name => Variant.Value.Length == 0 ? Mistake.Id : $"{Mistake.Id}:{Variant.Value}";
}

/// <summary>A tap of a candidate against a twin: a run of the model with mistakes.</summary>
/// <param name="Tap">The tap.</param>
/// <param name="Layer">The layer; null outside of layers.</param>
/// <param name="Compared">Whether anything was.</param>
/// <param name="OverBudget">In units of the budget.</param>
/// <param name="Distance">The relative L2 distance from the nearest legal way to compute the twin.</param>
internal sealed record TwinTap(string Tap, int? Layer, bool Compared, double OverBudget, double Distance)
{
    /// <summary>Whether the candidate is within the budget of the twin.</summary>
    public bool Agrees => OverBudget <= 1;
}
