using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <summary>Group-relative advantages: how much better a response did than the others for the same prompt.</summary>
/// <remarks>
/// <para>Maths: Â_i = (R_i − mean_g) / (deviation_g + ε) over the responses of group g; the deviation is the
/// population's, the sample's or absent (<see cref="GroupAdvantageOptions"/>).</para>
/// <para>Axes: rewards, groups, advantages [rollouts]. Members of a group need not be neighbours; a group is taken in
/// the order in which its members appear, and groups do not influence each other.</para>
/// <para>Types: float32; sums over a group in the vector order. Rounding points: none besides float32
/// arithmetic.</para>
/// <para>Bound: the mean errs by (⌈G/32⌉ + 6)·u·mean|R|, which is absolute in the deviations R − mean and can be large
/// relative to a small deviation; after it (⌈G/32⌉/2 + 9)·u relative for squares, root and quotient.</para>
/// <para>Special: max = min is tested first and gives exactly 0, because the mean of equal numbers need not be that
/// number: (0.1 + 0.1 + 0.1)/3 − 0.1 is not 0, and without ε the quotient would be ±1 or NaN. A group of one gives 0.
/// NaN in a reward makes its group NaN. Rewards are constants: no derivative.</para>
/// <para>Source: DeepSeekMath (arXiv 2402.03300) for the group baseline; Dr. GRPO (arXiv 2503.20783) without the
/// division; constants as in slime, verl and TRL.</para>
/// </remarks>
public static partial class GroupAdvantage
{
    /// <summary>Advantages on the chosen engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="rewards">[rollouts], float32, read.</param>
    /// <param name="groups">[rollouts], read.</param>
    /// <param name="options">The convention.</param>
    /// <param name="advantages">[rollouts], float32, written.</param>
    public static void Apply(
        ExecutionEngine engine,
        ReadOnlySpan<float> rewards,
        ReadOnlySpan<long> groups,
        GroupAdvantageOptions options,
        Span<float> advantages)
    {
        if (engine == ExecutionEngine.Scalar)
        {
            Scalar(rewards, groups, options, advantages);
        }
        else
        {
            Vectorised(rewards, groups, options, advantages);
        }
    }

    /// <summary>The definition.</summary>
    /// <param name="rewards">[rollouts], float32, read.</param>
    /// <param name="groups">[rollouts], read.</param>
    /// <param name="options">The convention.</param>
    /// <param name="advantages">[rollouts], float32, written.</param>
    public static void Scalar(
        ReadOnlySpan<float> rewards,
        ReadOnlySpan<long> groups,
        GroupAdvantageOptions options,
        Span<float> advantages)
    {
        foreach (int[] members in Members(groups))
        {
            float[] values = Gather(rewards, members);
            float mean = Summation.Sum(values) / values.Length;
            float[] deviations = Array.ConvertAll(values, value => value - mean);
            Scatter(
                values, deviations, Summation.SumOfSquares(deviations), members, options, advantages);
        }
    }

    /// <summary>The positions of each group's members, groups by first appearance.</summary>
    private static List<int[]> Members(ReadOnlySpan<long> groups)
    {
        Dictionary<long, List<int>> byGroup = [];
        List<List<int>> inOrder = [];
        for (int i = 0; i < groups.Length; i++)
        {
            if (!byGroup.TryGetValue(groups[i], out List<int>? members))
            {
                byGroup[groups[i]] = members = [];
                inOrder.Add(members);
            }

            members.Add(i);
        }

        return inOrder.ConvertAll(members => members.ToArray());
    }

    private static T[] Gather<T>(ReadOnlySpan<T> values, int[] members)
    {
        T[] gathered = new T[members.Length];
        for (int i = 0; i < members.Length; i++)
        {
            gathered[i] = values[members[i]];
        }

        return gathered;
    }

    private static void Scatter(
        float[] values,
        float[] deviations,
        float sumOfSquares,
        int[] members,
        GroupAdvantageOptions options,
        Span<float> advantages)
    {
        bool allEqual = Array.TrueForAll(values, value => value == values[0]);
        float divisor = options.Scale switch
        {
            AdvantageScale.None => 1f,
            AdvantageScale.PopulationDeviation => MathF.Sqrt(sumOfSquares / values.Length) + (float)options.Epsilon,
            _ => MathF.Sqrt(sumOfSquares / (values.Length - 1)) + (float)options.Epsilon,
        };
        for (int i = 0; i < members.Length; i++)
        {
            bool single = members.Length == 1 && options.SingleMember != SingleMemberRule.Formula;
            advantages[members[i]] = single ? Single(values[0], options)
                : allEqual && options.EqualRewardsGiveZero ? 0f
                : deviations[i] / divisor;
        }
    }

    private static float Single(float reward, GroupAdvantageOptions options) =>
        float.IsNaN(reward) ? reward
        : options.SingleMember == SingleMemberRule.Zero ? 0f
        : options.Scale == AdvantageScale.None ? reward
        : reward / (1f + (float)options.Epsilon);
}
