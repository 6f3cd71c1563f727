// Red here: the page says a framework agrees with the published objective on other cases than it does.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Checking;
using RingFlash.Reference.Objective.Profiles;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Profiles;

public sealed class ProfileAgreement
{
    /// <summary>Cases of thirty on which a profile gives our float64 loss and gradients within 1e-9 of their gauge, in
    /// every aggregation it has, and weights within 1e-12.</summary>
    private static readonly Dictionary<string, int> Agreeing = new()
    {
        ["paper"] = 30,
        ["slime/icepop"] = 25,
        ["slime/tis"] = 9,
        ["miles/icepop"] = 25,
        ["slime/mis_token"] = 10,
        ["slime/mis_geometric"] = 5,
        ["slime/mis_sequence"] = 5,
        ["verl/icepop_token"] = 20,
        ["verl/icepop_token_dualclip3"] = 19,
        ["verl/icepop_sequence"] = 3,
        ["verl/rs_token_k1"] = 13,
        ["trl/token_mask"] = 25,
        ["trl/sequence_mask"] = 4,
        ["trl/token_truncate"] = 9,
        ["unsloth_zoo/token_mask"] = 25,
        ["openrlhf/icepop"] = 18,
        ["openrlhf/tis"] = 8,
        ["openrlhf/seq-mask-tis"] = 8,
        ["nemo_rl/icepop"] = 15,
        ["nemo_rl/tis"] = 6,
        ["nemo_rl/seq-mask-tis"] = 8,
        ["areal/ratio_mask"] = 4,
        ["areal/kpop_phi0.1"] = 4,
        ["roll/ratio_filter"] = 9,
        ["prime_rl/masked_is(cae5532f5)"] = 4,
        ["prime_rl/IcePopLoss(sep2026)"] = 19,
        ["prime_rl/dppo(HEAD)"] = 2,
        ["open_instruct/rho_mask"] = 25,
        ["open_instruct/rho_mask_default_clamp2"] = 12,
        ["rllm/icepop"] = 4,
        ["skyrl/token_mask"] = 6,
        ["skyrl/token_mask+tis"] = 8,
        ["ms_swift/token_mask"] = 15,
        ["megatron/tis"] = 10,
    };

    [Fact]
    public void EveryProfileAgreesOnTheListedNumberOfCases()
    {
        Dictionary<string, int> found = ObjectiveProfiles.All.ToDictionary(
            profile => profile.Name, profile => IcePopCases.All.Count(file => Agrees(profile, file)));
        string table = string.Join('\n', found.Select(entry => $"[\"{entry.Key}\"] = {entry.Value},"));
        Assert.True(
            found.Count == Agreeing.Count && found.All(entry => Agreeing.GetValueOrDefault(entry.Key) == entry.Value),
            "found\n" + table);
    }

    private static bool Agrees(ObjectiveProfile profile, IcePopCaseFile file)
    {
        IcePopExpectation ours = IcePopValues.From(PolicyObjective.Evaluate(file.Batch, file.Options)), theirs;
        try
        {
            theirs = profile.Evaluate(file);
        }
        catch (ProfileErrorException)
        {
            return false;
        }

        bool Close(IReadOnlyList<double> expected, IReadOnlyList<double> actual, double tolerance) =>
            expected.Zip(actual).All(pair => IcePopCases.Close(pair.First, pair.Second, tolerance, tolerance));
        return theirs.Loss.All(entry => Close([ours.Loss[entry.Key]], [entry.Value], 1e-9))
            && theirs.Gradient.All(entry => Close(ours.Gradient[entry.Key], entry.Value, 1e-9))
            && (theirs.Weight is null || Close(ours.Weight!, Select(theirs.Weight, file.Batch.ResponseMask), 1e-12))
            && (theirs.Keep is null || ours.Keep!.SequenceEqual(theirs.Keep));
    }

    private static double[] Select(double[] weights, ReadOnlySpan<byte> mask)
    {
        double[] selected = (double[])weights.Clone();
        for (int i = 0; i < selected.Length; i++)
        {
            selected[i] = mask[i] == 0 ? 0 : selected[i];
        }

        return selected;
    }
}
