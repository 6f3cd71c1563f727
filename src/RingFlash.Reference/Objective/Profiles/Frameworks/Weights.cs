using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>ms-swift's token mask: e^(Δ limited to ±20) where at most β, else 0, at every position.</summary>
internal sealed record MsSwift : IFrameworkLoss
{
    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "ms_swift/token_mask",
            "modelscope/ms-swift @3602360a swift/rlhf_trainers/grpo_trainer.py, _apply_rollout_importance_sampling",
            "k up to β; no lower bound; weights only",
            [],
            [KnownFaults.RatioSpace, KnownFaults.SafetyBound, KnownFaults.UpperOnly, KnownFaults.PaddingWeight],
            new MsSwift()),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> k = (input.Old - input.Inference).Clamp(-20, 20).Exp();
        return new FrameworkOutput<T>(input) { Weight = Traced<T>.Where(k <= input.Beta, k, 0) };
    }
}

/// <summary>Megatron-LM's GRPO loss: −min(k, β)·min(rÂ, clip(r)Â) + 0·k3, token mean.</summary>
internal sealed record Megatron : IFrameworkLoss
{
    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "megatron/tis",
            "NVIDIA/Megatron-LM @d98e8a64 megatron/rl/rl_utils.py, calculate_grpo_loss",
            "k cut at β; no lower bound",
            [LossAggregationKind.TokenMean],
            [
                KnownFaults.NanPasses, KnownFaults.MinusInfinityTraining, KnownFaults.NanPadding,
                KnownFaults.OverflowGradient, KnownFaults.UpperOnly, KnownFaults.ZeroTimesDivergence,
                KnownFaults.InfiniteRatioKept,
            ],
            new Megatron()),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> weight = Traced<T>.Minimum((input.Old - input.Inference).Exp(), input.Beta);
        Traced<T> loss = weight * input.Surrogate((input.Current - input.Old).Exp());
        Traced<T> zero = 0;
        if (input.Reference is Traced<T> reference)
        {
            Traced<T> difference = reference - input.Current;
            loss = loss + (zero * (difference.Exp() - difference - 1));
        }

        loss = loss + (zero * (input.Current.Exp() * input.Current));
        return new FrameworkOutput<T>(input)
            .Loss(LossAggregationKind.TokenMean, (loss * input.Mask).Sum() / input.TokensOrOne);
    }
}
