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
    };

    [Fact]
    public void EveryProfileAgreesOnTheListedNumberOfCases()
    {
        Dictionary<string, int> found = ObjectiveProfiles.All.ToDictionary(
            profile => profile.Name, profile => IcePopCases.All.Count(file => Agrees(profile, file)));
        Assert.Equal(
            string.Join('\n', found.Select(entry => $"[\"{entry.Key}\"] = {entry.Value},")),
            string.Join('\n', Agreeing.Select(entry => $"[\"{entry.Key}\"] = {entry.Value},")));
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
