using System;
using System.Globalization;

namespace RingFlash.Reference.Objective;

/// <summary>Where a band is compared.</summary>
public enum BandDecision
{
    /// <summary>log α ≤ Δ ≤ log β. The rule of this library, because e^Δ rounds.</summary>
    LogSpace,

    /// <summary>α ≤ e^Δ ≤ β, as most frameworks write it.</summary>
    RatioSpace,
}

/// <summary>What a log-ratio that is not finite becomes.</summary>
public enum NonFiniteTreatment
{
    /// <summary>The token is dropped and counted; the rule of this library.</summary>
    Drop,

    /// <summary>Δ is replaced by 0, so the token trains with weight 1 (AReaL).</summary>
    RatioOne,

    /// <summary>It goes through the formula as it is, NaN included (TRL, slime, verl).</summary>
    Propagate,
}

/// <summary>How the log-ratio Δ between the engines and the weights made from it are treated, before and after the
/// correction decides.</summary>
public sealed record MismatchTreatment
{
    /// <summary>Log space, non-finite values dropped, no clamps, the batch's own precision.</summary>
    public static MismatchTreatment Default { get; } = new();

    /// <summary>Where bands are compared.</summary>
    public BandDecision Decision { get; init; } = BandDecision.LogSpace;

    /// <summary>What happens to Δ = ±∞ and NaN, and to weights that overflow.</summary>
    public NonFiniteTreatment NonFinite { get; init; } = NonFiniteTreatment.Drop;

    /// <summary>The largest |Δ|; applied first, so that ±∞ becomes finite; +∞ for none.</summary>
    public double LogRatioClamp { get; init; } = double.PositiveInfinity;

    /// <summary>The largest weight, applied last; +∞ for none. open-instruct has 2 by default.</summary>
    public double WeightClamp { get; init; } = double.PositiveInfinity;

    /// <summary>Δ is rounded to float32 and exponentiated there, even in float64 (AReaL, SkyRL).</summary>
    public bool SinglePrecision { get; init; }

    /// <summary>Whether nothing deviates, so that the operator's own rules apply.</summary>
    public bool IsDefault => this == Default;

    /// <summary>Refuses impossible clamps.</summary>
    public void Require()
    {
        if (!(LogRatioClamp > 0 && WeightClamp > 0))
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"Clamps must be above 0; found {LogRatioClamp} for Δ and {WeightClamp} for weights."));
        }
    }
}
