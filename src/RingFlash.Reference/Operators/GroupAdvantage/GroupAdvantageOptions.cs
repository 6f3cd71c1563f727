namespace RingFlash.Reference.Operators;

/// <summary>What a group's deviations are divided by.</summary>
public enum AdvantageScale
{
    /// <summary>√(Σ(R − mean)²/G).</summary>
    PopulationDeviation,

    /// <summary>√(Σ(R − mean)²/(G − 1)), what torch.std computes.</summary>
    SampleDeviation,

    /// <summary>Nothing: Dr. GRPO.</summary>
    None,
}

/// <summary>What a group of one response gets.</summary>
public enum SingleMemberRule
{
    /// <summary>0.</summary>
    Zero,

    /// <summary>Its reward over 1 + epsilon, as verl does by taking mean 0 and deviation 1.</summary>
    RawReward,

    /// <summary>Whatever the formula gives, 0/0 included.</summary>
    Formula,
}

/// <summary>A convention for group-relative advantages. The defaults are the sample deviation plus 1e-6.</summary>
public sealed record GroupAdvantageOptions
{
    /// <summary>What deviations are divided by.</summary>
    public AdvantageScale Scale { get; init; } = AdvantageScale.SampleDeviation;

    /// <summary>Added to the deviation; ≥ 0.</summary>
    public double Epsilon { get; init; } = 1e-6;

    /// <summary>
    /// A group whose rewards are all equal gets exactly 0. Without it the residue of the mean's rounding is blown up by
    /// the division: seven rewards of 0.3 all got +0.0298 in a published trainer.
    /// </summary>
    public bool EqualRewardsGiveZero { get; init; } = true;

    /// <summary>What a group of one gets.</summary>
    public SingleMemberRule SingleMember { get; init; } = SingleMemberRule.Zero;

    /// <summary>slime: sample deviation + 1e-6, without the test for equal rewards.</summary>
    public static GroupAdvantageOptions Slime { get; } =
        new() { EqualRewardsGiveZero = false, SingleMember = SingleMemberRule.Formula };

    /// <summary>verl: as slime, and the raw reward for a group of one.</summary>
    public static GroupAdvantageOptions Verl { get; } =
        new() { EqualRewardsGiveZero = false, SingleMember = SingleMemberRule.RawReward };

    /// <summary>TRL: sample deviation + 1e-4, 0 for a group of one.</summary>
    public static GroupAdvantageOptions Trl { get; } = new() { Epsilon = 1e-4, EqualRewardsGiveZero = false };

    /// <summary>The textbook: population deviation, nothing added, exact zero for equal rewards.</summary>
    public static GroupAdvantageOptions Population { get; } =
        new() { Scale = AdvantageScale.PopulationDeviation, Epsilon = 0 };

    /// <summary>Dr. GRPO: the mean is subtracted and nothing divided.</summary>
    public static GroupAdvantageOptions WithoutDeviation { get; } =
        new() { Scale = AdvantageScale.None, Epsilon = 0 };
}
