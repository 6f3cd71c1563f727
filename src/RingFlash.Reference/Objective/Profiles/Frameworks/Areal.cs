using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>
/// AReaL's decoupled actor loss with a token-level rejection mask: Δ in float32, 0 where not finite; kept by ratio, or
/// by both binary divergences (KPop); kept tokens get e^Δ.
/// </summary>
/// <param name="Divergence">φ of KPop, or null for the ratio band.</param>
internal sealed record Areal(double? Divergence) : IFrameworkLoss
{
    private const string Source = "areal-project/AReaL @cbff54d6 areal/utils/functional/functional.py";

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "areal/ratio_mask",
            Source,
            "k inside the band, in float32; not finite counts as k = 1",
            [LossAggregationKind.TokenMean],
            [
                KnownFaults.RatioSpace, KnownFaults.MinusInfinityTraining, KnownFaults.OverflowGradient,
                KnownFaults.NonFiniteKept, KnownFaults.SinglePrecision,
            ],
            new Areal((double?)null)),
        new(
            "areal/kpop_phi0.1",
            Source,
            "k where both binary divergences are at most 0.1",
            [LossAggregationKind.TokenMean],
            [
                KnownFaults.OverflowGradient, KnownFaults.NonFiniteKept, KnownFaults.SinglePrecision,
                KnownFaults.ProbabilityClampInSingle,
            ],
            new Areal(0.1)) { NeedsProbabilities = true },
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> difference = (input.Old.Single() - input.Inference.Single()).Single();
        difference = Traced<T>.Where(difference.IsFinite(), difference, 0);
        Traced<T> k = difference.SingleExp(), inside;
        if (Divergence is double threshold)
        {
            Traced<T> p = Probability(input.Old), q = Probability(input.Inference);
            inside = Traced<T>.Maximum(Coins(p, q), Coins(q, p)) <= threshold;
        }
        else
        {
            inside = (k >= (float)input.Alpha) & (k <= (float)input.Beta);
        }

        Traced<T> kept = input.Mask & inside, weight = Traced<T>.Where(kept, k, 0);
        Traced<T> ratio = Traced<T>.Where(input.Mask, (input.Current - input.Old).Exp(), 0);
        Traced<T> loss = Traced<T>.Where(kept, input.Surrogate(ratio) * weight, 0);
        return new FrameworkOutput<T>(input) { Weight = weight }
            .Loss(LossAggregationKind.TokenMean, loss.Sum() / input.TokensOrOne)
            .Metric("filtered_fraction", (input.Mask & !inside).Sum() / input.TokensOrOne);
    }

    private static Traced<T> Probability<T>(Traced<T> logProbability)
        where T : struct, IBinaryFloatingPointIeee754<T> => logProbability.Exp().Clamp(1e-8, 1 - 1e-8);

    private static Traced<T> Coins<T>(Traced<T> p, Traced<T> q)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> one = 1;
        return (p * (p / q).Log()) + ((one - p) * ((one - p) / (one - q)).Log());
    }
}
