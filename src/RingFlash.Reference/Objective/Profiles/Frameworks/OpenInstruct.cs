using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>
/// open-instruct's rho mask: e^(Δ limited to ±10) inside the band, then cut at a cap, times the PPO surrogate.
/// </summary>
/// <param name="Cap">The largest kept weight; infinite where switched off.</param>
internal sealed record OpenInstruct(double Cap) : IFrameworkLoss
{
    private const string Source = "allenai/open-instruct @e6c3044a open_instruct/grpo_utils.py";

    private static readonly ProfileFault[] Faults =
    [
        KnownFaults.RatioSpace, KnownFaults.NanPasses, KnownFaults.MinusInfinityTraining, KnownFaults.NanPadding,
        KnownFaults.OverflowGradient, KnownFaults.EmptyBatchNan, KnownFaults.SafetyBound,
    ];

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "open_instruct/rho_mask",
            Source,
            "k inside the band; Δ limited to ±10",
            [LossAggregationKind.TokenMean],
            Faults,
            new OpenInstruct(double.PositiveInfinity)),
        new(
            "open_instruct/rho_mask_default_clamp2",
            Source,
            "the same with the default cap of 2 on kept weights",
            [LossAggregationKind.TokenMean],
            [.. Faults, KnownFaults.DefaultClamp],
            new OpenInstruct(2)),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        Traced<T> k = Traced<T>.Where(input.Mask, (input.Old - input.Inference).Clamp(-10, 10), 0).Exp();
        Traced<T> outside = (k < input.Alpha) | (k > input.Beta);
        Traced<T> weight = Traced<T>.Where(outside, 0, k).Clamp(double.NegativeInfinity, Cap) * input.Mask;
        Traced<T> loss = input.Surrogate((input.Current - input.Old).Exp()) * weight;
        return new FrameworkOutput<T>(input) { Weight = weight }
            .Loss(LossAggregationKind.TokenMean, (loss * input.Mask).Sum() / input.Mask.Sum());
    }
}
