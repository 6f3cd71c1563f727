// Red here: a profile names a fault that it does not show, or shows one that it does not name; its page would warn of
// the wrong things.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Objective.Profiles;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Profiles;

public sealed class ProfileFaults
{
    /// <summary>What section 3.3 of the specification gives as the reasons for disagreement, as fault numbers. All are
    /// reproduced; the list of what is not is empty.</summary>
    private static readonly Dictionary<string, string[]> Deviations = new()
    {
        ["slime/icepop"] = ["F1", "F3", "F6", "F12"],
        ["trl/token_mask"] = ["F1", "F2", "F3", "F4", "F6"],
        ["unsloth_zoo/token_mask"] = ["F1", "F2", "F3", "F4", "F6"],
        ["open_instruct/rho_mask"] = ["F2", "F11", "F15"],
        ["verl/icepop_token"] = ["F3", "F7", "F8", "F9", "F13", "F14", "F15"],
        ["openrlhf/icepop"] = ["F3", "F5", "F13", "F14", "F15"],
        ["prime_rl/IcePopLoss(sep2026)"] = ["F23"],
        ["nemo_rl/icepop"] = ["F13", "F14", "F22"],
        ["roll/ratio_filter"] = ["F18"],
        ["skyrl/token_mask+tis"] = ["F17"],
        ["areal/ratio_mask"] = ["F16", "F17"],
        ["prime_rl/masked_is(cae5532f5)"] = ["F31"],
        ["rllm/icepop"] = ["F31"],
        ["open_instruct/rho_mask_default_clamp2"] = ["F21"],
    };

    private static readonly string[] NotReproducible = [];

    [Fact]
    public void EveryListedDeviationIsNamedAndShown()
    {
        int shown = 0;
        foreach ((string name, string[] numbers) in Deviations)
        {
            Assert.True(ObjectiveProfiles.TryFind(name, out ObjectiveProfile? profile), name);
            foreach (string number in numbers)
            {
                Assert.Contains(profile.Faults, fault => fault.Number == number);
                shown++;
            }
        }

        Assert.Equal(40, shown);
        Assert.Empty(NotReproducible);
    }

    [Fact]
    public void AProfileNamesExactlyWhatItShows()
    {
        List<string> wrong = [];
        foreach (ObjectiveProfile profile in ObjectiveProfiles.All)
        {
            string[] shown =
                [.. FaultInputs.All.Where(input => input.ShownBy(profile)).Select(input => input.Number).Distinct()];
            string[] named = [.. profile.Faults.Select(fault => fault.Number)];
            if (!shown.Order().SequenceEqual(named.Order()))
            {
                wrong.Add($"{profile.Name}: shows {string.Join(' ', shown)}; names more "
                    + $"[{string.Join(' ', named.Except(shown))}], less [{string.Join(' ', shown.Except(named))}]");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void ThePageHasEveryFaultAndEveryProfile()
    {
        string page = File.ReadAllText(Path.Combine(
            RepositoryRoot.Path, "src", "RingFlash.Reference", "Objective", "Profiles", "README.md"));
        foreach (ObjectiveProfile profile in ObjectiveProfiles.All)
        {
            string start = $"| `{profile.Name}` |";
            string row = Assert.Single(
                page.Split('\n'), line => line.StartsWith(start, StringComparison.Ordinal));
            string numbers = string.Join(' ', profile.Faults.Select(fault => fault.Number[1..]));
            Assert.EndsWith($"| {(numbers.Length == 0 ? "–" : numbers)} |", row.TrimEnd(), StringComparison.Ordinal);
        }

        string[] known = [.. ObjectiveProfiles.All.SelectMany(profile => profile.Faults)
            .Select(fault => fault.Number).Distinct()];
        Assert.Equal(FaultInputs.All.Select(input => input.Number).Distinct().Count(), known.Length);
        Assert.All(known, number => Assert.Contains($"\n| {number} |", page, StringComparison.Ordinal));
    }

    [Fact]
    public void NamesAreWordsAndLookedUpInAnyCase()
    {
        Assert.Equal("paper", ObjectiveProfiles.All[0].Name);
        string[] names = [.. ObjectiveProfiles.All.Select(profile => profile.Name)];
        Assert.Equal(34, names.Distinct().Count()); // the peers, miles and our own
        Assert.Equal(34, names.Length);
        Assert.Empty(PeerFiles.Peers.Except(names));
        Assert.True(ObjectiveProfiles.TryFind("Slime/ICEPOP", out ObjectiveProfile? profile));
        Assert.Equal("slime", profile.Framework);
        Assert.False(ObjectiveProfiles.TryFind("slime", out _));
    }
}
