using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P40 to P44 and P49 to P52: advantages, and the relatives that see a whole response or
/// probabilities.</summary>
internal static class TheoryProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Of("P40", "equal rewards give advantages of exactly zero", EqualRewards),
        Of("P41", "advantages do not depend on the rewards' origin and unit", ShiftAndScale),
        Of("P42", "a group's advantages add up to zero and are bounded by its size", SumAndBounds),
        Of("P43", "binary rewards have the closed form", Binary),
        Of("P44", "groups do not influence each other", Isolation),
        Of("P49", "for one token the bands per token, per product and per geometric mean are one", SingleToken),
        Of("P50", "repeating a response keeps its geometric mean and squares its product", Sequences),
        Of("P51", "the mask over probabilities is symmetric, nested and within Pinsker's bound", Coins),
        Of("P52", "on-policy the three readings have one gradient", Readings),
    ];

    private static ObjectiveProperty Of(string number, string statement, PropertyCheck check) =>
        new(number, PropertySubject.Operators, statement, CaseKind.General, check);

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
            (0.1, 3), (0.7, 10), (0.3, 7), (1e6, 5), (5e-324, 4), (-0.2, 9), (random.Normal(3), random.Between(1, 33)));
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

        return true;
    }

    private static bool SumAndBounds(PropertyProbe probe, PropertyCase sample)
    {
        (double[] rewards, long[] groups) = Group(sample.Random);
        if (sample.Random.Chance(0.3))
        {
            Array.Fill(rewards, 0.25, 1, rewards.Length - 1); // one against all reaches the bound
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
        int[] order = random.Order(count);
        double[] permuted = Advantages(
            Array.ConvertAll(order, i => rewards[i]), Array.ConvertAll(order, i => groups[i]), options);
        for (int i = 0; i < count; i++)
        {
            Require(
                groups[i] == groups[0] || before[i].Equals(after[i]),
                $"advantage[{i}] of another group went from {before[i]} to {after[i]}");
            double first = before[order[i]];
            Require(
                Math.Abs(first - permuted[i]) <= 1e-9 * (1 + Math.Abs(first)),
                $"interleaved otherwise, advantage[{i}] is {permuted[i]}, not {first}");
        }

        return true;
    }

    private static (double[] Weights, TokenDecision[] Decisions) Weigh(
        EngineCorrection correction, double[] training, double[] inference)
    {
        double[] weights = new double[training.Length];
        TokenDecision[] decisions = new TokenDecision[training.Length];
        correction.Weigh(training, inference, PackedRows.Ones(training.Length), 1, weights, decisions);
        return (weights, decisions);
    }

    private static bool SingleToken(PropertyProbe probe, PropertyCase sample)
    {
        double[] logRatios = MaskProperties.LogRatios(sample, sample.Random);
        foreach (double difference in logRatios)
        {
            double[] training = [difference < 0 ? difference : 0], inference = [difference < 0 ? 0 : -difference];
            double token = Weigh(new IcePopCorrection(sample.Alpha, sample.Beta), training, inference).Weights[0];
            double mean = Weigh(
                new GeometricMaskCorrection(sample.Alpha, sample.Beta, true), training, inference).Weights[0];
            double product =
                Weigh(new MaskedSequenceCorrection(sample.Alpha, sample.Beta), training, inference).Weights[0];
            Require(
                token.Equals(mean) && token.Equals(product),
                $"log ratio {difference} in [{sample.Alpha}, {sample.Beta}]: token {token} mean {mean} "
                    + $"product {product}");
        }

        return true;
    }

    private static bool Sequences(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        int count = random.Between(2, 6);
        double[] training = new double[count], inference = new double[count];
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            double difference = CaseRandom.Dyadic(random.Normal(0.3));
            (training[i], inference[i]) = (Math.Min(difference, 0), Math.Min(-difference, 0));
            sum += difference;
        }

        double[] twiceTraining = [.. training, .. training], twiceInference = [.. inference, .. inference];
        EngineCorrection open = new MaskedSequenceCorrection(0, double.PositiveInfinity);
        double product = Weigh(open, training, inference).Weights[0];
        double repeated = Weigh(open, twiceTraining, twiceInference).Weights[0];
        probe.RequireClose(Math.Exp(sum), product, 0, $"product of {count} ratios");
        probe.RequireClose(product * product, repeated, 0, "product of a repeated response");

        // Dyadic differences make the sums, and so the two means, equal up to one division.
        double edge = Math.Abs((sum / count) - 0.1) < 1e-9 || Math.Abs((sum / count) + 0.1) < 1e-9 ? 0.2 : 0.1;
        EngineCorrection geometric = new GeometricMaskCorrection(Math.Exp(-edge), Math.Exp(edge), true);
        TokenDecision once = Weigh(geometric, training, inference).Decisions[0];
        TokenDecision again = Weigh(geometric, twiceTraining, twiceInference).Decisions[0];
        int[] order = random.Order(count);
        double[] permutedTraining = Array.ConvertAll(order, i => training[i]);
        double[] permutedInference = Array.ConvertAll(order, i => inference[i]);
        TokenDecision permuted = Weigh(geometric, permutedTraining, permutedInference).Decisions[0];
        double permutedProduct = Weigh(open, permutedTraining, permutedInference).Weights[0];
        Require(
            once == again && once == permuted,
            $"mean {sum / count}: {once}, repeated {again}, permuted {permuted}");
        probe.RequireClose(product, permutedProduct, 0, "product of a permuted response");

        // One token far out among compensating ones stays; many tokens inside drift out together.
        double far = random.Uniform(1.7, 3);
        TokenDecision kept = Weigh(new GeometricMaskCorrection(0.5, 5, true), [0, -far], [-far, 0]).Decisions[0];
        double drift = random.Uniform(0.6, 1.5);
        EngineCorrection band = new MaskedSequenceCorrection(0.5, 5);
        TokenDecision dropped = Weigh(band, [0, 0, 0], [-drift, -drift, -drift]).Decisions[0];
        Require(
            kept == TokenDecision.Kept && dropped == TokenDecision.MaskedHigh,
            $"±{far}: {kept} by the mean; three of {drift}: {dropped} by the product");
        return true;
    }

    private static bool Coins(PropertyProbe probe, PropertyCase sample)
    {
        CaseRandom random = sample.Random;
        double p = random.Arcsine(
            ), q = random.Chance(0.5) ? random.Arcsine() : Math.Clamp(p + random.Normal(0.1), 1e-9, 1);
        double threshold = random.Pick(0.1, 0.5, 0.75, 2.0, random.Unit());
        TokenDecision Keep(double first, double second, double limit) => Weigh(
            new KPopCorrection(limit, false), [Math.Log(first)], [Math.Log(second)]).Decisions[0];
        TokenDecision decision = Keep(p, q, threshold);
        bool kept = decision == TokenDecision.Kept;
        bool clear = Math.Abs(Divergence(p, q) - threshold) > 1e-7 && Math.Abs(Divergence(q, p) - threshold) > 1e-7;
        if (!clear)
        {
            return false; // rounding decides
        }

        Require(kept == (Keep(q, p, threshold) == TokenDecision.Kept), $"p {p} q {q} φ {threshold}: not symmetric");
        Require(
            !kept || Keep(p, q, threshold * 1.5) == TokenDecision.Kept, $"p {p} q {q} φ {threshold}: not nested");
        bool clamped = Math.Min(Math.Min(p, q), Math.Min(1 - p, 1 - q)) < 1e-6;
        Require(
            clamped || kept == (Keep(1 - p, 1 - q, threshold) == TokenDecision.Kept),
            $"p {p} q {q} φ {threshold}: otherwise for the complements");
        Require(
            Keep(p, p, 0) == TokenDecision.Kept && (p == q || clamped || Keep(p, q, 0) != TokenDecision.Kept),
            $"p {p} q {q}: φ = 0 keeps equal probabilities only");
        Require(
            !kept || clamped || Math.Abs(p - q) <= Math.Sqrt(threshold / 2) * (1 + 1e-9),
            $"p {p} q {q} kept with φ {threshold}, beyond Pinsker's bound");
        return true;
    }

    private static double Divergence(double p, double q)
    {
        (p, q) = (Math.Clamp(p, 1e-8, 1 - 1e-8), Math.Clamp(q, 1e-8, 1 - 1e-8));
        return (p * Math.Log(p / q)) + ((1 - p) * Math.Log((1 - p) / (1 - q)));
    }

    private static bool Readings(PropertyProbe probe, PropertyCase sample)
    {
        PropertyCase online = sample.Online();
        ObjectiveResult published = PolicyObjective.Evaluate(online.Batch, online.Options);
        foreach (PolicyForm form in new PolicyForm[] { PolicyForm.LiveRatio, PolicyForm.LogLikelihood })
        {
            PolicyObjectiveOptions options =
                online.Options with { Policy = form, Numerator = RatioNumerator.CurrentWeights };
            ObjectiveResult other = PolicyObjective.Evaluate(online.Batch, options);
            foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
            {
                double[] expected = published.Gradient(kind), actual = other.Gradient(kind);
                for (int i = 0; i < expected.Length; i++)
                {
                    Require(
                        probe.Close(expected[i], actual[i]),
                        $"{form}: on-policy gradient {kind.Word()}[{i}] is {actual[i]}, as published {expected[i]}");
                }
            }
        }

        return online.Tokens > 0;
    }
}
