using System;
using System.Collections.Generic;
using System.Linq;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>
/// SkyRL's off-policy correction: e^(Δ limited to ±20) in float32; tokens outside the band leave the mask; with
/// truncation the surrogate is multiplied by the ratio cut at β, else by 1. The surrogate around it is PPO's, divided
/// by the original count.
/// </summary>
/// <param name="Truncates">Whether the ratio multiplies the loss.</param>
internal sealed record SkyRl(bool Truncates) : IFrameworkLoss
{
    private const string Source =
        "NovaSky-AI/SkyRL @a9564572 skyrl/backends/skyrl_train/utils/off_policy_correction_utils.py";

    private static readonly ProfileFault[] Faults =
    [
        KnownFaults.RatioSpace, KnownFaults.MinusInfinityTraining, KnownFaults.NanPadding,
        KnownFaults.OverflowGradient, KnownFaults.SafetyBound, KnownFaults.SinglePrecision,
    ];

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "skyrl/token_mask",
            Source,
            "a 0/1 mask, no factor",
            [LossAggregationKind.TokenMean],
            [.. Faults, KnownFaults.FactorMissing],
            new SkyRl(false)),
        new(
            "skyrl/token_mask+tis",
            Source,
            "the mask and the ratio cut at β: IcePop in float32",
            [LossAggregationKind.TokenMean],
            [KnownFaults.NanPasses, .. Faults],
            new SkyRl(true)),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> k = (input.Old - input.Inference).Single().Clamp(-20, 20).SingleExp(), mask = input.Mask;

        // A float32 tensor is compared with a Python number rounded to float32.
        double alpha = (float)input.Alpha, beta = (float)input.Beta;
        Traced<T> kept = mask * ((k >= alpha) & (k <= beta)), outside = mask & !kept;
        Traced<T> loss = input.Surrogate((input.Current - input.Old).Exp());
        loss = Truncates ? loss * k.Clamp(double.NegativeInfinity, beta) : loss;
        T[] masked = (k * mask).Values;
        bool unknown = masked.Any(T.IsNaN);
        static Traced<T> Number(T value) => Traced<T>.Constant(1, 1, [value]);
        FrameworkOutput<T> output = new FrameworkOutput<T>(input) { Keep = kept }
            .Loss(LossAggregationKind.TokenMean, (loss * kept).Sum() / input.TokensOrOne)
            .Metric("is_ratio_mean", (k * mask).Sum() / input.TokensOrOne)
            .Metric("is_ratio_std", Number(Deviation(masked)))
            .Metric("is_ratio_max", Number(unknown || masked.Length == 0 ? T.NaN : masked.Max()))
            .Metric("is_ratio_min", Number(unknown || masked.Length == 0 ? T.NaN : masked.Min()))
            .Metric("token_mask_ratio", (outside.Sum() / input.TokensOrOne).Single());
        return Truncates
            ? output.Metric(
                "tis_token_clip_high_ratio", (((k > beta) & (kept > 0)).Sum() / Remaining(kept)).Single())
            : output;
    }

    private static Traced<T> Remaining<T>(Traced<T> kept)
        where T : struct, IBinaryFloatingPointIeee754<T> => kept.Sum().Clamp(1, double.PositiveInfinity);

    /// <summary>The sample deviation over all positions, padding's zeros included; NaN of a single one.</summary>
    private static T Deviation<T>(T[] values)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        double[] numbers = Array.ConvertAll(values, value => double.CreateSaturating(value));
        double mean = numbers.Sum() / numbers.Length;
        double sum = numbers.Sum(number => (number - mean) * (number - mean));
        return T.CreateSaturating(Math.Sqrt(sum / (numbers.Length - 1.0)));
    }
}
