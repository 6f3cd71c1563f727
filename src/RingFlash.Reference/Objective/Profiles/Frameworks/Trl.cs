using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>What TRL does with a ratio outside the bounds.</summary>
internal enum TrlMode
{
    /// <summary>The token's becomes 0.</summary>
    TokenMask,

    /// <summary>The whole response's becomes 0; the ratio is the product.</summary>
    SequenceMask,

    /// <summary>The token's is cut to the bounds.</summary>
    TokenTruncate,
}

/// <summary>
/// TRL's importance-sampling block and GRPO loss, and unsloth's loss of the same form: e^(Δ·m), 0 outside the bounds or
/// cut to them, times −min(rÂ, clip(r)Â), times the mask.
/// </summary>
/// <param name="Mode">What happens outside.</param>
/// <param name="OffersWeights">Whether the run stored weights.</param>
internal sealed record Trl(TrlMode Mode, bool OffersWeights = true) : IFrameworkLoss
{
    private const string Source = "huggingface/trl @f2cd5771 trl/trainer/grpo_trainer.py, grpo_config.py";
    private const string Unsloth = "unslothai/unsloth-zoo @ce232d6c unsloth_zoo/rl_replacements.py";

    private static readonly LossAggregationKind[] Aggregations =
        [LossAggregationKind.SequenceMeanTokenMean, LossAggregationKind.TokenMean];

    private static readonly ProfileFault[] Faults =
    [
        KnownFaults.NanPasses, KnownFaults.MinusInfinityTraining, KnownFaults.NanPadding,
        KnownFaults.OverflowGradient, KnownFaults.InfiniteRatioKept,
    ];

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "trl/token_mask",
            Source,
            "k inside the band; NaN passes",
            Aggregations,
            [KnownFaults.RatioSpace, KnownFaults.PaddingWeight, .. Faults],
            new Trl(TrlMode.TokenMask)),
        new(
            "trl/sequence_mask",
            Source,
            "TRL's default: the response's product inside the band",
            Aggregations,
            [KnownFaults.PaddingWeight, KnownFaults.SequenceProduct, .. Faults],
            new Trl(TrlMode.SequenceMask)),
        new(
            "trl/token_truncate",
            Source,
            "k cut to the band on both sides",
            Aggregations,
            [KnownFaults.PaddingWeight, .. Faults],
            new Trl(TrlMode.TokenTruncate)),
        new(
            "unsloth_zoo/token_mask",
            Unsloth,
            "as TRL's token mask",
            Aggregations,
            [KnownFaults.RatioSpace, .. Faults],
            new Trl(TrlMode.TokenMask, OffersWeights: false)),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> difference = (input.Old - input.Inference) * input.Mask;
        Traced<T> k = (Mode == TrlMode.SequenceMask ? difference.RowSum() : difference).Exp();
        Traced<T> weight = Mode == TrlMode.TokenTruncate
            ? k.Clamp(input.Alpha, input.Beta)
            : Traced<T>.Where((k < input.Alpha) | (k > input.Beta), 0, k);
        Traced<T> ratio = (input.Current - input.Old).Exp();
        Traced<T> loss = input.Surrogate(ratio) * weight * input.Mask;
        return new FrameworkOutput<T>(input) { Weight = OffersWeights ? input.Spread(weight) : null }
            .Loss(LossAggregationKind.SequenceMeanTokenMean, (loss.RowSum() / input.CountsOrOne).Mean())
            .Loss(LossAggregationKind.TokenMean, loss.Sum() / input.TokensOrOne);
    }
}
