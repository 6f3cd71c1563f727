// Red here means that verify would call a backend with a well-known mistake correct, or blame the wrong operator.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Verification;

/// <summary>Mistakes that back ends really made, each as one overridden operator.</summary>
public sealed class FaultTwins
{
    public static TheoryData<string, string> Twins => new()
    {
        { "interleaved rotary pairs", "RotaryEmbedding" },
        { "rotary over the whole head", "RotaryEmbedding" },
        { "off-by-one position", "RotaryTable" },
        { "expert bias in the weights", "GroupLimitedTopK" },
        { "missing scaling factor", "GroupLimitedTopK" },
        { "groups left out", "GroupLimitedTopK" },
        { "softmax for sigmoid", "RouterScores" },
        { "router logits rounded to bfloat16", "RouterLogits" },
        { "query and key norm skipped", "RmsNorm" },
        { "norm epsilon 1e-5", "RmsNorm" },
        { "shared expert dropped", "ResidualAdd" },
        { "query, key, value split by groups", "QueryKeyValueSplit" },
        { "key/value heads tiled", "CausalAttention" },
        { "softmax scale folded twice", "CausalAttention" },
        { "MTP halves swapped", "Concatenate" },
        { "gate and up swapped", "RoutedExperts" },
        { "expert weights not applied", "ExpertCombine" },
        { "MTP targets shifted once only", "CrossEntropy" },
    };

    [Theory]
    [MemberData(nameof(Twins))]
    public void IsFoundAndNamed(string mistake, string culprit)
    {
        string folder = Path.Combine(RepositoryRoot.Golden, "tiny-f32");
        VerifyReport report = Verify(folder, mistake, [VerifyMode.Isolated, VerifyMode.Free]);
        TestContext.Current.TestOutputHelper?.WriteLine(report.Headline);
        Assert.Equal(1, report.ExitCode);
        Assert.StartsWith("FAILED tiny-f32 (vector512, isolated): ", report.Headline, StringComparison.Ordinal);
        string accused = report.Headline.Split(" is over budget", 2)[0].Split(" chose other", 2)[0];
        Assert.Contains(culprit, accused, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', report.Headline);
    }

    /// <summary>Mistakes are found without isolation too, wherever they first show.</summary>
    [Theory]
    [MemberData(nameof(Twins))]
    public void IsFoundFreeRunning(string mistake, string culprit)
    {
        Assert.NotEmpty(culprit);
        string folder = Path.Combine(RepositoryRoot.Golden, "tiny-f32");
        Assert.Equal(1, Verify(folder, mistake, [VerifyMode.Free]).ExitCode);
    }

    /// <summary>
    /// The shipped cases have no negative biased scores among the best, so a mask of 0 instead of −∞ needs a case of
    /// its own: all biases far below zero, as training may leave them.
    /// </summary>
    [Fact]
    public void ZeroFillIsFoundWhereBiasedScoresAreNegative()
    {
        using TemporaryFolder temporary = new();
        string folder = Path.Combine(temporary.Path, "negative-bias");
        SafetensorsContent[] biases = [.. Enumerable.Range(1, 3).Select(layer => SafetensorsContent.FromSingle(
            $"weights.model.layers.{layer}.mlp.gate.expert_bias",
            [16],
            Enumerable.Range(0, 16).Select(expert => -2f - (0.01f * expert)).ToArray()))];
        OracleCase.Write(folder, OracleCase.Configuration(), weights: biases);
        Assert.Equal(0, Verify(folder, "none", [VerifyMode.Isolated, VerifyMode.Free]).ExitCode);
        VerifyReport report = Verify(folder, "0 for −∞", [VerifyMode.Isolated]);
        Assert.Equal(1, report.ExitCode);
        Assert.Contains("GroupLimitedTopK chose other experts", report.Headline, StringComparison.Ordinal);
    }

    [Fact]
    public void NoMistakeIsNotFound()
    {
        string folder = Path.Combine(RepositoryRoot.Golden, "tiny-f32");
        Assert.Equal(0, Verify(folder, "none", [VerifyMode.Isolated, VerifyMode.Free]).ExitCode);
    }

    private static VerifyReport Verify(string folder, string mistake, VerifyMode[] modes) => Verifier.Run(
        new VerifyOptions { Paths = [folder], Modes = modes, ThreadCount = 1 },
        (engine, _, workers, _) => new Twin<Float32Precision>(engine, workers, mistake));
}
