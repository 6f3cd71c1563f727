// Red here means that compare accuses a correct program.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

/// <summary>Correct programs that compute otherwise than the variants that the noise bands are made with.</summary>
public sealed class InnocentCandidates
{
    private const int Seeds = 6;

    public static TheoryData<string> TapSets => [.. SeededDump.TapSets.Keys];

    /// <summary>The published code in PyTorch, whose orders of sums are none of ours.</summary>
    public static MatrixTheoryData<string, string> Published => new(
        ["tiny-f32", "tiny-bf16", "tiny-yarn-f32", "tiny-padded-f32", "tiny-fp8-f32"],
        ["everything", .. SeededDump.TapSets.Keys]);

    [Theory]
    [MemberData(nameof(Published))]
    public void ThePublishedCodeIs(string name, string tapSet)
    {
        string folder = Path.Combine(RepositoryRoot.Golden, name);
        using ComparisonReference reference = ComparisonReference.FromGolden(GoldenCase.Open(folder));
        using Dump dump = Dump.Open(Path.Combine(folder, "golden.safetensors"));
        Candidate all = new CandidateReader(reference.Configuration, reference.Input).Read(dump);
        AssertInnocent(CandidateComparer.Run(
            reference, Only(all, tapSet), new ComparisonOptions { AllowMissing = true }));
    }

    /// <summary>The bfloat16 run against what the same weights give in float32.</summary>
    [Theory]
    [MemberData(nameof(TapSets))]
    public void BFloat16AgainstFloat32Is(string tapSet)
    {
        string folder = Path.Combine(RepositoryRoot.Golden, "tiny-bf16");
        using GoldenCase golden = GoldenCase.Open(folder);
        using ComparisonReference own = ComparisonReference.FromGolden(GoldenCase.Open(folder));
        using ComparisonReference computed = ComparisonReference.FromModel(
            "float32", own.Configuration, golden.OpenWeights(own.Configuration), own.Input);
        using Dump dump = Dump.Open(Path.Combine(folder, "golden.safetensors"));
        Candidate all = new CandidateReader(own.Configuration, own.Input).Read(dump);
        ComparisonReport report = CandidateComparer.Run(computed, Only(all, tapSet), new ComparisonOptions());
        Assert.Equal("bfloat16", report.Precision);
        AssertInnocent(report);
    }

    [Theory]
    [MemberData(nameof(TapSets))]
    public void OtherOrdersOfSumsAre(string tapSet)
    {
        double worst = 0;
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            using SeededDump dump = new(seed, false, tapSet, (workers, _) => new ForwardChain(workers));
            worst = Math.Max(worst, AssertInnocent(dump.Compare()));
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{tapSet}: {worst:G3} of the budget at most"));
    }

    [Theory]
    [MemberData(nameof(TapSets))]
    public void OtherRoundingPointsAre(string tapSet)
    {
        LegalRounding[] roundings =
        [
            LegalRounding.None, LegalRounding.FusedNorm, LegalRounding.Float32Rotary, LegalRounding.FusedAttention,
            LegalRounding.RoundedExperts, LegalRounding.FusedActivation,
            LegalRounding.UnroundedResidual, LegalRounding.NormRoundedOnce,
            LegalRounding.FusedNorm | LegalRounding.RoundedExperts, LegalRounding.Kernels,
        ];
        double worst = 0;
        foreach (LegalRounding rounding in roundings)
        {
            for (ulong seed = 1; seed <= Seeds; seed++)
            {
                using SeededDump dump = new(
                    seed,
                    true,
                    tapSet,
                    (workers, _) => new LegalOperators<BFloat16Precision>(
                        workers, SummationOrder.ReversedBlocks, rounding),
                    storesFloat32: seed == 1);
                ComparisonReport report = dump.Compare();
                Assert.Equal("bfloat16", report.Precision);
                worst = Math.Max(worst, AssertInnocent(report));
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{tapSet}: {worst:G3} of the budget at most"));
    }

    private static double AssertInnocent(ComparisonReport report)
    {
        Assert.True(report.Outcome == ComparisonOutcome.Agrees, report.Headline);
        Assert.NotEmpty(report.Isolated);
        return report.Isolated.Max(finding => finding.OverBudget);
    }

    private static Candidate Only(Candidate all, string tapSet) => tapSet == "everything" ? all : new Candidate
    {
        Description = all.Description,
        Inputs = all.Inputs,
        Taps = all.Taps.Where(tap => SeededDump.TapSets[tapSet].Any(kind => kind[0] == '#'
                ? tap.Key.StartsWith("model.layers.", StringComparison.Ordinal)
                    && tap.Key.Split('.', 4)[3] == kind[2..]
                : tap.Key == kind))
            .ToDictionary(),
    };
}
