using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using RingFlash.Reference.Objective.Profiles.Frameworks;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles;

/// <summary>Every profile by name.</summary>
public static class ObjectiveProfiles
{
    /// <summary>The published objective first, then the frameworks.</summary>
    public static IReadOnlyList<ObjectiveProfile> All { get; } =
    [
        new(
            "paper",
            "Ring-1T report, arXiv 2510.18855 v2, equation 1; rules N1 to N13 of Objective/README.md",
            "k inside the closed band, decided in log space; original denominators; nothing but selection",
            [.. ObjectiveWords.Aggregations],
            [],
            null),
        .. Slime.Profiles,
        .. Verl.Profiles,
        .. Trl.Profiles,
        .. OpenRlhf.Profiles,
        .. NemoRl.Profiles,
        .. Areal.Profiles,
        .. Roll.Profiles,
        .. PrimeRl.Profiles,
        .. OpenInstruct.Profiles,
        .. Rllm.Profiles,
        .. SkyRl.Profiles,
        .. MsSwift.Profiles,
        .. Megatron.Profiles,
    ];

    /// <summary>Finds a profile.</summary>
    /// <param name="name">Its name, in any case.</param>
    /// <param name="profile">The profile.</param>
    /// <returns>Whether there is one.</returns>
    public static bool TryFind(string name, [NotNullWhen(true)] out ObjectiveProfile? profile)
    {
        profile = All.FirstOrDefault(candidate => candidate.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        return profile is not null;
    }
}
