// Red here means that the judge of other people's losses is blind to a mistake, calls a right number wrong, or points
// at the wrong place.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Checking;
using RingFlash.Reference.Objective.Profiles;
using RingFlash.Reference.Objective.Properties;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Checking;

public sealed class ComparisonTests : IDisposable
{
    private const double Unit = 1.0 / (1 << 24);

    private readonly TemporaryFolder _temporary = new();

    public static TheoryData<string> Cases => [.. IcePopCases.Names];

    public static TheoryData<string> Mistakes => [.. MutationTable.Mistakes.Keys];

    public void Dispose() => _temporary.Dispose();

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void EveryKnownMistakeIsSeenInEveryCaseThatShowsIt(string name)
    {
        (Func<SimpleObjective> make, int[] killers) = MutationTable.Mistakes[name];
        foreach (int id in killers)
        {
            IcePopCaseFile file = IcePopCases.Number(id);
            LossOutcome outcome = make().Evaluate(file.Batch, file.Options);
            IcePopExpectation actual = new()
            {
                Loss = outcome.Loss.ToDictionary(entry => entry.Key.Word(), entry => entry.Value),
                Gradient = outcome.Gradient.ToDictionary(entry => entry.Key.Word(), entry => entry.Value),
            };
            Assert.False(Compare(file, Ours(file), actual).Agrees, $"{name} in case {id}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void TheReferencesOfAnotherProgramAgreeInEveryQuantity(string name)
    {
        IcePopCaseFile file = IcePopCases.Load(name);
        IcePopComparison exact = Compare(file, Ours(file), file.Reference!);
        Assert.Equal(string.Empty, exact.Difference);
        Assert.Equal(["keep_ratio_space"], exact.NotCompared);
        Assert.True(exact.Quantities.Count >= 5 + 5 + 5 + 5 + 11, $"{exact.Quantities.Count} quantities");
        IcePopComparison single = Compare(file, Ours(file, single: true), file.SingleReference!, single: true);
        Assert.Equal(string.Empty, single.Difference);
        Assert.Equal(12, single.Quantities.Count);
    }

    [Fact]
    public void EveryElementOfEveryQuantityCounts()
    {
        IcePopCaseFile file = IcePopCases.Number(29);
        IcePopExpectation ours = Ours(file);
        int tokens = ours.Keep!.Length, changed = 0;
        foreach (IcePopQuantity quantity in Compare(file, ours, ours).Quantities)
        {
            foreach (int index in new[] { 0, tokens / 2, tokens - 1 })
            {
                IcePopComparison comparison = Compare(file, ours, Changed(file, ours, quantity.Name, index));
                bool isToken = quantity.Compared > 1;
                bool elsewhere = ours.Keep[index] == 0 && quantity.Name is "r" or "ppo_clipped";
                Assert.Equal(elsewhere ? null : quantity.Name, comparison.FirstWrong?.Name);
                changed += elsewhere ? 0 : 1;
                if (isToken && !elsewhere)
                {
                    IcePopDifference first = comparison.FirstWrong!.First!;
                    Assert.Equal((index / 8, index % 8), (first.Rollout, first.Token));
                    Assert.Equal(1, comparison.FirstWrong.Wrong);
                }
            }
        }

        Assert.True(changed > 90, $"{changed} changes tried");
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void WhatIsNotFiniteMustBeTheSame(double value)
    {
        Assert.True(IcePopComparison.Close(value, value, 0));
        Assert.False(IcePopComparison.Close(value, 1, double.PositiveInfinity));
        Assert.False(IcePopComparison.Close(1, value, 1e300));
        Assert.False(IcePopComparison.Close(double.PositiveInfinity, double.NegativeInfinity, 1));
    }

    [Fact]
    public void AnEnormousResponseDoesNotHideAnErrorInAnother()
    {
        IcePopCaseFile file = IcePopCases.Number(37);
        IcePopExpectation ours = Ours(file);
        double[] gradient = [.. ours.Gradient["token_sum"]];
        int smallest = Enumerable.Range(0, gradient.Length).Where(i => gradient[i] != 0)
            .MinBy(i => Math.Abs(gradient[i]));
        Assert.True(Math.Abs(gradient[smallest]) < 1e-6 * gradient.Max(Math.Abs));
        gradient[smallest] *= 1 + 1e-8;
        IcePopExpectation actual = new() { Gradient = new Dictionary<string, double[]> { ["token_sum"] = gradient } };
        Assert.False(Compare(file, ours, actual).Agrees);
    }

    [Fact]
    public void Float32IsHeldToItsOwnRounding()
    {
        IcePopCaseFile file = IcePopCases.Number(5);
        IcePopExpectation ours = Ours(file, single: true);
        double o = file.Batch.OldLogProbabilities[0], q = file.Batch.InferenceLogProbabilities[0];
        double allowed = 2 * (Math.Abs(o) + Math.Abs(q) + Math.Abs(o - q) + 4) * Unit;
        foreach (double times in new[] { 0.9, 1.1 })
        {
            double[] weight = [.. ours.Weight!];
            weight[0] *= 1 + (times * allowed);
            Assert.Equal(times < 1, Compare(file, ours, new() { Weight = weight }, single: true).Agrees);
            Dictionary<string, double> loss = new() { ["token_sum"] = ours.Loss["token_sum"] + (1e-3 * (times - 0.9)) };
            Assert.Equal(times < 1, Compare(file, ours, new() { Loss = loss }, single: true).Agrees);
        }
    }

    [Fact]
    public void InFloat32ARatioOnTheClipMayBeClippedOrNot()
    {
        IcePopCaseFile file = IcePopCases.Number(49);
        IcePopExpectation exact = Ours(file), single = Ours(file, single: true);
        double[] gradient = exact.Gradient["token_sum"];
        int onClip = Enumerable.Range(0, gradient.Length).First(i => gradient[i] != 0
            && Math.Abs(exact.PolicyRatio![i] - 1 - file.Options.EpsilonHigh) < 1e-15);
        int inside = Enumerable.Range(0, gradient.Length).First(i =>
            gradient[i] != 0 && Math.Abs(exact.PolicyRatio![i] - 1) < 1e-3);
        foreach ((int index, bool isSingle, bool agrees) in new[]
        {
            (onClip, true, true), (onClip, false, false), (inside, true, false), (inside, false, false),
        })
        {
            double[] cut = [.. (isSingle ? single : exact).Gradient["token_sum"]];
            cut[index] = 0;
            IcePopExpectation actual = new() { Gradient = new Dictionary<string, double[]> { ["token_sum"] = cut } };
            Assert.Equal(agrees, Compare(file, isSingle ? single : exact, actual, isSingle).Agrees);
        }
    }

    [Fact]
    public void NothingOnTheOtherSideIsNotAgreement()
    {
        IcePopCaseFile file = IcePopCases.Number(5);
        IcePopComparison empty = Compare(file, Ours(file), new IcePopExpectation());
        Assert.Equal((0, false), (empty.Compared, empty.Agrees));
        IcePopComparison unknown = Compare(
            file, Ours(file), new() { Loss = new Dictionary<string, double> { ["mean"] = 1 } });
        Assert.Equal((0, false), (unknown.Compared, unknown.Agrees));
        Assert.Equal(["loss.mean"], unknown.NotCompared);
    }

    [Fact]
    public void EveryProfileIsRecognisedByItsNumbers()
    {
        IcePopCaseFile[] files = [IcePopCases.Number(5), IcePopCases.Number(19), IcePopCases.Number(25)];
        foreach (ObjectiveProfile profile in ObjectiveProfiles.All)
        {
            if (profile.Aggregations.Count == 0)
            {
                continue; // weights or a mask only: many share them
            }

            string path = _temporary.Write("actual.json", Results(files, file => profile.Evaluate(file)));
            using IcePopActualFile actual = IcePopActualFile.Open(path);
            ObjectiveProfile other = ObjectiveProfiles.All.First(one => one.Name != profile.Name);
            IcePopCheck check = IcePopCheck.Run(files, actual, other);
            Assert.True(
                check.Passed || check.EqualProfiles.Any(equal => equal.Profile.Name == profile.Name), profile.Name);
            Assert.True(IcePopCheck.Run(files, actual, profile).Passed, profile.Name);
        }
    }

    [Fact]
    public void TheNumbersThatFrameworksReturnedAreRecognised()
    {
        IcePopCaseFile file = IcePopCases.Number(5);
        JsonObject peers = JsonNode.Parse(File.ReadAllText(
            Path.Combine(IcePopCases.Folder, "peers", "case_005_offpolicy_ragged.peers.json")))!["peers"]!.AsObject();
        int recognised = 0;
        foreach ((string name, JsonNode? peer) in peers)
        {
            JsonObject result = Returned(peer!["f64"]!.AsObject());
            if (result["loss"]?.AsObject().Count is null or 0)
            {
                continue;
            }

            result["case"] = file.Name;
            using IcePopActualFile actual =
                IcePopActualFile.Open(_temporary.Write("peer.json", result.ToJsonString()));
            ObjectiveProfile other = ObjectiveProfiles.All.First(one => one.Name == "prime_rl/dppo(HEAD)");
            Assert.True(ObjectiveProfiles.TryFind(name, out ObjectiveProfile? own), name);
            IcePopCheck check = IcePopCheck.Run([file], actual, name == other.Name ? ObjectiveProfiles.All[0] : other);
            Assert.False(check.Passed, name);
            Assert.True(check.EqualProfiles.Any(equal => equal.Profile == own), name);
            recognised++;
        }

        Assert.True(recognised >= 25, $"{recognised} frameworks recognised");
    }

    [Theory]
    [InlineData("f64")]
    [InlineData("f32")]
    public void WhatEveryFrameworkReturnedEqualsItsProfile(string precision)
    {
        IcePopCaseFile[] files = [.. IcePopCases.All];
        foreach (ObjectiveProfile profile in ObjectiveProfiles.All)
        {
            JsonArray results = [];
            foreach (IcePopCaseFile file in files)
            {
                JsonObject peers = JsonNode.Parse(File.ReadAllText(Path.Combine(
                    IcePopCases.Folder, "peers", $"case_{file.Id:D3}_{file.Name}.peers.json")))!["peers"]!.AsObject();
                if (peers.TryGetPropertyValue(profile.Name, out JsonNode? peer))
                {
                    JsonObject result = Returned(peer![precision]!.AsObject());
                    result["case"] = file.Name;
                    results.Add(result);
                }
            }

            if (results.Count > 0)
            {
                JsonObject all = new() { ["cases"] = results };
                using IcePopActualFile actual =
                    IcePopActualFile.Open(_temporary.Write("peer.json", all.ToJsonString()));
                IcePopCheck check = IcePopCheck.Run(files, actual, profile, precision == "f32");
                Assert.True(check.Passed, profile.Name + ": " + check.Cases.FirstOrDefault(one => !one.Agrees)?.Text);
                Assert.Equal(30, results.Count);
            }
        }
    }

    [Fact]
    public void EveryMistakeIsRecognisedByItsNumbers()
    {
        IcePopCaseFile[] files = [.. new[] { 5, 8, 9, 12, 14, 25, 27, 40, 47, 49 }.Select(IcePopCases.Number)];
        foreach (IcePopMistake mistake in IcePopMistake.All)
        {
            IcePopCaseFile[] possible = [.. files.Where(file => mistake.Evaluate(file, false) is not null)];
            string path = _temporary.Write("actual.json", Results(possible, file => mistake.Evaluate(file, false)!));
            using IcePopActualFile actual = IcePopActualFile.Open(path);
            IcePopCheck check = IcePopCheck.Run(possible, actual, ObjectiveProfiles.All[0]);
            Assert.False(check.Passed, mistake.Description);
            Assert.Equal([mistake.Description], check.Mistakes.Select(found => found.Description));
        }
    }

    // From the shape of the peer files to that of the check; weights of another shape are one number per response.
    private static JsonObject Returned(JsonObject peer)
    {
        if (peer.ContainsKey("error"))
        {
            return new JsonObject { ["error"] = peer["error"]!.DeepClone() };
        }

        JsonObject loss = [], gradient = [], result = [];
        int columns = 0;
        foreach (string word in ObjectiveWords.Aggregations.ToArray().Select(kind => kind.Word()))
        {
            if (peer[word] is JsonObject values)
            {
                loss[word] = values["loss"]!.DeepClone();
                gradient[word] = values["grad"]!.DeepClone();
                columns = values["grad"]![0]!.AsArray().Count;
            }
        }

        result["loss"] = loss;
        result["grad"] = gradient;
        foreach (string name in new[] { "weight", "keep" })
        {
            if (peer[name] is JsonArray rows && (columns == 0 || rows[0]!.AsArray().Count == columns))
            {
                result[name] = rows.DeepClone();
            }
        }

        return result;
    }

    private static string Results(
        IEnumerable<IcePopCaseFile> files, Func<IcePopCaseFile, IcePopExpectation> evaluate)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            json.WriteStartArray("cases");
            foreach (IcePopCaseFile file in files)
            {
                json.WriteStartObject();
                json.WriteString("case", file.Name);
                try
                {
                    IcePopValuesJson.Write(json, file.Batch, evaluate(file), everything: true);
                }
                catch (ProfileErrorException exception)
                {
                    json.WriteString("error", exception.Message);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static IcePopExpectation Ours(IcePopCaseFile file, bool single = false) => IcePopValues.From(single
        ? PolicyObjective.Evaluate(ExecutionEngine.Vector512, file.Batch.ToSingle(), file.Options)
        : PolicyObjective.Evaluate(file.Batch, file.Options));

    private static IcePopComparison Compare(
        IcePopCaseFile file, IcePopExpectation expected, IcePopExpectation actual, bool single = false) =>
        IcePopComparison.Compare(file.Batch, expected, actual, new IcePopTolerance(
            file.Batch, PolicyObjective.Evaluate(file.Batch, file.Options), expected, single));

    // Through the file format, so that its reader is part of what must notice.
    private IcePopExpectation Changed(IcePopCaseFile file, IcePopExpectation ours, string quantity, int index)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            IcePopValuesJson.Write(json, file.Batch, ours, everything: true);
            json.WriteEndObject();
        }

        JsonNode root = JsonNode.Parse(stream.ToArray())!;
        string[] parts = quantity.Split('.');
        JsonNode parent = root;
        foreach (string part in parts[..^1])
        {
            parent = parent[part]!;
        }

        // kl.k1/token_mean is an object with the number inside.
        (parent, string last) = parts is ["kl", _] ? (parent[parts[1]]!, "kl") : (parent, parts[^1]);
        if (parent[last] is JsonArray rows)
        {
            double old = rows[index / 8]![index % 8]!.GetValue<double>();
            bool flag = quantity is "keep" or "ppo_clipped";
            rows[index / 8]![index % 8] = flag ? 1 - old : old + 1e-6;
        }
        else
        {
            parent[last] = parent[last]!.GetValue<double>() + 1e-6;
        }

        using IcePopActualFile actual = IcePopActualFile.Open(_temporary.Write("changed.json", root.ToJsonString()));
        return actual.Results[0].ReadValues(file);
    }
}
