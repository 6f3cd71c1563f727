using System.Collections.Generic;
using System.Linq;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>rllm's icepop: −Â·k·ℓ times a 0/1 mask, k of the current policy over the rollout, detached.</summary>
internal sealed record Rllm : IFrameworkLoss
{
    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "rllm/icepop",
            "rllm-org/rllm @3ad7b044 rllm/trainer/algorithms/loss.py",
            "reading C: REINFORCE with a detached k of the current policy",
            [LossAggregationKind.TokenMean],
            [
                KnownFaults.RatioSpace, KnownFaults.NanPasses, KnownFaults.MinusInfinityTraining,
                KnownFaults.NanPadding, KnownFaults.OverflowTimesZero, KnownFaults.LivePolicyBand,
                KnownFaults.LogLikelihoodValue, KnownFaults.InfiniteRatioKept,
            ],
            new Rllm()),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> k = (input.Current.Detach() - input.Inference).Exp();
        Traced<T> kept = (k >= input.Alpha) & (k <= input.Beta), mask = input.Mask;
        Traced<T> loss = -input.Advantages * k * input.Current * kept;
        T[] active = [.. k.Values.Where((_, i) => mask.Values[i] != T.Zero)];
        active = active.Length == 0 ? [T.One] : active;
        Traced<T> ratios = Traced<T>.Constant(1, active.Length, active);
        bool unknown = active.Any(T.IsNaN);
        return new FrameworkOutput<T>(input)
            .Loss(LossAggregationKind.TokenMean, (loss * mask).Sum() / input.TokensOrOne)
            .Metric("icepop/mask_frac", (!kept * mask).Sum() / input.TokensOrOne)
            .Metric("icepop/ratio_mean", ratios.Mean())
            .Metric("icepop/ratio_min", Traced<T>.Constant(1, 1, [unknown ? T.NaN : active.Min()]))
            .Metric("icepop/ratio_max", Traced<T>.Constant(1, 1, [unknown ? T.NaN : active.Max()]));
    }
}
