using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>
/// ROLL's filter with the weight switched on: k on every position, tokens outside the band leave the mask, and the mask
/// shrinks every denominator.
/// </summary>
internal sealed record Roll : IFrameworkLoss
{
    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "roll/ratio_filter",
            "alibaba/ROLL @8eb27cc2 roll/utils/train_infer_corrections.py, functionals.py (agg_loss)",
            "k and a band filter; averages over kept tokens",
            [
                LossAggregationKind.SequenceMeanTokenMean, LossAggregationKind.TokenMean,
                LossAggregationKind.SequenceMeanTokenSum,
            ],
            [
                KnownFaults.RatioSpace, KnownFaults.NanPasses, KnownFaults.MinusInfinityTraining,
                KnownFaults.OverflowTimesZero, KnownFaults.NanPadding, KnownFaults.OverflowGradient,
                KnownFaults.EmptyRowsLeave, KnownFaults.KeptDenominators, KnownFaults.UnmaskedNumerator,
                KnownFaults.PaddingWeight, KnownFaults.InfiniteRatioKept,
            ],
            new Roll()),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> k = (input.Old - input.Inference).Exp();
        Traced<T> kept = input.Mask * ((k >= input.Alpha) & (k <= input.Beta)), counts = kept.RowSum();
        Traced<T> loss = input.Surrogate((input.Current - input.Old).Exp()) * k, filled = counts > 0;
        Traced<T> sums = (loss * kept).RowSum(), responses = (input.Counts > 0).Sum().Clamp(1, double.PositiveInfinity);
        return new FrameworkOutput<T>(input) { Weight = k, Keep = kept }
            .Loss(
                LossAggregationKind.SequenceMeanTokenMean,
                (sums / counts.Clamp(1, double.PositiveInfinity) * filled).Sum() / responses)
            .Loss(LossAggregationKind.TokenMean, loss.Sum() / input.TokensOrOne)
            .Loss(LossAggregationKind.SequenceMeanTokenSum, (sums * filled).Sum() / responses);
    }
}
