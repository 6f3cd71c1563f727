using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>A band that somebody uses.</summary>
/// <param name="User">Who.</param>
/// <param name="Alpha">The lower end; 0 for none.</param>
/// <param name="Beta">The upper end; ∞ for none.</param>
public sealed record MismatchBand(string User, double Alpha, double Beta)
{
    /// <summary>The bands of section 1.10 of the spec, behind the one of the options.</summary>
    /// <param name="options">The options.</param>
    /// <returns>The bands.</returns>
    public static IReadOnlyList<MismatchBand> Known(MismatchOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return
        [
            new("this report", options.Alpha, options.Beta),
            new("report and blog; verl, OpenRLHF, rllm, AReaL and NeMo-RL recipes", 0.5, 5),
            new("report, found unstable; GLM-5, slime's GLM-5.2 test, SkyRL's suggestion", 0.5, 2),
            new("report, stable variant", 0.4, 5),
            new("prime-rl IcePopLoss", 0.2, 5),
            new("prime-rl, earlier token masks", 0.125, 8),
            new("slime and miles flag defaults", 0, 2),
            new("TRL default cap, taken per token", 0, 3),
            new("ROLL filter", 0.8, 1.2),
        ];
    }
}

/// <summary>What a band would mask.</summary>
/// <param name="Band">The band.</param>
/// <param name="Low">Tokens with k below it.</param>
/// <param name="High">Tokens with k above it.</param>
/// <param name="NonFinite">Tokens whose Δ is not finite, masked by any band.</param>
/// <param name="Valid">Valid tokens.</param>
public sealed record BandShare(MismatchBand Band, int Low, int High, int NonFinite, int Valid)
{
    /// <summary>Masked tokens over valid tokens.</summary>
    public double Share => (double)(Low + High + NonFinite) / Valid;

    internal static BandShare Measure(MismatchBand band, MismatchInput input)
    {
        double low = Math.Log(band.Alpha), high = Math.Log(band.Beta);
        return new(
            band,
            input.Delta.Count(delta => delta < low),
            input.Delta.Count(delta => delta > high),
            input.NonFinite,
            input.ValidTokens);
    }
}
