using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>The correction words that OpenRLHF and NeMo-RL share.</summary>
internal enum CorrectionWord
{
    /// <summary>0 outside the band.</summary>
    IcePop,

    /// <summary>Cut to the band.</summary>
    Truncated,

    /// <summary>k of the tokens of responses whose geometric mean lies in the band.</summary>
    SequenceMask,
}

/// <summary>
/// OpenRLHF's policy loss with its vLLM correction: k times a 0/1 mask by multiplication, ℓ − o limited to ±20, empty
/// responses outside the response mean.
/// </summary>
/// <param name="Word">The correction.</param>
internal sealed record OpenRlhf(CorrectionWord Word) : IFrameworkLoss
{
    private const string Source = "OpenRLHF/OpenRLHF @3c3be623 openrlhf/models/loss.py";

    private static readonly LossAggregationKind[] Aggregations =
        [LossAggregationKind.TokenMean, LossAggregationKind.SequenceMeanTokenMean];

    private static readonly ProfileFault[] Faults =
    [
        KnownFaults.NanPasses, KnownFaults.MinusInfinityTraining, KnownFaults.NanPadding, KnownFaults.EmptyBatchNan,
        KnownFaults.EmptyRowsLeave, KnownFaults.AddedConstant, KnownFaults.SafetyBound,
        KnownFaults.InfiniteRatioKept,
    ];

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "openrlhf/icepop",
            Source,
            "k times the mask, multiplied",
            Aggregations,
            [KnownFaults.RatioSpace, KnownFaults.OverflowTimesZero, .. Faults],
            new OpenRlhf(CorrectionWord.IcePop)),
        new(
            "openrlhf/tis", Source, "k cut to the band", Aggregations, Faults, new OpenRlhf(CorrectionWord.Truncated)),
        new(
            "openrlhf/seq-mask-tis",
            Source,
            "k of responses with their geometric mean in the band",
            Aggregations,
            [KnownFaults.OverflowTimesZero, .. Faults],
            new OpenRlhf(CorrectionWord.SequenceMask)),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> mask = input.Mask, tokens = mask.Sum(), filled = input.Counts > 0;
        Traced<T> MaskedMean(Traced<T> values) => (values * mask).Sum() / tokens;
        Traced<T> difference = input.Old - input.Inference, k = difference.Exp();
        Traced<T> InBand(Traced<T> values) => (values >= input.Alpha) & (values <= input.Beta);
        Traced<T> weight = Word switch
        {
            CorrectionWord.IcePop => k * InBand(k),
            CorrectionWord.Truncated => k.Clamp(input.Alpha, input.Beta),
            _ => InBand(((difference * mask).RowSum() / input.Counts).Exp()) * k,
        };
        Traced<T> move = input.Current - input.Old, ratio = move.Clamp(-20, 20).Exp();
        Traced<T> clipped = ratio.Clamp(1 - input.EpsilonLow, 1 + input.EpsilonHigh) * input.Advantages;
        Traced<T> loss = weight * input.Surrogate(ratio);
        Traced<T> rows = (loss * mask).RowSum() / (input.Counts + 1e-8);
        return new FrameworkOutput<T>(input)
            .Loss(LossAggregationKind.TokenMean, MaskedMean(loss))
            .Loss(LossAggregationKind.SequenceMeanTokenMean, (rows * filled).Sum() / filled.Sum())
            .Metric("clip_ratio", MaskedMean(clipped < (ratio * input.Advantages)))
            .Metric("ppo_kl", MaskedMean(-move.Detach()))
            .Metric("vllm_kl", MaskedMean(input.Inference - input.Old));
    }
}
