using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P40 to P44: group-relative advantages.</summary>
internal static class AdvantageProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Of("P40", "equal rewards give advantages of exactly zero", EqualRewards, "group of one", "subnormal reward"),
        Of("P41", "advantages do not depend on the rewards' origin and unit", ShiftAndScale, "ε dominates"),
        Of(
            "P42", "a group's advantages add up to zero and are bounded by its size", SumAndBounds, "one against all"),
        Of("P43", "binary rewards have the closed form", Binary),
        Of("P44", "groups do not influence each other", Isolation, "group of one", "groups interleaved"),
    ];

    private static ObjectiveProperty Of(
        string number, string statement, PropertyCheck check, params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Operators, statement, CaseKind.General, check, edges);

    private static double[] Advantages(double[] rewards, long[] groups, GroupAdvantageOptions options)
    {
        double[] advantages = new double[rewards.Length];
        GroupAdvantage.Exact(rewards, groups, options, advantages);
        return advantages;
    }

    private static bool EqualRewards(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        (double reward, int count) = random.Pick(
            (0.1, 3), (0.7, 10), (0.3, 7), (1e6, 5), (5e-324, 4), (-0.2, 9), (0.4, 1),
            (random.Normal(3), random.Between(1, 33)));
        probe.Edge("group of one", count == 1);
        probe.Edge("subnormal reward", double.IsSubnormal(reward));
        double[] rewards = new double[count];
        Array.Fill(rewards, reward);
        long[] groups = new long[count];
        foreach (GroupAdvantageOptions options in new GroupAdvantageOptions[]
            { new(), GroupAdvantageOptions.Population, GroupAdvantageOptions.WithoutDeviation })
        {
            Require(
                Array.TrueForAll(Advantages(rewards, groups, options), advantage => advantage == 0),
                $"{count} rewards of {reward} have an advantage, {options}");
            foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
            {
                float[] single = new float[count];
                GroupAdvantage.Apply(engine, Array.ConvertAll(rewards, value => (float)value), groups, options, single);
                Require(
                    Array.TrueForAll(single, advantage => advantage == 0),
                    $"{engine}: {count} rewards of {reward} have an advantage, {options}");
            }
        }

        return true;
    }

    private static (double[] Rewards, long[] Groups) Group(CaseRandom random)
    {
        double[] rewards = new double[random.Between(2, 16)];
        for (int i = 0; i < rewards.Length; i++)
        {
            rewards[i] = random.Below(3) == 0 ? random.Below(2) : random.Between(-4096, 4096) / 1024.0;
        }

        rewards[0] = rewards[1] + 1; // not all equal
        return (rewards, new long[rewards.Length]);
    }

    private static bool ShiftAndScale(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        (double[] rewards, long[] groups) = Group(random);
        double shift = random.Between(-4096, 4096) / 64.0, scale = Math.Exp(random.Normal(2));
        double[] plain = Advantages(rewards, groups, GroupAdvantageOptions.Population);
        double[] moved = Advantages(
            Array.ConvertAll(rewards, reward => (reward + shift) * scale), groups, GroupAdvantageOptions.Population);
        for (int i = 0; i < plain.Length; i++)
        {
            double allowed = 1e-12 * (1 + Math.Abs(shift)) * rewards.Length;
            Require(
                Math.Abs(plain[i] - moved[i]) <= allowed * (1 + Math.Abs(plain[i])),
                $"rewards plus {shift} times {scale}: advantage[{i}] is {moved[i]}, not {plain[i]}");
        }

        // With ε beside the deviation the unit matters: rewards far smaller than ε have advantages of (R − mean)/ε.
        GroupAdvantageOptions usual = new();
        double[] small = Advantages(Array.ConvertAll(rewards, reward => reward * 1e-12), groups, usual);
        probe.Edge("ε dominates");
        Require(
            Array.TrueForAll(small, advantage => Math.Abs(advantage) <= 1e-4),
            $"rewards times 1e-12 beside ε {usual.Epsilon} still have an advantage above 1e-4");

        return true;
    }

    private static bool SumAndBounds(PropertyProbe probe, PropertyCase sample)
    {
        (double[] rewards, long[] groups) = Group(sample.Random);
        bool alone = sample.Random.Chance(0.3);
        if (alone)
        {
            Array.Fill(rewards, 0.25, 1, rewards.Length - 1); // one against all reaches the bound
            rewards[0] = 1.25;
            probe.Edge("one against all");
        }

        int count = rewards.Length;
        foreach ((GroupAdvantageOptions options, double bound) in new (GroupAdvantageOptions, double)[]
        {
            (GroupAdvantageOptions.Population, Math.Sqrt(count - 1)),
            (new GroupAdvantageOptions { Epsilon = 0 }, (count - 1) / Math.Sqrt(count)),
        })
        {
            double[] advantages = Advantages(rewards, groups, options);
            double sum = CompensatedSum.Of(advantages);
            Require(Math.Abs(sum) <= 1e-11 * count, $"{count} advantages add up to {sum}");
            Require(
                Array.TrueForAll(advantages, advantage => Math.Abs(advantage) <= bound * (1 + 1e-12)),
                $"an advantage in a group of {count} is beyond {bound}");
            Require(
                !alone || probe.Close(bound, advantages[0]),
                $"one against {count - 1} has advantage {advantages[0]}, not the bound {bound}");
        }

        return true;
    }

    private static bool Binary(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        int count = random.Between(2, 32), successes = random.Between(1, count - 1);
        double[] rewards = new double[count];
        Array.Fill(rewards, 1.0, 0, successes);
        double share = successes / (double)count;
        double[] advantages = Advantages(rewards, new long[count], GroupAdvantageOptions.Population);
        for (int i = 0; i < count; i++)
        {
            double expected = rewards[i] == 1 ? Math.Sqrt((1 - share) / share) : -Math.Sqrt(share / (1 - share));
            probe.RequireClose(expected, advantages[i], 0, $"{successes} of {count} right: advantage[{i}]");
        }

        return true;
    }

    private static bool Isolation(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        int count = random.Between(2, 12);
        double[] rewards = new double[count];
        long[] groups = new long[count];
        for (int i = 0; i < count; i++)
        {
            rewards[i] = random.Normal(1);
            groups[i] = random.Between(0, 3) * 1_000_000_007L;
        }

        GroupAdvantageOptions options = random.Pick(
            new GroupAdvantageOptions(), GroupAdvantageOptions.Population, GroupAdvantageOptions.Verl);
        double[] before = Advantages(rewards, groups, options);
        double[] changed = [.. rewards];
        for (int i = 0; i < count; i++)
        {
            changed[i] = groups[i] == groups[0] ? random.Normal(9) : rewards[i];
        }

        double[] after = Advantages(changed, groups, options);

        // Interleaved otherwise, with the members of each group still in their order: the same bits elsewhere.
        int[] order = random.Order(count);
        foreach (long group in new HashSet<long>(groups))
        {
            int[] places = Array.FindAll(PropertyCase.Upto(count), place => groups[order[place]] == group);
            int[] members = Array.ConvertAll(places, place => order[place]);
            Array.Sort(members);
            for (int i = 0; i < places.Length; i++)
            {
                order[places[i]] = members[i];
            }

            probe.Edge("group of one", members.Length == 1);
            probe.Edge("groups interleaved", members.Length > 1 && members[^1] - members[0] >= members.Length);
        }

        double[] permuted = Advantages(
            Array.ConvertAll(order, i => rewards[i]), Array.ConvertAll(order, i => groups[i]), options);
        for (int i = 0; i < count; i++)
        {
            Require(
                groups[i] == groups[0] || before[i].Equals(after[i]),
                $"advantage[{i}] of another group went from {before[i]} to {after[i]}");
            Require(
                before[order[i]].Equals(permuted[i]),
                $"interleaved otherwise, advantage[{i}] is {permuted[i]}, not {before[order[i]]}");
        }

        return true;
    }
}
