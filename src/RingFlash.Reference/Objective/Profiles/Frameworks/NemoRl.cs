using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>
/// NeMo-RL's clipped policy-gradient loss: k with everything not finite replaced by 0, then the band, a clamp or a mask
/// of responses; denominators are global counts plus 1e-8. The sample mask excludes empty responses.
/// </summary>
/// <param name="Word">The correction.</param>
internal sealed record NemoRl(CorrectionWord Word) : IFrameworkLoss
{
    private const string Source = "NVIDIA-NeMo/RL @7ea279ab nemo_rl/algorithms/loss/loss_functions.py";

    private static readonly LossAggregationKind[] Aggregations =
        [LossAggregationKind.TokenMean, LossAggregationKind.SequenceMeanTokenMean];

    private static readonly ProfileFault[] Faults =
    [
        KnownFaults.MinusInfinityTraining, KnownFaults.NanPadding, KnownFaults.OverflowGradient,
        KnownFaults.EmptyRowsLeave, KnownFaults.AddedConstant, KnownFaults.NonFiniteZero,
    ];

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "nemo_rl/icepop",
            Source,
            "k inside the band; not finite becomes 0",
            Aggregations,
            [KnownFaults.RatioSpace, .. Faults],
            new NemoRl(CorrectionWord.IcePop)),
        new("nemo_rl/tis", Source, "k cut to the band", Aggregations, Faults, new NemoRl(CorrectionWord.Truncated)),
        new(
            "nemo_rl/seq-mask-tis",
            Source,
            "k of responses with their geometric mean in the band",
            Aggregations,
            Faults,
            new NemoRl(CorrectionWord.SequenceMask)),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> samples = input.Counts > 0, mask = input.Mask * samples;
        Traced<T> tokens = input.Mask.Sum() + 1e-8, responses = samples.Sum() + 1e-8, counts = input.Counts + 1e-8;
        Traced<T> MaskedMean(Traced<T> values) => (values * mask).Sum() / tokens;
        Traced<T> InBand(Traced<T> values) => (values >= input.Alpha) & (values <= input.Beta);
        static Traced<T> ZeroWhereNotFinite(Traced<T> values) => Traced<T>.Where(values.IsFinite(), values, 0);
        Traced<T> difference = input.Old - input.Inference;
        Traced<T> k = ZeroWhereNotFinite(difference.Exp());
        Traced<T> outside = MaskedMean(!InBand(k)), weight;
        switch (Word)
        {
            case CorrectionWord.IcePop:
                weight = Traced<T>.Where(InBand(k), k, 0);
                break;
            case CorrectionWord.Truncated:
                weight = k.Clamp(input.Alpha, input.Beta);
                break;
            default:
                Traced<T> mean = (ZeroWhereNotFinite(difference) * input.Mask).RowSum() / counts;
                Traced<T> kept = InBand(mean.Exp());
                weight = k * kept;
                outside = (!kept * samples).Sum() / responses;
                break;
        }

        Traced<T> loss = weight * input.Surrogate((input.Current - input.Old).Exp());
        Traced<T> rows = (loss * input.Mask).RowSum() / counts;
        return new FrameworkOutput<T>(input)
            .Loss(LossAggregationKind.TokenMean, MaskedMean(loss))
            .Loss(LossAggregationKind.SequenceMeanTokenMean, (rows * samples).Sum() / responses)
            .Metric("is_oob_ratio", outside)
            .Metric("sampling_importance_ratio", MaskedMean(weight))
            .Metric("gen_kl_error", MaskedMean(difference.Exp() - difference - 1))
            .Metric("token_mult_prob_error", MaskedMean((difference.Abs() * mask).Exp()));
    }
}
