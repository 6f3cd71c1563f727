using System;

namespace RingFlash.Reference.Operators;

public static partial class GroupAdvantage
{
    /// <summary>In float64; sums are plain and ascending, so that the unprotected conventions show their
    /// residue.</summary>
    /// <param name="rewards">[rollouts], float64, read.</param>
    /// <param name="groups">[rollouts], read.</param>
    /// <param name="options">The convention.</param>
    /// <param name="advantages">[rollouts], float64, written.</param>
    public static void Exact(
        ReadOnlySpan<double> rewards,
        ReadOnlySpan<long> groups,
        GroupAdvantageOptions options,
        Span<double> advantages)
    {
        foreach (int[] members in Members(groups))
        {
            double[] values = Gather(rewards, members);
            double sum = 0, squares = 0;
            bool allEqual = true;
            foreach (double value in values)
            {
                sum += value;
                allEqual &= value == values[0];
            }

            double mean = sum / values.Length;
            foreach (double value in values)
            {
                squares += (value - mean) * (value - mean);
            }

            int freedom = options.Scale == AdvantageScale.SampleDeviation ? values.Length - 1 : values.Length;
            double divisor =
                options.Scale == AdvantageScale.None ? 1 : Math.Sqrt(squares / freedom) + options.Epsilon;
            for (int i = 0; i < members.Length; i++)
            {
                bool single = members.Length == 1 && options.SingleMember != SingleMemberRule.Formula;
                advantages[members[i]] = single ? ExactSingle(values[0], options)
                    : allEqual && options.EqualRewardsGiveZero ? 0
                    : (values[i] - mean) / divisor;
            }
        }
    }

    private static double ExactSingle(double reward, GroupAdvantageOptions options) =>
        double.IsNaN(reward) ? reward
        : options.SingleMember == SingleMemberRule.Zero ? 0
        : options.Scale == AdvantageScale.None ? reward
        : reward / (1 + options.Epsilon);
}
