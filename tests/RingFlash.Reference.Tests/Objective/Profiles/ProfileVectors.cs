// Red here: a profile says a framework returns what its own function did not return, so "your numbers equal profile X"
// would name the wrong framework.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Profiles;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Profiles;

public sealed class ProfileVectors
{
    /// <summary>Frameworks that form the ratio in float32 whatever they are given.</summary>
    private static readonly string[] InSingle = ["areal", "skyrl"];

    private const double Unit = 1.0 / (1 << 24);

    public static TheoryData<string> Peers => [.. PeerFiles.Peers];

    [Theory]
    [MemberData(nameof(Peers))]
    public void AProfileReturnsWhatTheFrameworkReturned(string peer)
    {
        Assert.True(ObjectiveProfiles.TryFind(peer, out ObjectiveProfile? profile), $"no profile {peer}");
        List<string> differences = [];
        int compared = 0;
        foreach (string name in IcePopCases.Names)
        {
            IcePopCaseFile file = IcePopCases.Load(name);
            Dictionary<(string Peer, string Precision), PeerResult> results = PeerFiles.Results(name);
            foreach (string precision in PeerFiles.Precisions)
            {
                differences.AddRange(
                    Compare(file, profile, results[(peer, precision)], precision == "f32", ref compared)
                        .Select(difference => $"{name} {precision} {difference}"));
            }
        }

        Assert.True(compared > 0, "nothing compared");
        Assert.True(
            differences.Count == 0,
            $"{differences.Count} of {compared}:\n" + string.Join('\n', differences.Take(40)));
    }

    private static List<string> Compare(
        IcePopCaseFile file, ObjectiveProfile profile, PeerResult expected, bool single, ref int compared)
    {
        Dictionary<string, double[]> actual;
        try
        {
            actual = PeerFiles.Paths(profile.Evaluate(file, single));
        }
        catch (ProfileErrorException exception)
        {
            compared++;
            return exception.Error == expected.Error ? [] : [$"raises {exception.Error}, not {expected.Error}"];
        }

        if (expected.Error is not null)
        {
            return [$"does not raise {expected.Error}"];
        }

        List<string> differences = [];
        string[] missing = [.. expected.Values.Keys.Except(actual.Keys)];
        string[] extra = [.. actual.Keys.Except(expected.Values.Keys)];
        if (missing.Length + extra.Length > 0)
        {
            differences.Add($"missing [{string.Join(' ', missing)}], extra [{string.Join(' ', extra)}]");
        }

        foreach ((string key, double[] values) in expected.Values)
        {
            if (!actual.TryGetValue(key, out double[]? found))
            {
                continue;
            }

            // A weight per response stands for each of its tokens.
            int repeat = found.Length / Math.Max(values.Length, 1);
            for (int i = 0; i < found.Length; i++)
            {
                compared++;
                (double relative, double absolute) = Tolerance(file, expected, key, i, single || InSingle.Contains(profile.Framework));
                if (!IcePopCases.Close(values[i / repeat], found[i], relative, absolute))
                {
                    differences.Add(string.Create(
                        CultureInfo.InvariantCulture, $"{key}[{i}] is {found[i]:R}, not {values[i / repeat]:R}"));
                }
            }
        }

        return differences;
    }

    private static (double Relative, double Absolute) Tolerance(
        IcePopCaseFile file, PeerResult peer, string key, int index, bool single)
    {
        string[] parts = key.Split('/', 2);
        RolloutBatch batch = file.Batch;

        // Σ |contributions| of a loss is at least Σ |its gradients|, and a few times that where tokens are clipped.
        double gauge = parts[0] is "loss" or "grad" && peer.Values.TryGetValue("grad/" + parts[1], out double[]? own)
            ? own.Where(double.IsFinite).Sum(Math.Abs) + Math.Abs(peer.Values["loss/" + parts[1]][0])
            : 1;
        gauge = double.IsFinite(gauge) ? gauge : 1;
        if (!single)
        {
            return (1e-12, 1e-12 * gauge);
        }

        if (parts[0] is "weight" or "grad")
        {
            double o = batch.OldLogProbabilities[index], q = batch.InferenceLogProbabilities[index];
            double l = batch.CurrentLogProbabilities[index];
            double[] sizes = [o, q, o - q, l, l - o, l - q];
            return ((sizes.Where(double.IsFinite).Sum(Math.Abs) + 8) * Unit, 1e-30);
        }

        return parts[0] == "keep" ? (0, 0) : (2e-6, 2e-6 * gauge);
    }
}
