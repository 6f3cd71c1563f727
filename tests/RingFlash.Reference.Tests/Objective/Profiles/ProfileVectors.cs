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
                bool rough = single || InSingle.Contains(profile.Framework);
                (double relative, double absolute) = rough
                    ? SingleTolerance(file, expected, key, i, profile.Name.Contains("sequence"))
                    : (1e-12, 1e-12 * Gauge(expected, key));
                if (!IcePopCases.Close(values[i / repeat], found[i], relative, absolute))
                {
                    differences.Add(string.Create(
                        CultureInfo.InvariantCulture, $"{key}[{i}] is {found[i]:R}, not {values[i / repeat]:R}"));
                }
            }
        }

        return differences;
    }

    /// <summary>Σ |contributions| of a loss is at least Σ |its gradients|, and a little more where tokens are
    /// clipped.</summary>
    private static double Gauge(PeerResult peer, string key)
    {
        string[] parts = key.Split('/', 2);
        double gauge = parts[0] is "loss" or "grad"
            ? peer.Values["grad/" + parts[1]].Where(double.IsFinite).Sum(Math.Abs)
                + Math.Abs(peer.Values["loss/" + parts[1]][0])
            : 1;
        return double.IsFinite(gauge) ? gauge : 1;
    }

    private static (double Relative, double Absolute) SingleTolerance(
        IcePopCaseFile file, PeerResult peer, string key, int index, bool wholeResponse)
    {
        string quantity = key.Split('/')[0];
        if (quantity is "weight" or "grad")
        {
            int length = file.Batch.ResponseLength, row = index / length * length;
            double size = wholeResponse
                ? Enumerable.Range(row, length).Sum(token => Size(file.Batch, token))
                : Size(file.Batch, index);
            return ((size + 8) * Unit, 1e-30);
        }

        // A deviation is the root of a difference of squares.
        double gauge = Gauge(peer, key), value = peer.Values[key][0];
        return quantity == "keep" ? (0, 0)
            : key.EndsWith("_std", StringComparison.Ordinal) && value > 0 ? (2e-6, 1e-6 / value)
            : (2e-6, 2e-6 * gauge);
    }

    private static double Size(RolloutBatch batch, int token)
    {
        double o = batch.OldLogProbabilities[token], q = batch.InferenceLogProbabilities[token];
        double l = batch.CurrentLogProbabilities[token];
        double[] sizes = [o, q, o - q, l, l - o, l - q];
        return sizes.Where(double.IsFinite).Sum(Math.Abs);
    }
}
