using System.Collections.Generic;
using System.Numerics;

namespace RingFlash.Reference.Objective.Profiles.Frameworks;

/// <summary>
/// slime's example helper in its mask mode: e^(limited Δ) of the token, of the response's sum or of its mean, kept
/// where it lies in the band. Gives weights and a mask; the weights of rejected tokens keep their value.
/// </summary>
/// <param name="Level">token, sequence or geometric.</param>
internal sealed record SlimeHelper(SlimeHelperLevel Level) : IFrameworkLoss
{
    private const string Source = "THUDM/slime @624b824a examples/train_infer_mismatch_helper/mis.py";

    private static readonly ProfileFault[] Faults =
        [KnownFaults.EqualBoundsRaise, KnownFaults.SafetyBound, KnownFaults.NanPasses];

    public static IReadOnlyList<ObjectiveProfile> Profiles { get; } =
    [
        new(
            "slime/mis_token",
            Source,
            "token ratio, separate mask",
            [],
            [KnownFaults.RatioSpace, .. Faults],
            new SlimeHelper(SlimeHelperLevel.Token)),
        new(
            "slime/mis_geometric",
            Source,
            "mean log-ratio of the response",
            [],
            Faults,
            new SlimeHelper(SlimeHelperLevel.Geometric)),
        new(
            "slime/mis_sequence",
            Source,
            "product of the response's ratios",
            [],
            [KnownFaults.SequenceProduct, .. Faults],
            new SlimeHelper(SlimeHelperLevel.Sequence)),
    ];

    public FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>
    {
        if (!(input.Alpha < input.Beta) && input.Rows > 0)
        {
            throw new ProfileErrorException(KnownFaults.EqualBoundsRaise, "AssertionError: ");
        }

        Traced<T> difference = input.Cut(input.Old) - input.Cut(input.Inference);
        Traced<T> value = Level switch
        {
            SlimeHelperLevel.Token => difference,
            SlimeHelperLevel.Sequence => (difference * input.Mask).RowSum(),
            _ => (difference * input.Mask).RowSum() / input.CountsOrOne,
        };
        Traced<T> weight = value.Clamp(-20, 20).Exp();
        Traced<T> inside = (weight >= input.Alpha) & (weight <= input.Beta);
        return new FrameworkOutput<T>(input) { Weight = weight * input.Mask, Keep = input.Mask * inside };
    }
}

/// <summary>Over what slime's helper forms a ratio.</summary>
internal enum SlimeHelperLevel
{
    /// <summary>Each token.</summary>
    Token,

    /// <summary>The product over the response.</summary>
    Sequence,

    /// <summary>The geometric mean over the response.</summary>
    Geometric,
}
