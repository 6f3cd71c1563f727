namespace RingFlash.Reference.Objective.Profiles;

/// <summary>The faults by number, as README.md of this folder lists them.</summary>
internal static class KnownFaults
{
    public static ProfileFault RatioSpace { get; } =
        new("F1", "the band is compared after e^Δ has rounded: Δ within an ulp of an end falls on the wrong side");

    public static ProfileFault NanPasses { get; } =
        new("F2", "a Δ that is NaN passes through: weight and loss of the whole batch become NaN");

    public static ProfileFault MinusInfinityTraining { get; } =
        new("F3", "−∞ from the training engine: the ratio e^(−∞ − −∞) is NaN and a weight of 0 does not remove it");

    public static ProfileFault NanPadding { get; } =
        new("F4", "NaN or ±∞ in padding is multiplied by a mask of 0 and becomes NaN in the loss");

    public static ProfileFault OverflowTimesZero { get; } =
        new("F5", "an infinite ratio outside the band is multiplied by 0: NaN (OpenRLHF #1314)");

    public static ProfileFault OverflowGradient { get; } =
        new("F6", "a clipped or dropped token with an infinite ratio has the gradient 0 · ∞ = NaN instead of 0");

    public static ProfileFault EverythingMaskedRaises { get; } =
        new("F7", "all weights 0: the effective sample size divides by zero and raises (verl #7559)");

    public static ProfileFault ZeroLowerBoundRaises { get; } =
        new("F8", "a lower bound of 0 is refused, so a one-sided or absent band cannot be asked for");

    public static ProfileFault EmptyBatchRaises { get; } =
        new("F9", "a batch without a response token raises");

    public static ProfileFault EqualBoundsRaise { get; } =
        new("F10", "a band of one point is refused by an assertion without a message");

    public static ProfileFault EmptyBatchNan { get; } =
        new("F11", "a batch without a response token divides 0 by 0: NaN");

    public static ProfileFault EmptyRowsCountOne { get; } =
        new("F12", "the token mean counts at least one token per response, so empty responses shrink it (miles #2796)");

    public static ProfileFault EmptyRowsLeave { get; } =
        new("F13", "responses without a token leave the response mean, which therefore depends on the micro-batch");

    public static ProfileFault AddedConstant { get; } =
        new("F14", "1e-8 is added to denominators: off by 1e-8 of the value, and not scale-free");

    public static ProfileFault SafetyBound { get; } =
        new("F15", "log-ratios are limited to ±20 (open-instruct ±10): infinite ones become finite weights");

    public static ProfileFault NonFiniteKept { get; } =
        new("F16", "a Δ that is not finite becomes 0: a token about which nothing is known trains at weight 1");

    public static ProfileFault SinglePrecision { get; } =
        new("F17", "the ratio is formed in float32 whatever the inputs are: an error of 6e-8·|Δ| in float64");

    public static ProfileFault KeptDenominators { get; } =
        new("F18", "the average counts kept tokens only: every drop raises the weight of the others (AReaL #1088)");

    public static ProfileFault UnmaskedNumerator { get; } =
        new("F19", "the token mean sums all positions, dropped ones and padding included, over the kept count");

    public static ProfileFault FactorMissing { get; } =
        new("F20", "the factor inside the band is 1, not k: the importance weight is missing");

    public static ProfileFault DefaultClamp { get; } =
        new("F21", "kept weights are cut at 2 by default, which makes IcePop a truncation");

    public static ProfileFault NonFiniteZero { get; } =
        new("F22", "a ratio that is not finite becomes 0 without being counted; a lower clamp lifts it into training");

    public static ProfileFault LivePolicyBand { get; } =
        new("F23", "the band is taken over the current policy, so it moves with every update");

    public static ProfileFault InverseDirection { get; } =
        new("F24", "the band is compared with infer over train: 0.5_5 keeps k between 0.2 and 2");

    public static ProfileFault UpperOnly { get; } =
        new("F25", "only the upper bound exists: tokens with a small k stay");

    public static ProfileFault PaddingWeight { get; } =
        new("F26", "padding and dropped tokens carry weights other than 0, so statistics over weights are wrong");

    public static ProfileFault ZeroTimesDivergence { get; } =
        new("F27", "the KL term is computed with coefficient 0 and multiplied by it: NaN where it overflows");

    public static ProfileFault DualClip { get; } =
        new("F28", "a dual clip at 3 is on by default and stops the gradient of negative advantages above r = 3");

    public static ProfileFault ProbabilityClampInSingle { get; } =
        new("F29", "1 − 1e-8 is 1 in float32: 0 · log(0/0) is NaN and drops tokens that both engines are sure of");

    public static ProfileFault SequenceProduct { get; } =
        new("F30", "the product over a response leaves every band as it grows: responses vanish whole (TRL #4772)");

    public static ProfileFault LogLikelihoodValue { get; } =
        new("F31", "the value is k·Â·log π: only its gradient can be compared with anyone else's");

    public static ProfileFault InfiniteRatioKept { get; } =
        new("F32", "an infinite k that no upper end stops is kept: weight and loss become infinite or NaN");
}
