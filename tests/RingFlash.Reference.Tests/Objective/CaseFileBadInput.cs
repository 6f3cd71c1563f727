// Red here: a damaged or hostile case file crashes the tool, is read as something else, or is refused without saying
// where.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class CaseFileBadInput
{
    private const string Good =
        """
        {"schema": 1, "case": "good", "config": {"alpha": 0.5, "beta": "Infinity", "eps_low": 0.2, "eps_high": 0.2,
        "kl_coef": 0.0}, "shape": [1, 2], "inputs": {"advantages": [1.0], "mask": [[1, 0]], "logp_theta": [[-1, "NaN"]],
        "logp_old": [[-1, 0]], "logp_infer": [[-1, "-Infinity"]]}}
        """;

    public static TheoryData<string, string, string> Damages => new()
    {
        { "\"schema\": 1", "\"schema\": 2", "$.schema: must be 1" },
        { "\"schema\": 1", "\"schema\": 1, \"schema\": 1", "$.schema: duplicate key" },
        { "\"schema\": 1,", "", "$.schema: required" },
        { "{\"schema\"", "[{\"schema\"", "not strict JSON" },
        { "\"alpha\": 0.5", "\"alpha\": 0.5, // half\n\"gamma\": 1", "not strict JSON" },
        { "\"alpha\": 0.5", "\"alpha\": \"half\"", "$.config.alpha: must be a float64 number" },
        { "\"alpha\": 0.5", "\"alpha\": 1e999", "$.config.alpha: must be a float64 number" },
        { "\"alpha\": 0.5", "\"alpha\": -0.5", "$.config: The band needs" },
        { "\"alpha\": 0.5", "\"alpha\": \"NaN\"", "$.config: The band needs" },
        { "\"Infinity\"", "0.25", "$.config: The band needs" },
        { "\"eps_low\": 0.2", "\"eps_low\": -1", "$.config: The clip needs" },
        { "\"kl_coef\": 0.0", "\"kl_coef\": 0.1", "$.inputs.logp_ref: required" },
        { "[1, 2]", "[1]", "$.shape: must be" },
        { "[1, 2]", "[1, -2]", "$.shape[1]: must be an integer" },
        { "[1, 2]", "[1, 2.5]", "$.shape[1]: must be an integer" },
        { "[1, 2]", "[1, 3]", "must have 3 elements; found 2" },
        { "[1, 2]", "[16777216, 16777216]", "$.shape: a case has at most" },
        { "[1, 2]", "[4096, 4096]", "$.shape: promises more tokens" },
        { "[1.0]", "[\"NaN\"]", "$.inputs: The advantage of rollout 0 is NaN" },
        { "[1.0]", "[1.0, 2.0]", "$.inputs.advantages: must have 1 elements" },
        { "[[1, 0]]", "[[1, 2]]", "$.inputs.mask[0][1]: must be 0 or 1" },
        { "[[1, 0]]", "[[1]]", "$.inputs.mask[0]: must have 2 elements; found 1" },
        { "[[-1, 0]]", "[[-1, true]]", "$.inputs.logp_old[0][1]: must be a float64 number" },
        { "[[-1, 0]]", "[-1, 0]", "$.inputs.logp_old: must have 1 elements; found 2" },
        { "[[-1, 0]]", "{}", "$.inputs.logp_old: must be an array" },
        { "\"inputs\": {", "\"inputs\": {\"group\": [1.5], ", "$.inputs.group[0]: must be an integer" },
        { "\"inputs\"", "\"input\"", "$.inputs: required" },
        { "\"schema\": 1", "\"schema\": 1, \"tags\": [1]", "$.tags: must hold strings" },
        { "\"schema\": 1", "\"schema\": 1, \"case\\u0000\": 1, \"boundary_sensitive\": 3", "must be true or false" },
    };

    [Fact]
    public void TheUndamagedCaseIsRead()
    {
        IcePopCaseFile file = Parse(Good);
        Assert.Equal("good", file.Name);
        Assert.Equal(new IcePopCorrection(0.5, double.PositiveInfinity), file.Options.Correction);
        Assert.True(double.IsNaN(file.Batch.CurrentLogProbabilities[1]));
        Assert.Equal(-1, PolicyObjective.Evaluate(file.Batch, file.Options).TotalLoss());
        Assert.Null(file.Reference);
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public void EveryDamageIsNamedWithItsPlace(string from, string to, string message)
    {
        Assert.Contains(from, Good, StringComparison.Ordinal);
        int at = Good.IndexOf(from, StringComparison.Ordinal);
        string damaged = Good[..at] + to + Good[(at + from.Length)..];
        InvalidInputException exception = Assert.Throws<InvalidInputException>(() => Parse(damaged));
        Assert.StartsWith("file.json: ", exception.Message, StringComparison.Ordinal);
        Assert.Contains(message, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    [Fact]
    public void NoCutOrFlippedByteCrashesTheReader()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Good);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<InvalidInputException>(() => IcePopCaseFile.Parse(bytes.AsMemory(0, length), "file.json"));
        }

        Random random = new(7);
        for (int round = 0; round < 2000; round++)
        {
            byte[] flipped = [.. bytes];
            flipped[random.Next(flipped.Length)] = (byte)random.Next(256);
            try
            {
                _ = IcePopCaseFile.Parse(flipped, "file.json");
            }
            catch (InvalidInputException)
            {
                // refused; anything else fails the test
            }
        }
    }

    [Fact]
    public void AMissingFileAndAFolderAreNamed()
    {
        foreach (string path in new string[] { "/no/such/case.json", IcePopCases.Folder, string.Empty })
        {
            Assert.Throws<InvalidInputException>(() => IcePopCaseFile.Read(path));
        }
    }

    private static IcePopCaseFile Parse(string text) => IcePopCaseFile.Parse(Encoding.UTF8.GetBytes(text), "file.json");
}
