using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Router weights of a program that applies the routed scaling factor later, to the sum over the experts (row 7 of the
/// known differences): brought to the published place of the factor.
/// </summary>
internal sealed record ScaledTap(CandidateTap Inner, float Factor)
    : CandidateTap(Inner.Name, Inner.Source, Inner.ElementType, Inner.Shape)
{
    /// <inheritdoc/>
    public override void ReadSingle(long first, Span<float> destination)
    {
        Inner.ReadSingle(first, destination);
        foreach (ref float value in destination)
        {
            value *= Factor;
        }
    }

    /// <inheritdoc/>
    public override long[] ReadInt64() => Inner.ReadInt64();

    /// <summary>A candidate whose router weights are multiplied.</summary>
    /// <param name="candidate">The candidate.</param>
    /// <param name="factor">By what.</param>
    /// <returns>The same with such weights.</returns>
    public static Candidate Scale(Candidate candidate, float factor) => new()
    {
        Description = candidate.Description,
        Inputs = candidate.Inputs,
        Weights = candidate.Weights,
        Unmapped = candidate.Unmapped,
        Doubles = candidate.Doubles,
        Misfits = candidate.Misfits,
        Notes =
        [
            .. candidate.Notes,
            "the router weights come without the routed scaling factor, which is applied later: they were compared "
                + "times the factor",
        ],
        Taps = candidate.Taps.ToDictionary(
            tap => tap.Key,
            tap => tap.Key.EndsWith(".gate.topk_weight", StringComparison.Ordinal)
                ? new ScaledTap(tap.Value, factor) { Rows = tap.Value.Rows }
                : tap.Value),
    };
}
