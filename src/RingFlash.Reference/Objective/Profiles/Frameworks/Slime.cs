using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>
/// slime's and miles' loss with icepop_function or the clamp of vanilla_tis: max(−rÂ, −clip(r)Â) · w, w = k where
/// α ≤ k ≤ β in ratio space, or min(max(k, α), β).
/// </summary>
/// <param name="Masks">IcePop; else the clamp.</param>
internal sealed record Slime(bool Masks) : IFrameworkLoss
{
    private const string Source =
        "THUDM/slime @624b824a slime/backends/megatron_utils/loss.py, cp_utils.py, slime/utils/ppo_utils.py";

    private const string Miles =
        "radixark/miles @31f1ca96 miles/backends/training_utils/loss_hub/corrections.py";

    private static readonly LossAggregationKind[] Aggregations =
        [LossAggregationKind.SequenceMeanTokenMean, LossAggregationKind.TokenMean];

    private static readonly ProfileFault[] Faults =
    [
        KnownFaults.MinusInfinityTraining, KnownFaults.OverflowGradient, KnownFaults.EmptyRowsCountOne,
        KnownFaults.InfiniteRatioKept,
    ];

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "slime/icepop",
            Source,
            "k inside the band",
            Aggregations,
            [KnownFaults.RatioSpace, .. Faults],
            new Slime(Masks: true)),
        new(
            "slime/tis",
            Source,
            "k cut to the band on both sides",
            Aggregations,
            [KnownFaults.NanPasses, .. Faults],
            new Slime(Masks: false)),
        new(
            "miles/icepop",
            Miles,
            "slime's function",
            Aggregations,
            [KnownFaults.RatioSpace, .. Faults],
            new Slime(Masks: true)),
        .. SlimeHelper.Profiles,
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        // Samples arrive without padding.
        Traced<T> k = (input.Cut(input.Old) - input.Cut(input.Inference)).Exp();
        Traced<T> weight = Masks
            ? Traced<T>.Where((k >= input.Alpha) & (k <= input.Beta), k, 0)
            : k.Clamp(input.Alpha, input.Beta);
        Traced<T> ratio = (input.Cut(input.Current) - input.Cut(input.Old)).Exp();
        Traced<T> loss = input.Surrogate(ratio) * weight;
        Traced<T> counts = input.CountsOrOne;
        Traced<T> SampleMeans(Traced<T> values) => ((values * input.Mask).RowSum() / counts).Sum() / input.Rows;
        return new FrameworkOutput<T>(input) { Weight = weight * input.Inside }
            .Loss(LossAggregationKind.SequenceMeanTokenMean, SampleMeans(loss))
            .Loss(LossAggregationKind.TokenMean, (loss * input.Mask).Sum() / counts.Sum())
            .Metric("tis_mean", SampleMeans(k))
            .Metric("tis_clipfrac_mean", SampleMeans(!Equal(weight, k)))
            .Metric("tis_abs_mean", SampleMeans((k - 1).Abs()));
    }

    private static Traced<T> Equal<T>(Traced<T> a, Traced<T> b)
        where T : struct, IBinaryFloatingPointIeee754<T> => (a <= b) & (a >= b);
}
