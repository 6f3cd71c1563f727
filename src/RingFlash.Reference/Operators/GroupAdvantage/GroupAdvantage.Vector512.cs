using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class GroupAdvantage
{
    /// <summary>
    /// Lanes: the two sums of a group, <see cref="Summation.SumVectorised"/> and
    /// <see cref="Summation.SumOfSquaresVectorised"/>; groups are too small for more to pay. The rest is the scalar
    /// code.
    /// </summary>
    /// <param name="rewards">[rollouts], float32, read.</param>
    /// <param name="groups">[rollouts], read.</param>
    /// <param name="options">The convention.</param>
    /// <param name="advantages">[rollouts], float32, written.</param>
    public static void Vectorised(
        ReadOnlySpan<float> rewards,
        ReadOnlySpan<long> groups,
        GroupAdvantageOptions options,
        Span<float> advantages)
    {
        foreach (int[] members in Members(groups))
        {
            float[] values = Gather(rewards, members);
            float mean = Summation.SumVectorised(values) / values.Length;
            float[] deviations = Array.ConvertAll(values, value => value - mean);
            Scatter(
                values, deviations, Summation.SumOfSquaresVectorised(deviations), members, options, advantages);
        }
    }
}
