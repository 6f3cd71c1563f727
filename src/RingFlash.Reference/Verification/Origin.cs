using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>Where a tensor comes from: what verification must know to judge it.</summary>
/// <param name="Operator">The operator that made it; empty when it came from the reference.</param>
/// <param name="Operations">Elementary operations since the last value that came from the reference.</param>
/// <param name="Path">The last operators since then, oldest first.</param>
/// <param name="PathLength">The number of operators since then that do arithmetic.</param>
/// <param name="Gauge">Computes the operator's gauge, one value per element; null when none is defined.</param>
/// <param name="UnitsBudget">What one element may be off, in units of u·gauge.</param>
/// <param name="RoundingPoints">The operator's rounding points under bfloat16; 0 where steps do not bound an
/// element.</param>
internal sealed record Origin(
    string Operator,
    double Operations,
    IReadOnlyList<string> Path,
    int PathLength,
    Func<HostTensor<float>>? Gauge,
    double UnitsBudget,
    int RoundingPoints)
{
    private const int LongestPath = 8;

    /// <summary>A value that came from the reference.</summary>
    public static Origin Reference { get; } = new(string.Empty, 0, [], 0, null, 0, 0);

    /// <summary>The origin of a copy: the operator joins the path, but no arithmetic and no error are added.</summary>
    /// <param name="name">The operator.</param>
    /// <returns>The origin.</returns>
    public Origin CopiedBy(string name) => this with { Operator = name, Path = Extend(Path, name), Gauge = null };

    /// <summary>The origin of an operator's output.</summary>
    /// <param name="name">The operator.</param>
    /// <param name="weight">Its elementary operations.</param>
    /// <param name="inputs">The origins of its inputs; the worst counts, for shared history must not count
    /// twice.</param>
    /// <param name="gauge">Its gauge.</param>
    /// <param name="unitsBudget">Its element budget.</param>
    /// <param name="roundingPoints">Its rounding points.</param>
    /// <returns>The origin.</returns>
    public static Origin Of(
        string name,
        double weight,
        ReadOnlySpan<Origin> inputs,
        Func<HostTensor<float>>? gauge,
        double unitsBudget,
        int roundingPoints)
    {
        Origin worst = Reference;
        foreach (Origin input in inputs)
        {
            worst = input.Operations > worst.Operations || worst.Path.Count == 0 ? input : worst;
        }

        return new Origin(
            name,
            worst.Operations + weight,
            Extend(worst.Path, name),
            worst.PathLength + 1,
            gauge,
            unitsBudget,
            roundingPoints);
    }

    private static string[] Extend(IReadOnlyList<string> path, string name) =>
        [.. path.Skip(Math.Max(0, path.Count + 1 - LongestPath)), name];
}
