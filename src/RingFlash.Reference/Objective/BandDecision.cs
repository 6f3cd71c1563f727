namespace RingFlash.Reference.Objective;

/// <summary>Where a band is compared.</summary>
public enum BandDecision
{
    /// <summary>log α ≤ Δ ≤ log β. The rule of this library, because e^Δ rounds.</summary>
    LogSpace,

    /// <summary>α ≤ e^Δ ≤ β, as most frameworks write it.</summary>
    RatioSpace,
}
