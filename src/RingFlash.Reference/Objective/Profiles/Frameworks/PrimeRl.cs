using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>Which of prime-rl's losses.</summary>
internal enum PrimeRlLoss
{
    /// <summary>The masked importance sampling of @cae5532f5: k·Â·ℓ with k detached.</summary>
    MaskedImportanceSampling,

    /// <summary>IcePopLoss of pull request 3526: the ratio carries the gradient.</summary>
    IcePop,

    /// <summary>The default at HEAD: DPPO with a penalty on Δ².</summary>
    DirectedGap,
}

/// <summary>
/// prime-rl's losses over the ratio of the current policy to the inference engine: a token sum over the number of
/// response tokens. Response tokens are selected before the formula, so padding has no part in it.
/// </summary>
/// <param name="Kind">Which loss.</param>
internal sealed record PrimeRl(PrimeRlLoss Kind) : IFrameworkLoss
{
    private const string Path = "src/prime_rl/trainer/rl/loss.py";

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "prime_rl/masked_is(cae5532f5)",
            "PrimeIntellect-ai/prime-rl @cae5532f5 " + Path,
            "k·Â·ℓ with k of the current policy, detached",
            [LossAggregationKind.TokenMean],
            [
                KnownFaults.RatioSpace, KnownFaults.NanPasses, KnownFaults.OverflowGradient,
                KnownFaults.LivePolicyBand, KnownFaults.LogLikelihoodValue, KnownFaults.InfiniteRatioKept,
            ],
            new PrimeRl(PrimeRlLoss.MaskedImportanceSampling)),
        new(
            "prime_rl/IcePopLoss(sep2026)",
            "PrimeIntellect-ai/prime-rl pull request 3526 " + Path,
            "reading B: the live ratio with its gradient, log space",
            [LossAggregationKind.TokenMean],
            [KnownFaults.LivePolicyBand, KnownFaults.NanPasses, KnownFaults.InfiniteRatioKept],
            new PrimeRl(PrimeRlLoss.IcePop)),
        new(
            "prime_rl/dppo(HEAD)",
            "PrimeIntellect-ai/prime-rl @7e2f0273f " + Path,
            "DPPO, width 0.2, plus 0.001·Δ²",
            [LossAggregationKind.TokenMean],
            [KnownFaults.NanPasses, KnownFaults.OverflowTimesZero, KnownFaults.InfiniteRatioKept],
            new PrimeRl(PrimeRlLoss.DirectedGap)),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        // Samples arrive without padding.
        Traced<T> current = input.Cut(input.Current), inference = input.Cut(input.Inference);
        Traced<T> difference = current - inference, mask = input.Mask, loss;
        switch (Kind)
        {
            case PrimeRlLoss.MaskedImportanceSampling:
                Traced<T> k = difference.Detach().Exp();
                Traced<T> kept = mask & !((k < input.Alpha) | (k > input.Beta));

                // A penalty on Δ stands in the coefficient with the weight 0.
                Traced<T> coefficient = k * (input.Advantages - (difference.Detach() * 0));
                loss = Traced<T>.Where(kept, -coefficient * current, 0);
                break;
            case PrimeRlLoss.IcePop:
                Traced<T> lower = input.Alpha, upper = input.Beta;
                Traced<T> masked = (difference < lower.Log()) | (difference > upper.Log());
                Traced<T> safe = Traced<T>.Where(mask & !masked, difference, 0);
                loss = Traced<T>.Where(mask & !masked, -input.Advantages * safe.Exp(), 0);
                break;
            default:
                Traced<T> gap = current.Exp().Detach() - inference.Exp();
                Traced<T> positive = input.Advantages > 0;
                Traced<T> invalid = (positive & (gap > 0.2)) | (!positive & (gap < -0.2));
                Traced<T> policy = (mask & !invalid) * input.Advantages * difference.Exp();
                loss = Traced<T>.Where(mask, (mask * difference.Square() * 1e-3) - policy, 0);
                break;
        }

        return new FrameworkOutput<T>(input).Loss(LossAggregationKind.TokenMean, loss.Sum() / input.TokensOrOne);
    }
}
