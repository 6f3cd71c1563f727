using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using RingFlash.Reference.Operators;
using static RingFlash.Reference.Objective.Properties.PropertyProbe;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>P49 to P52: the relatives that see a whole response or probabilities, and the three readings.</summary>
internal static class RelativeProperties
{
    public static IEnumerable<ObjectiveProperty> All =>
    [
        Of(
            "P49",
            "for one token the bands per token, per product and per geometric mean are one",
            SingleToken,
            "kept",
            "masked"),
        Of(
            "P50",
            "repeating a response keeps its geometric mean and squares its product",
            Sequences,
            "long sum"),
        Of(
            "P51",
            "the mask over probabilities is symmetric, nested and within Pinsker's bound",
            Coins,
            "kept",
            "masked",
            "clamped"),
        Of("P52", "on-policy the three readings have one gradient", Readings),
    ];

    private static ObjectiveProperty Of(
        string number, string statement, PropertyCheck check, params ImmutableArray<string> edges) =>
        new(number, PropertySubject.Operators, statement, CaseKind.General, check, edges);

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
        double[] logRatios = MaskProperties.LogRatios(probe, sample);
        foreach (double difference in logRatios)
        {
            double[] training = [difference < 0 ? difference : 0], inference = [difference < 0 ? 0 : -difference];
            double token = Weigh(new IcePopCorrection(sample.Alpha, sample.Beta), training, inference).Weights[0];
            double mean = Weigh(
                new GeometricMaskCorrection(sample.Alpha, sample.Beta, true), training, inference).Weights[0];
            double product =
                Weigh(new MaskedSequenceCorrection(sample.Alpha, sample.Beta), training, inference).Weights[0];
            probe.Edge(token != 0 ? "kept" : "masked");
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

        // A product that only exists as a sum of logarithms: e^600·e^600 overflows, e^(600 + 600 − 1190) does not.
        double large = random.Between(400, 700), rest = random.Between(-5, 5);
        double[] wide = Weigh(open, [0, 0, rest - (2 * large)], [-large, -large, 0]).Weights;
        probe.Edge("long sum");
        probe.RequireClose(Math.Exp(rest), wide[0], 0, $"product of e^{large}, e^{large} and e^{rest - (2 * large)}");
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
        double p = random.Arcsine();
        double q = random.Chance(0.5) ? random.Arcsine() : Math.Clamp(p + random.Normal(0.1), 1e-9, 1);
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
        probe.Edge(kept ? "kept" : "masked");
        bool clamped = Math.Min(Math.Min(p, q), Math.Min(1 - p, 1 - q)) < 1e-6;
        probe.Edge("clamped", clamped);
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
